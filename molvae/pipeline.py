"""A latent space as a transformer of scikit-learn: SMILES in, latents out.

from molvae.pipeline import Latents

regression = make_pipeline(Latents("runs/mine"), Ridge())
cross_val_score(regression, smiles, values)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.codec import Encodings
from molvae.errors import MoleculeError, SettingsError
from molvae.model import MolVAE, load

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    raise ImportError(
        "molvae.pipeline needs scikit-learn, which isn't installed: pip install 'molvae[sklearn]'"
    ) from None

UNUSABLE = ("raise", "nan")
"""What may become of a molecule that the model can't encode."""


class Latents(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Molecules to the latents of a trained model, which isn't trained further.

    A fitted one holds the model as ``model_``, and is as large as that when it is pickled; a path
    costs less to clone than a `MolVAE`.

    Args:
        model: A run folder, a model file, or a `MolVAE`.
        unusable: ``raise`` an error for a molecule that can't be encoded, or give ``nan`` for it.
        flat: Take stereo, isotopes and neutralisable charges away too, whatever the model's own
            standard keeps.
        device: Where a model that is loaded computes.
        workers: Processes for chemistry of a model that is loaded; by default one a core.
    """

    def __init__(
        self,
        model: str | Path | MolVAE,
        *,
        unusable: str = "raise",
        flat: bool = False,
        device: str = "auto",
        workers: int | None = None,
    ) -> None:
        self.model, self.unusable, self.flat = model, unusable, flat
        self.device, self.workers = device, workers

    def fit(self, X: Any = None, y: Any = None) -> Latents:  # noqa: N803  (scikit-learn's name)
        """Load the model; nothing is learned from X or y.

        Raises:
            CheckpointError: When there is no model, or it is damaged.
            SettingsError: For another ``unusable`` than those in `UNUSABLE`.
        """
        checks.choice("unusable", self.unusable, UNUSABLE)
        checks.switch("flat", self.flat)
        given = self.model
        self.model_ = (
            given
            if isinstance(given, MolVAE)
            else load(given, device=self.device, workers=self.workers)
        )
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Posterior means of molecules.

        Args:
            X: N SMILES: a sequence, an array, a Series, or a DataFrame of one column.

        Returns:
            (N, D) float32.

        Raises:
            MoleculeError: For one that can't be encoded, unless ``unusable`` is "nan".
            SettingsError: When X has several columns, or is one text.
        """
        check_is_fitted(self)
        smiles = _texts(X)
        if not smiles:
            return np.empty((0, self.model_.latent_dim), dtype=np.float32)
        encodings: Encodings = self.model_.encode(smiles, flat=self.flat)
        bad = np.flatnonzero(~encodings.usable)
        if self.unusable == "raise" and len(bad):
            row = int(bad[0])
            raise MoleculeError(
                f"Row {row} of X, counted from 0, can't be encoded: {smiles[row]!r}: "
                f"{encodings.reasons[row]}. unusable='nan' gives NaN for such rows."
            )
        return encodings.mean

    def inverse_transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """The molecules that latents, (N, D), are decoded to greedily: SMILES, (N,) of objects.

        An empty text stands where there is none.
        """
        check_is_fitted(self)
        values = X.to_numpy() if isinstance(X, pd.DataFrame) else X
        return np.array(self.model_.decode(values)["smiles"].tolist(), dtype=object)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """``z1``, ``z2`` ... as `molvae encode` names its columns, (D,) of objects."""
        check_is_fitted(self)
        names = [f"z{place}" for place in range(1, self.model_.latent_dim + 1)]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.allow_nan = self.unusable == "nan"
        tags.transformer_tags.preserves_dtype = []
        return tags


def _texts(values: Any) -> list[str]:
    """SMILES as a list; what is missing is empty."""
    if isinstance(values, str):
        raise SettingsError(f"X is several SMILES, not the text {values!r}: put it into a list.")
    if isinstance(values, pd.DataFrame | np.ndarray) and values.ndim > 1:
        if values.ndim > 2 or values.shape[1] != 1:
            shape = " x ".join(map(str, values.shape))
            raise SettingsError(f"X is {shape}; a column of SMILES is wanted. Choose one.")
        values = values.iloc[:, 0] if isinstance(values, pd.DataFrame) else values[:, 0]
    if not isinstance(values, Iterable):
        raise SettingsError(f"X is SMILES, not {values!r}.")
    return ["" if pd.isna(one) else str(one) for one in values]
