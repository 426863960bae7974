"""All that the report on a latent space says, as values."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from molvae.health.heads import HeadFit
from molvae.health.neighborhood import Agreement, Falloff
from molvae.health.prior import PriorSample, Shift
from molvae.health.reconstruction import Aggregate, Reconstruction, TrainingFit


@dataclass(frozen=True)
class Finding:
    """Something that holds of a latent space.

    Attributes:
        name: A word for it: a name in `molvae.health.verdict.RULES`, "healthy", or "prior misses".
        why: The numbers that it is read from.
        advice: What to change.
    """

    name: str
    why: str
    advice: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}. {self.advice}"


@dataclass(frozen=True)
class Report:
    """The state of a latent space, as `inspect` shows it.

    Attributes:
        reconstruction: Of held-out molecules.
        prior: What the prior generates.
        heads: How well they predict.
        training: Of training molecules, to compare; None when there were none to look at.
        aggregate: How far the latents lie from the prior.
        agreement: Of several decodes of one latent.
        falloff: How similarity falls with distance.
        shifts: Of properties, between generated and held-out molecules.
        verdict: What it means, the headline first; see `molvae.health.verdict.judge`.
    """

    reconstruction: Reconstruction
    prior: PriorSample
    heads: tuple[HeadFit, ...] = ()
    training: TrainingFit | None = None
    aggregate: Aggregate | None = None
    agreement: Agreement | None = None
    falloff: Falloff | None = None
    shifts: tuple[Shift, ...] = ()
    verdict: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON values: lists, no tuples, and no number that isn't finite."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return content
