"""MolVAE, the one class that users meet. Every verb is delegated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from molvae import checkpoint as checkpoints
from molvae import settings as checks
from molvae import shipped
from molvae.checkpoint import Checkpoint
from molvae.chem.standard import standard_many
from molvae.chem.strings import preset_of
from molvae.codec import BLOCK, Encodings, NetworkCodec
from molvae.corpus.latents import LatentSource, open_latents
from molvae.corpus.reading import CHUNK, Source, open_table
from molvae.corpus.table import as_table, numbers, smiles_column, unreadable
from molvae.errors import CheckpointError, SettingsError, TableError
from molvae.guidance import conditional, conditions
from molvae.guidance.call import Call
from molvae.guidance.folder import SearchFolder
from molvae.guidance.notation import Written, read, written
from molvae.guidance.objective import Objective
from molvae.guidance.record import Record
from molvae.guidance.search import Search, checked, drawn_starts, optimize
from molvae.guidance.standing import Standing
from molvae.guidance.suggestion import BUDGET as CANDIDATES
from molvae.guidance.suggestion import COUNT as PROPOSALS
from molvae.guidance.suggestion import MAX_SIMILARITY, Suggestion, suggest
from molvae.guidance.trust import error_of
from molvae.guidance.tuning import Tuning
from molvae.health.measure import measure
from molvae.health.reconstruction import TrainingFit
from molvae.health.report import Report
from molvae.health.training import Training
from molvae.latent.arithmetic import NOISE, Combination, Terms, combine
from molvae.latent.decoding import decode_parts
from molvae.latent.exploration import Sought
from molvae.latent.generation import BATCH, Drawing, Generation, Wanted, generate
from molvae.latent.neighborhoods import Neighborhood, neighbors
from molvae.latent.paths import SMOOTH, MoleculePath, interpolate
from molvae.latent.reconstruction import reconstruct
from molvae.latent.repair import COUNT, DRAWS, Asked, edit_price, repair
from molvae.latent.repair import ROWS as REPAIRED
from molvae.latent.smoothing import ROUNDS
from molvae.latent.typicality import ROWS, SAMPLES, score
from molvae.parallel import ordered


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name; ``auto`` takes a GPU when there is one.

    Raises:
        SettingsError: When torch doesn't know it or it isn't there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
        usable = device.type not in ("meta", "mps")  # Apple's has no double precision for sums
    except (RuntimeError, AssertionError):
        usable = False
    if not usable:
        raise SettingsError(f"No device {name!r} here. Use cpu or auto.")
    if device.type == "cuda":
        # Ten bits of mantissa would let a molecule's latent depend on its batch.
        torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]  # untyped
    return device


def load(
    path: str | Path = shipped.DEFAULT, *, device: str = "auto", workers: int | None = None
) -> MolVAE:
    """Load a trained model.

    Args:
        path: A run folder, a model file, or the name of a model in the package, such as ``moses``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``...
        workers: Processes for chemistry; by default one a core.

    Raises:
        CheckpointError: When there is no model, or it is damaged.
    """
    checkpoint = checkpoints.load(path, choose_device(device))
    ships = checkpoints.file_of(path) == shipped.file_of(str(path))
    place = str(path if ships else Path(path).absolute())
    return MolVAE(checkpoint, workers=workers, path=place)


class MolVAE:
    """A trained model and the verbs that work with it.

    Latents are (N, D) float32 arrays. Tables are pandas DataFrames; where molecules are read, a
    table has one row for each row given, in the same order, and a ``reason`` where a row
    can't be used.

    Args:
        checkpoint: All that the model is.
        workers: Processes for chemistry; by default one a core.
        path: Where it was loaded from, if it was.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, workers: int | None = None, path: str = ""
    ) -> None:
        self.checkpoint, self.workers, self.path = checkpoint, workers, path
        self.codec = NetworkCodec(checkpoint, workers=workers)

    @property
    def latent_dim(self) -> int:
        """Numbers in a latent."""
        return self.codec.latent_dim

    @property
    def property_names(self) -> tuple[str, ...]:
        """What the heads of the model predict."""
        return self.codec.property_names

    @property
    def record(self) -> dict[str, Any]:
        """How the model was trained and what was measured on held-out molecules."""
        return dict(self.checkpoint.record)

    @property
    def corruption(self) -> float:
        """The share of tokens that were wrong where the encoder learned to read; 0 for none."""
        return float(self.record.get("training", {}).get("corruption", 0))

    def describe(self) -> dict[str, Any]:
        """All that is known of the model, as JSON values; `inspect` shows it."""
        network, vocabulary = self.checkpoint.network, self.checkpoint.vocabulary
        return {
            "weights": network.weight_count,
            "network": asdict(network.config),
            "vocabulary": list(vocabulary.symbols),
            "constraints": dict(self.checkpoint.constraints),
            "preset": preset_of(self.checkpoint.constraints),
            "standard": asdict(self.checkpoint.standard),
            "properties": [asdict(scale) for scale in self.checkpoint.properties],
            "known_molecules": len(self.checkpoint.known),
            "versions": self.checkpoint.versions,
            "report": None,
            **self.record,
        }

    def save(self, path: str | Path, *, compact: bool = False) -> None:
        """Write the model into one file.

        Args:
            path: The file.
            compact: Take half the bytes for a weight, and fewer for what is known of the training
                molecules: see `molvae.checkpoint.save`.

        Raises:
            OutputError: When the place can't be written to.
        """
        checkpoints.save(self.checkpoint, Path(path), compact=compact)

    def generate(
        self,
        count: int,
        *,
        where: str | Iterable[str] = (),
        prior: str | None = None,
        like: Source | None = None,
        prior_temperature: float = 1.0,
        temperature: float = 1.0,
        noise: float | None = None,
        seed: int = 0,
        valid: bool = True,
        strict: bool = True,
        unique: bool = True,
        novel: bool = True,
        filters: str | Iterable[str] = (),
        reference: Source | None = None,
        batch_size: int = BATCH,
        on_taken: Callable[[], object] = lambda: None,
    ) -> Generation:
        """Draw molecules; see `molvae.latent.generation.generate`.

        They come from a prior, or from around the molecules of ``like``, a file, a table or SMILES.
        ``where`` are conditions on properties that the model has heads for, such as
        ``["logp=2.5+-0.3", "qed>0.8"]``; see `molvae.guidance.conditional.generate`.
        """
        wheres = _texts(where)
        asked = conditions.read(wheres, self.codec, self._head_errors()) if wheres else None
        names: list[str] = []
        if reference is not None:
            table = as_table(reference, workers=self.workers)
            work = partial(standard_many, standard=self.checkpoint.standard)
            texts = table[smiles_column(table)].tolist()
            names = [one for one in ordered(work, texts, self.workers, given_up="") if one]
            if not names:
                raise TableError("The reference holds no molecule that RDKit can read.")
        wanted = Wanted(valid, strict, unique, novel, tuple(_texts(filters)))
        usable, notes = (None, ()) if like is None else self._usable(like)
        drawn = generate
        if asked is not None:
            drawn = partial(conditional.generate, conditions=asked, head_r2=self._head_r2())
        found = drawn(
            self.codec,
            count,
            self.checkpoint.known,
            wanted,
            drawing=Drawing(prior, prior_temperature, noise, temperature, seed),
            like=usable,
            reference=names,
            batch_size=batch_size,
            workers=self.workers,
            on_taken=on_taken,
        )
        return replace(found, notes=(*notes, *found.notes))

    def interpolate(
        self,
        compounds: Iterable[str],
        *,
        steps: int = 9,
        path: str = "slerp",
        spacing: str = SMOOTH,
        rounds: int = ROUNDS,
        flat: bool = False,
        strict: bool = True,
        filters: str | Iterable[str] = (),
        seed: int = 0,
    ) -> MoleculePath:
        """Walk from compound to compound; see `molvae.latent.paths.interpolate`."""
        return interpolate(
            self.codec,
            _texts(compounds),
            steps=steps,
            curve=path,
            spacing=spacing,
            rounds=rounds,
            flat=flat,
            strict=strict,
            filters=_texts(filters),
            seed=seed,
        )

    def combine(
        self,
        terms: Terms = (),
        *,
        mean: Source | None = None,
        column: str | None = None,
        count: int = 9,
        noise: float = NOISE,
        temperature: float = 1.0,
        flat: bool = False,
        strict: bool = True,
        seed: int = 0,
    ) -> Combination:
        """Decode a sum of molecules, such as ``{a: 1, b: -1, c: 1}``, or the mean of a list.

        ``mean`` is a file, a table or SMILES whose mean is added; the other arguments are those of
        `molvae.latent.arithmetic.combine`.
        """
        members: list[str] = []
        if mean is not None:
            table = as_table(mean, workers=self.workers)
            members = table[smiles_column(table, column)].tolist()
        return combine(
            self.codec,
            terms,
            self.checkpoint.known,
            members=members,
            count=count,
            noise=noise,
            temperature=temperature,
            flat=flat,
            strict=strict,
            seed=seed,
        )

    def neighbors(
        self,
        compounds: str | Iterable[str],
        *,
        similarity: tuple[float, float] = (0.5, 0.7),
        count: int = 50,
        fingerprint: str = "morgan2",
        keep: str = "",
        keep_scaffold: bool = False,
        filters: str | Iterable[str] = (),
        novel: bool = False,
        strict: bool = True,
        flat: bool = False,
        budget: int | None = None,
        seed: int = 0,
        on_taken: Callable[[], object] = lambda: None,
    ) -> Neighborhood:
        """Find molecules at a similarity; see `molvae.latent.neighborhoods.neighbors`."""
        sought = Sought(
            similarity, fingerprint, keep, keep_scaffold, strict, novel, tuple(_texts(filters))
        )
        return neighbors(
            self.codec,
            _texts(compounds),
            self.checkpoint.known,
            sought,
            count=count,
            budget=budget,
            flat=flat,
            seed=seed,
            on_taken=on_taken,
        )

    def optimize(
        self,
        objective: Written,
        *,
        budget: int = 1000,
        method: str = "auto",
        start: str | Iterable[str] = (),
        start_from: Source | None = None,
        column: str | None = None,
        filters: str | Iterable[str] = ("moses",),
        strict: bool = True,
        seed: int = 0,
        moves: str | Iterable[str] = (),
        adapt: bool = True,
        screen: bool = True,
        flat: bool = False,
        run: str | Path | None = None,
        overwrite: bool = False,
        on_round: Callable[[Standing], None] = lambda standing: None,
    ) -> Search:
        """Search for molecules that do well; see `molvae.guidance.search.optimize`.

        The objective is a TOML file or shorthands, as `molvae.guidance.notation.read` reads them;
        the settings are those of `molvae.guidance.call.Call`. A fifth of the budget, a hundred at
        most, goes to random molecules of ``start_from``, a file, a table (with the SMILES in
        ``column``; found when absent) or SMILES, such as the training data; the search begins with
        these then. With ``flat`` the compounds that the objective names lose their stereo, isotopes
        and charges, too.

        With ``run``, a folder, molecules are written there part by part (of 24 at most), and
        `resume_search` goes on after any end; at the end it gets the results (see
        `molvae.guidance.results`). ``overwrite`` replaces a search that is in it. Functions must
        lie in files then, so that they can be found again.

        Raises:
            OutputError: When the folder holds a search, or another run writes in it.
        """
        call = Call(
            checks.whole("budget", budget),
            method,
            _texts(start),
            _texts(filters),
            strict,
            checks.whole("seed", seed),
            _texts(moves),
            adapt,
            screen,
            flat,
        )
        wanted, folder = read(objective), None if run is None else SearchFolder(run)
        if folder is not None:
            folder.check(overwrite=overwrite)
            written(wanted)  # refused before there is a folder, or another search is forgotten
        checks.require(
            column is None or start_from is not None,
            "A column of SMILES is that of a table to start from: name the table, too.",
        )
        notes = list[str]()
        if start_from is not None:
            drawn, note = self._drawn(start_from, column, call)
            call, notes = replace(call, start=[*call.start, *drawn]), [note] if note else []
        if folder is None:
            return self._searched(wanted, call, None, notes, on_round)
        checked(self._searching(call.flat), wanted, call)  # before another search is forgotten
        with folder.owned():
            folder.begin(wanted, call, self.path, checkpoints.fingerprint(self.checkpoint))
            return folder.end(self._searched(wanted, call, folder.record(wanted), notes, on_round))

    def resume_search(
        self,
        run: str | Path,
        *,
        on_round: Callable[[Standing], None] = lambda standing: None,
    ) -> Search:
        """Go on with a search that was interrupted or killed, to the table it would have come to.

        It goes its way from the beginning; what was evaluated is read from its record, and not
        evaluated twice, but for the part of 24 that a kill cut short. What the search itself does
        costs its time again.

        Args:
            run: The folder.
            on_round: As for `optimize`.

        Raises:
            CheckpointError: When there is no search that hasn't ended, or its objective or the
                model has changed since it began.
            OutputError: When another run writes in the folder.
        """
        folder = SearchFolder(run)
        plan = folder.plan()
        if plan.fingerprint != checkpoints.fingerprint(self.checkpoint):
            named = f" It was {plan.model}." if plan.model else ""
            raise CheckpointError(f"The search in {run} was begun with another model.{named}")
        objective, changed = folder.objective(plan)
        with folder.owned():
            record = folder.record(objective)
            return folder.end(self._searched(objective, plan.call, record, changed, on_round))

    def suggest(
        self,
        source: Source,
        objective: Written,
        *,
        count: int = PROPOSALS,
        column: str | None = None,
        flat: bool = False,
        filters: str | Iterable[str] = ("moses",),
        novel: bool = True,
        max_similarity: float = MAX_SIMILARITY,
        budget: int = CANDIDATES,
        seed: int = 0,
        on_round: Callable[[int], object] = lambda candidates: None,
    ) -> Suggestion:
        """Propose the next molecules to make, by what was measured of others.

        ``source`` is a file or a table of molecules with their values, ``objective`` names its
        columns, as in ``["pic50:max", "logp:range=1..3,constraint"]``, and ``column`` is that of
        the SMILES. With ``flat`` what was measured and what is proposed has no stereo, isotopes
        and neutralisable charges. See `molvae.guidance.suggestion.suggest` for the rest.
        """
        return suggest(
            self._searching(flat),
            read(objective),
            as_table(source, workers=self.workers),
            self.checkpoint.known,
            count=count,
            smiles=column,
            filters=_texts(filters),
            novel=novel,
            max_similarity=max_similarity,
            budget=budget,
            seed=seed,
            head_r2=self._head_r2(),
            on_round=on_round,
        )

    def _searched(
        self,
        objective: Objective,
        call: Call,
        record: Record | None,
        notes: Sequence[str],
        on_round: Callable[[Standing], None],
    ) -> Search:
        """Search, and put some notes before those of the search."""
        found = optimize(
            self._searching(call.flat),
            objective,
            self.checkpoint.known,
            call,
            tuning=partial(
                Tuning, self.checkpoint, workers=self.workers, flat=call.flat, seed=call.seed
            ),
            head_r2=self._head_r2(),
            record=record,
            on_round=on_round,
        )
        if call.flat and (marks := " and ".join(self.checkpoint.vocabulary.marks)):
            notes = [
                *notes,
                f"The model learned molecules with {marks}, and what is found has none: novel only "
                "says that a molecule wasn't learned as it stands there.",
            ]
        return replace(found, notes=(*notes, *found.notes))

    def _drawn(self, source: Source, column: str | None, call: Call) -> tuple[list[str], str]:
        """Molecules of a source that a search begins with, and a note on others."""
        table = as_table(source, workers=self.workers)
        molecules = table[smiles_column(table, column)].tolist()
        return drawn_starts(self._searching(call.flat), molecules, call.budget, call.seed)

    def _searching(self, flat: bool) -> NetworkCodec:
        """The codec that a search works with."""
        if not checks.switch("flat", flat):
            return self.codec
        return NetworkCodec(self.checkpoint, workers=self.workers, flat=True)

    def encode(self, source: Source, *, column: str | None = None, flat: bool = False) -> Encodings:
        """Encode molecules, a row each.

        Args:
            source: A file, a table, or SMILES.
            column: The column of SMILES; found when absent.
            flat: Take stereo, isotopes and neutralisable charges away too, whatever the model's
                own standard keeps.

        Returns:
            Posterior means and deviations, NaN with a reason where a row can't be used.
        """
        return Encodings.joined(list(self.encode_chunks(source, column=column, flat=flat)))

    def encode_chunks(
        self,
        source: Source,
        *,
        column: str | None = None,
        flat: bool = False,
        rows: int = CHUNK,
    ) -> Iterator[Encodings]:
        """As `encode`, but part by part, of ``rows`` rows at most: for files of any size."""
        for _, encodings in self._encoded(source, column, flat, rows):
            yield encodings

    def decode(
        self,
        latents: np.ndarray | LatentSource | str | Path,
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Decode latents, a row each: ``smiles``, ``strict``, ``reason``.

        At a temperature above 0 the seed stands beside them.

        Args:
            latents: (N, D), or a file of them; see `molvae.corpus.latents.open_latents`.
            temperature: 0 takes the likeliest token each time; 1 draws from the model.
            seed: Of the draws.

        Raises:
            SettingsError: When the latents have another width than the model's.
            TableError: For a file that can't be read.
        """
        parts = self.decode_chunks(latents, temperature=temperature, seed=seed)
        return pd.concat(list(parts), ignore_index=True)

    def decode_chunks(
        self,
        latents: np.ndarray | LatentSource | str | Path,
        *,
        temperature: float = 0.0,
        seed: int = 0,
        rows: int = CHUNK,
    ) -> Iterator[pd.DataFrame]:
        """As `decode`, but part by part, for files of any size.

        A part has ``rows`` rows at most, but always whole blocks of 256: what is drawn for a row
        depends on the seed and its place alone.
        """
        yield from decode_parts(
            self.codec, open_latents(latents), temperature=temperature, seed=seed, rows=rows
        )

    def reconstruct(
        self,
        source: Source,
        *,
        column: str | None = None,
        flat: bool = False,
        sample: bool = False,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Encode molecules and decode them greedily, a row each.

        Args:
            source: A file, a table, or SMILES.
            column: The column of SMILES; found when absent.
            flat: Take stereo, isotopes and neutralisable charges away too, whatever the model's
                own standard keeps.
            sample: Decode a draw of the posterior, not its mean.
            seed: Of the draw.

        Returns:
            ``input``, ``smiles`` (canonical), ``reconstruction``, ``exact``, ``similarity``
            (Tanimoto, Morgan 2), ``steps`` (of standardising that changed it), ``flattened``,
            ``reason``; with ``sample`` also ``seed``.
        """
        parts = self.reconstruct_chunks(source, column=column, flat=flat, sample=sample, seed=seed)
        return pd.concat(list(parts), ignore_index=True)

    def reconstruct_chunks(
        self,
        source: Source,
        *,
        column: str | None = None,
        flat: bool = False,
        sample: bool = False,
        seed: int = 0,
        rows: int = CHUNK,
    ) -> Iterator[pd.DataFrame]:
        """As `reconstruct`, but part by part, of ``rows`` rows at most: for files of any size."""
        noise = np.random.default_rng(checks.seed(seed))  # goes on from part to part
        for texts, encodings in self._encoded(source, column, flat, rows):
            latents = encodings.sample(noise) if sample else encodings.mean
            table = reconstruct(self.codec, texts, encodings, latents)
            yield table.assign(seed=seed) if sample else table

    def repair(
        self,
        source: Source,
        *,
        column: str | None = None,
        flat: bool = False,
        count: int = COUNT,
        draws: int = DRAWS,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Propose clean molecules for broken or unusual ones; see `molvae.latent.repair`.

        A molecule that the model can encode is a candidate for itself.

        Args:
            source: A file, a table, or SMILES, which RDKit need not be able to read.
            column: The column of SMILES; found when absent.
            flat: Take stereo, isotopes and neutralisable charges away from molecules first,
                whatever the model's own standard keeps.
            count: Proposals for each row, at most.
            draws: Draws of each posterior, decoded beside its mean.
            seed: Of the draws; those of a row depend on it and on the row's place alone.

        Returns:
            A line for each proposal, those of a row together, the best first: ``row`` (from 1),
            ``input``, ``rank`` (from 1), ``smiles`` (canonical), ``log_likelihood`` (nats, at its
            posterior mean), ``edits`` (between the SELFIES symbols of the two), ``similarity``
            (Tanimoto, Morgan 2, where RDKit can read the input), ``score`` (nats: log_likelihood
            less a price for each edit), ``known`` (whether training saw it), ``reason``, ``seed``.
            A row without a proposal has one line, with the reason.
        """
        parts = self.repair_chunks(
            source, column=column, flat=flat, count=count, draws=draws, seed=seed
        )
        return pd.concat(list(parts), ignore_index=True)

    def repair_chunks(
        self,
        source: Source,
        *,
        column: str | None = None,
        flat: bool = False,
        count: int = COUNT,
        draws: int = DRAWS,
        seed: int = 0,
        rows: int = REPAIRED,
    ) -> Iterator[pd.DataFrame]:
        """As `repair`, but part by part, for files of any size.

        A part is made of ``rows`` rows at most, but always whole blocks of 256.
        """
        price = edit_price(self.corruption, len(self.checkpoint.vocabulary.symbols))
        asked, first = Asked(price, count, draws, seed), 0
        whole = -(-checks.count("rows", rows) // BLOCK) * BLOCK
        known = self.checkpoint.known
        for texts, encodings in self._encoded(source, column, flat, whole, salvaged=True):
            yield repair(self.codec, texts, encodings, known, asked, first_row=first)
            first += len(texts)

    def score(
        self,
        source: Source,
        *,
        column: str | None = None,
        flat: bool = False,
        samples: int = SAMPLES,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Tell how typical of the training set molecules are, a row each.

        Args:
            source: A file, a table, or SMILES.
            column: The column of SMILES; found when absent.
            flat: Take stereo, isotopes and neutralisable charges away too, whatever the model's
                own standard keeps.
            samples: Draws of each posterior; those of a molecule depend on it and the seed alone.
            seed: Of the draws.

        Returns:
            ``input``, ``smiles`` (canonical), ``distortion`` and ``kl`` (nats, averaged over the
            draws), ``log_likelihood`` (the importance-weighted bound on log p(x), nats),
            ``density`` (log density of the posterior mean under the prior, nats),
            ``nearest_training`` (the distance of that mean to the nearest of 4,000 training latents
            at most), ``outlier`` (of a hundred held-out molecules, how many are less unusual for
            their number of tokens; see `molvae.latent.typicality`), ``exact`` (whether the mean
            decodes to the molecule), ``known`` (whether training saw it), ``steps`` (of
            standardising that changed it), ``flattened``, ``reason``, ``seed``.

            Without what is stored when training ends, ``nearest_training`` and ``outlier`` are
            empty; `molvae.latent.typicality.remark` tells what is lacking.
        """
        parts = self.score_chunks(source, column=column, flat=flat, samples=samples, seed=seed)
        return pd.concat(list(parts), ignore_index=True)

    def score_chunks(
        self,
        source: Source,
        *,
        column: str | None = None,
        flat: bool = False,
        samples: int = SAMPLES,
        seed: int = 0,
        rows: int = ROWS,
    ) -> Iterator[pd.DataFrame]:
        """As `score`, but part by part, of ``rows`` rows at most: for files of any size."""
        known, typical = self.checkpoint.known, self.checkpoint.typical
        for texts, encodings in self._encoded(source, column, flat, rows):
            yield score(self.codec, texts, encodings, known, typical, samples=samples, seed=seed)

    def report(self, held_out: Source, *, column: str | None = None, seed: int = 0) -> Report:
        """Measure the latent space on molecules the model wasn't trained on.

        Columns named as the model's heads are compared with what these predict. What was
        measured on training molecules at the end of training is taken from the record.
        """
        table = as_table(held_out, workers=self.workers)
        smiles = table[smiles_column(table, column)].tolist()
        present = [name for name in self.property_names if name in table.columns]
        values = pd.DataFrame(numbers(table, present), columns=present)
        properties = values.reindex(columns=list(self.property_names)).to_numpy(dtype=float)
        fit = (self.record.get("report") or {}).get("training")
        return measure(
            self.codec,
            smiles,
            properties,
            self.checkpoint.known,
            training=Training.of(self.checkpoint),
            training_fit=None if fit is None else TrainingFit(**fit),
            seed=seed,
        )

    def _usable(self, like: Source) -> tuple[Encodings, tuple[str, ...]]:
        """The molecules of a source that the model can encode, and a note on the others.

        Raises:
            TableError: When there are none.
        """
        encodings = self.encode(like)
        usable = np.flatnonzero(encodings.usable)
        others = [(row, one) for row, one in enumerate(encodings.reasons, 1) if one]
        first = "" if not others else f"row {others[0][0]}: {others[0][1]}"
        if not len(usable):
            raise TableError(f"None of the molecules to be like can be used; {first}.")
        if not others:
            return encodings, ()
        told = f"{len(others):,} of {len(encodings.reasons):,} molecules to be like can't be used"
        return encodings.taken(usable), (f"{told}; {first}.",)

    def _encoded(
        self,
        source: Source,
        column: str | None,
        flat: bool,
        rows: int,
        *,
        salvaged: bool = False,
    ) -> Iterator[tuple[list[str], Encodings]]:
        """The texts of each part of a source, and what they are to the model."""
        encode = self.codec.salvage if salvaged else self.codec.encode
        table = open_table(source, workers=self.workers)
        name = smiles_column(table, column)
        for chunk in table.chunks(rows):
            texts = chunk[name].tolist()
            encodings = encode(texts, flat=flat)
            told = zip(encodings.reasons, unreadable(chunk), strict=True)
            reasons = [reason and (better or reason) for reason, better in told]
            yield texts, replace(encodings, reasons=reasons)

    def _head_r2(self) -> dict[str, float | None]:
        """R2 of the heads on held-out molecules, of those that were measured."""
        return {head["name"]: head["r2"] for head in self._heads()}

    def _head_errors(self) -> dict[str, float]:
        """Standard deviations of what the heads say of held-out molecules, where measured."""
        return {head["name"]: error_of(head["mae"]) for head in self._heads()}

    def _heads(self) -> list[dict[str, Any]]:
        """How the heads that were measured do on held-out molecules."""
        heads: list[dict[str, Any]] = (self.record.get("report") or {}).get("heads", [])
        return heads


def _texts(given: str | Iterable[str]) -> list[str]:
    """Texts as a list; a single one may stand without one.

    Raises:
        SettingsError: When they are neither.
    """
    several = [given] if isinstance(given, str) else given
    checks.require(isinstance(several, Iterable), f"Texts are wanted, not {given!r:.60}.")
    return ["" if one is None else str(one) for one in several]
