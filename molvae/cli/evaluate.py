"""molvae evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from molvae import files
from molvae.cli import options
from molvae.cli.output import check_table, check_target, write_table
from molvae.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from molvae.metrics.evaluation import Evaluation

_WIDTH = 20


@click.command(short_help="The measures of MOSES and GuacaMol, and checks against copying.")
@click.argument("generated", metavar="GENERATED...", nargs=-1, required=True)
@click.option(
    "--reference",
    "reference_path",
    required=True,
    metavar="FILE",
    help="What `molvae reference` wrote, or a table of held-out molecules.",
)
@click.option(
    "--train", metavar="FILE", help="The training molecules, when the reference has others or none."
)
@click.option("--compare", is_flag=True, help="Put the published values of the benchmark beside.")
@click.option("-o", "--output", metavar="FILE", help="Table to write: a row a molecule.")
@click.option(
    "--json", "json_path", metavar="FILE", help="All measures; - prints them in place of the table."
)
@options.smiles_column
@options.device
@options.workers
def evaluate(
    generated: tuple[str, ...],
    reference_path: str,
    train: str | None,
    compare: bool,
    output: str | None,
    json_path: str | None,
    smiles_column: str | None,
    device: str,
    workers: int | None,
) -> None:
    """How good generated molecules are, as MOSES and GuacaMol measure it.

    GENERATED are tables of molecules in the order in which they were generated, the invalid ones
    left in (`molvae generate --raw`); several stand side by side. "expected" is what an honest,
    perfect generator would show: for each FCD that of as many training molecules. What can't be
    computed says why. Similarities are those of MOSES: Morgan, radius 2, 1024 bits.

    \b
    Example:
      molvae evaluate raw.csv --reference moses.safetensors --compare
    """
    _check(generated, (*generated, reference_path, train), output, json_path)
    from molvae import display
    from molvae.benchmark import evaluate as take_measures
    from molvae.benchmark import load_reference
    from molvae.metrics.evaluation import published
    from molvae.metrics.rows import ROWS

    found = load_reference(
        reference_path, train=train, column=smiles_column, device=device, workers=workers
    )
    evaluations = {}
    for source in generated:
        with display.bar(len(ROWS), "measures", "evaluate") as bar:
            evaluations[source] = take_measures(
                source,
                found,
                column=smiles_column,
                device=device,
                workers=workers,
                on_measure=bar.update,
            )
    if output is not None:
        write_table(next(iter(evaluations.values())).molecules, output)
    content = json.dumps(
        {name: one.as_dict() for name, one in evaluations.items()}, indent=2, allow_nan=False
    )
    if json_path not in (None, "-"):
        files.write_text(Path(str(json_path)), content + "\n")
    others = published(found.name) if compare else []
    if compare and not others:
        display.note(f"No published values are known for the benchmark {found.name!r}.")
    for source, one in evaluations.items():
        if one.facts["all_novel"] and one.facts["rows"] == one.facts["distinct"]:
            display.note(
                f"Every row of {source} is valid, distinct and novel, as if chosen so. If it was, "
                "these measures are of the choice: `molvae generate --raw` keeps all that is drawn."
            )
    if json_path == "-":
        click.echo(content)
        return
    click.echo(_alone(evaluations) if len(evaluations) == 1 and not others else
               _side_by_side(evaluations, others))  # fmt: skip


def _check(
    generated: Sequence[str],
    read: Sequence[str | None],
    output: str | None,
    json_path: str | None,
) -> None:
    if read.count("-") > 1:
        raise OutputError("Standard input can be read only once.")
    sources = {Path(one).resolve() for one in read if one not in (None, "-")}
    for target in (output, json_path):
        if target not in (None, "-") and Path(str(target)).resolve() in sources:
            raise OutputError(f"Can't write {target}: it is a file that is read. Name another.")
    if len({Path(one).resolve() for one in generated}) < len(generated):
        raise OutputError("A file is named twice.")
    check_target(json_path, ".json")
    if output is None:
        return
    if len(generated) > 1:
        raise OutputError("A row a molecule can be written for one file only.")
    if output == "-":
        raise OutputError("Standard output has the table. Name a file for the molecules.")
    check_table(output)


def _alone(evaluations: Mapping[str, Evaluation]) -> str:
    """The measures of one set of molecules, with what is expected and the notes."""
    ((source, evaluation),) = evaluations.items()
    facts = evaluation.facts
    counts = ", ".join(f"{facts[name]:,} {name}" for name in ("rows", "valid", "distinct"))
    against = facts["reference"] or "the reference"
    if _temperature(evaluation):
        counts += f", temperature {_temperature(evaluation)}"
    if facts["strict_share"] is not None:
        counts += f", {facts['strict_share']:.1%} strict"
    lines = [f"{source}: {counts}, against {against}"]
    section = ""
    for one in evaluation.measures:
        if one.section != section:
            section = one.section
            lines.append(f"\n{section:<{_WIDTH + 6}}{'value':>10}{'expected':>10}")
        expected = "" if one.expected is None else _number(one.expected)
        line = f"  {one.name:<{_WIDTH + 4}}{_number(one.value):>10}{expected:>10}"
        lines.append(f"{line}  {one.note}".rstrip())
    return "\n".join(lines)


def _side_by_side(
    evaluations: Mapping[str, Evaluation], others: Sequence[Mapping[str, str]]
) -> str:
    """The measures of several sets in columns, the published ones behind them."""
    sets, blanks = list(evaluations.values()), [""] * len(others)
    numbers = [f"[{place}]" for place in range(1, len(sets) + 1)]
    rows = [
        ["", *numbers, *(one["model"] for one in others)],
        ["rows", *(f"{one.facts['rows']:,}" for one in sets),
         *(f"{int(one['samples']):,}" for one in others)],
        ["valid molecules", *(f"{one.facts['valid']:,}" for one in sets), *blanks],
        ["temperature", *map(_temperature, sets), *blanks],
    ]  # fmt: skip
    for place, first in enumerate(sets[0].measures):
        taken = [one.measures[place] for one in sets]
        told = [one.get(first.name) or "" for one in others]
        cells = [cell and _number(float(cell)) for cell in told]
        rows.append([first.name, *(_number(one.value) for one in taken), *cells])
        if any(one.expected is not None for one in taken):
            expected = ["" if one.expected is None else _number(one.expected) for one in taken]
            rows.append(["  expected", *expected, *blanks])
    lines = [f"{number} {source}" for number, source in zip(numbers, evaluations, strict=True)]
    lines += _aligned(rows)
    for source, evaluation in evaluations.items():
        missing: dict[str, list[str]] = {}
        for one in evaluation.measures:
            if one.value is None:
                missing.setdefault(one.note, []).append(one.name)
        lines += [f"{source}: {', '.join(lost)}: {why}" for why, lost in missing.items()]
        lines += [
            f"{source}: {one.name}: {one.note}"
            for one in evaluation.measures
            if one.value is not None and one.section == "copying" and one.note
        ]
    if others:
        sources = ", ".join(sorted({one["source"] for one in others}))
        tests = ", ".join(sorted({f"{int(one['test_molecules']):,}" for one in others}))
        lines.append(f"Published values: {sources}; against {tests} test molecules.")
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    return [
        (f"{row[0]:<{widths[0]}}"
         + "".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        ).rstrip()
        for row in rows
    ]  # fmt: skip


def _temperature(evaluation: Evaluation) -> str:
    told = evaluation.facts["temperature"]
    if told is None:
        return ""
    values = told if isinstance(told, list) else [told]
    if len(values) > 3:
        return f"{values[0]:g} to {values[-1]:g}"
    return ", ".join(f"{value:g}" for value in values)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"
