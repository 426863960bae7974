"""The folder of a search: what was asked for, what has been evaluated, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from molvae import files
from molvae.errors import CheckpointError, OutputError, SettingsError
from molvae.guidance.call import Call
from molvae.guidance.notation import read, written
from molvae.guidance.objective import Objective
from molvae.guidance.record import Record
from molvae.guidance.results import RESULTS, SUMMARY, write
from molvae.guidance.search import Search
from molvae.guidance.terms import FUNCTION
from molvae.settings import from_mapping

OBJECTIVE, SETTINGS, RECORD = "objective.toml", "search.json", "evaluations.jsonl"
"""Names in the folder, beside those of the results."""


@dataclass(frozen=True)
class Plan:
    """What decides where a search goes.

    Attributes:
        model: Where the model was loaded from; empty for one that was in memory.
        fingerprint: Of the model, see `molvae.checkpoint.fingerprint`.
        call: The settings.
        objective_sha256: Of the file of the objective.
        functions: The SHA-256 of each file with a function of the user's, by its path.
    """

    model: str
    fingerprint: str
    call: Call
    objective_sha256: str
    functions: Mapping[str, str]


class SearchFolder:
    """The folder of a search.

    Args:
        path: Where it is; made when something is written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def check(self, *, overwrite: bool) -> None:
        """Refuse a folder that can't be written in, or that holds a search.

        Raises:
            OutputError: With the remedy; also when another run writes in it.
        """
        files.check_unlocked(self.path)
        held = [name for name in (RECORD, OBJECTIVE, *RESULTS) if (self.path / name).exists()]
        if RECORD in held and not overwrite:
            remedy = (
                "Name another folder"
                if self.has_ended
                else f"Go on with `molvae optimize --resume {self.path}`"
            )
            raise OutputError(f"{self.path} holds a search. {remedy}, or add --overwrite.")
        if held and not overwrite and not (self.path / SETTINGS).exists():
            raise OutputError(
                f"{self.path} holds {held[0]}, which a search would replace. "
                "Name another folder, or add --overwrite."
            )
        files.check_folder(self.path)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep other runs out.

        Raises:
            OutputError: When another run writes in the folder.
        """
        with files.locked(self.path):
            yield

    def begin(self, objective: Objective, call: Call, model: str, fingerprint: str) -> None:
        """Forget an earlier search, and keep what this one is asked for.

        Raises:
            SettingsError: For an objective that can't be written down.
        """
        text = written(objective)
        for name in (SETTINGS, RECORD, *RESULTS):
            (self.path / name).unlink(missing_ok=True)
        files.write_text(self.path / OBJECTIVE, text)
        sha256 = files.sha256(self.path / OBJECTIVE)
        plan = Plan(model, fingerprint, call, sha256, _functions(objective))
        files.write_text(self.path / SETTINGS, json.dumps(asdict(plan), indent=2) + "\n")

    def plan(self) -> Plan:
        """What the search was asked for.

        Raises:
            CheckpointError: When there is none that hasn't ended.
        """
        try:
            content = json.loads((self.path / SETTINGS).read_text(encoding="utf-8"))
            call = from_mapping(Call, content["call"], complete=True)
            plan = from_mapping(Plan, {**content, "call": call})
        except SettingsError as error:
            raise CheckpointError(
                f"{self.path / SETTINGS} is of another version of molvae, which goes other ways, "
                f"or was changed: {error} Begin anew with --overwrite, or in another folder."
            ) from None
        except (OSError, ValueError, TypeError, LookupError):
            raise CheckpointError(
                f"{self.path} holds no search to go on with. Begin one with "
                f"`molvae optimize -m MODEL --objective qed:max --run {self.path}`."
            ) from None
        if self.has_ended:
            raise CheckpointError(f"The search in {self.path} has ended; see {SUMMARY} in it.")
        return plan

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do; what was interrupted hasn't ended."""
        try:
            summary = json.loads((self.path / SUMMARY).read_text(encoding="utf-8"))
            return bool(summary["ending"] != "interrupted")
        except (OSError, ValueError, LookupError, TypeError):
            return False

    def objective(self, plan: Plan) -> tuple[Objective, list[str]]:
        """What the search is to reach, and a note on each function that has changed since.

        Raises:
            CheckpointError: When the objective has changed since it began.
        """
        path = self.path / OBJECTIVE
        if not path.exists() or files.sha256(path) != plan.objective_sha256:
            raise CheckpointError(
                f"{path} has changed since the search began, and its evaluations are of the former "
                "objective. Put it back, or begin another run."
            )
        objective, before = read(path), plan.functions
        return objective, [
            f"{name} has changed since the search began; what was evaluated before stays as it is."
            for name, sha256 in _functions(objective).items()
            if before.get(name) != sha256
        ]

    def record(self, objective: Objective) -> Record:
        """What has been evaluated, and where more is added.

        Raises:
            CheckpointError: When it can't be read.
        """
        return Record(self.path / RECORD, objective.columns)

    def end(self, found: Search) -> Search:
        """Write what came of it, and return it with a note on what couldn't be drawn."""
        return write(self.path, found)


def _functions(objective: Objective) -> dict[str, str]:
    """The SHA-256 of each file that a function of an objective is in, by its path."""
    places = [term.keys[FUNCTION] for term in objective.terms if FUNCTION in term.keys]
    names = sorted({place.rpartition(":")[0] for place in places})
    return {name: files.sha256(Path(name)) for name in names}
