"""molvae generate."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table


@click.command(short_help="Novel, valid, unique molecules.")
@options.model
@click.option(
    "-n", "--count", type=click.IntRange(1), default=1000, show_default=True, help="Molecules."
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="On a property that the model has a head for: NAME=VALUE+-WIDTH, NAME=LOW..HIGH, "
    "NAME>VALUE or NAME<VALUE (in quotes); may be repeated.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Of the decoder: 0 takes the likeliest token each time.",
)
@click.option(
    "--prior",
    metavar="NAME",
    help="What latents are drawn from: fitted (the density that was fitted to those of the "
    "training molecules), normal (N(0, I)) or echo (those of molecules that the decoder writes by "
    "itself).  [default: echo where most of what it writes is strict, else fitted]",
)
@click.option(
    "--prior-temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Of the prior, or of --like: below 1 the latents stay where it is dense; of the echo, how "
    "it is written. At the usual noise little of it is left.",
)
@click.option(
    "--noise",
    type=click.FloatRange(0, 1),
    help="Of the latents: 0 decodes what the prior gives, 1 leaves all to the decoder.  "
    "[default: 0.8 for a density, 0 for the echo and with --where, 0.4 with --like; 0 for a model "
    "that wasn't trained with any]",
)
@click.option(
    "--like",
    metavar="FILE",
    help="Draw around these molecules, not from the prior; the more --noise, the less like them.",
)
@click.option(
    "--reference",
    metavar="FILE",
    help="Molecules that aren't novel either; the nearest is named in each row.",
)
@options.filters
@click.option("--keep-known", is_flag=True, help="Keep molecules of the training set.")
@click.option("--keep-repeated", is_flag=True, help="Keep molecules that came before.")
@options.keep_repaired
@click.option("--raw", is_flag=True, help="Keep all that is drawn, the invalid too: to evaluate.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    help="Strings drawn at a time, at most; doesn't change the result.",
)
@options.seed
@options.output
@options.image
@options.device
@options.workers
def generate(
    model_path: str,
    count: int,
    where: tuple[str, ...],
    temperature: float,
    prior: str | None,
    prior_temperature: float,
    noise: float | None,
    like: str | None,
    reference: str | None,
    filters: tuple[str, ...],
    keep_known: bool,
    keep_repeated: bool,
    keep_repaired: bool,
    raw: bool,
    batch_size: int,
    seed: int,
    output: str,
    image: str | None,
    device: str,
    workers: int | None,
) -> None:
    """Novel, valid, unique molecules from the prior, or like those of a file.

    What is invalid, known from training, drawn before, or not strict (SELFIES had to repair
    the string) is drawn again; the shares are told. The same seed gives the same file.

    Latents that meet a condition of --where are drawn in place of any: by what the model's heads
    say, then by what is computed of the molecules that they decode to. The molecules that are
    written are not chosen again: what share of them meets it is told, beside that without any.

    \b
    Example:
      molvae generate -m runs/mine -n 1000 --seed 7 --filter moses -o molecules.csv
      molvae generate -m runs/mine -n 100 --where "logp=2.5+-0.3" --where "qed>0.8"
      molvae generate -m runs/mine -n 100 --like actives.csv --noise 0.6 -o ideas.csv
    """
    if raw and filters:
        raise click.UsageError("--raw keeps all that is drawn; a --filter would refuse some.")
    for source in (like, reference):
        check_table(output, source)
    check_image(image)
    from molvae import display
    from molvae.chem.drawing import draw_grid
    from molvae.model import load

    model = load(model_path, device=device, workers=workers)
    with display.bar(count, "molecules", "generate") as bar:
        found = model.generate(
            count,
            where=where,
            prior=prior,
            like=like,
            prior_temperature=prior_temperature,
            temperature=temperature,
            noise=noise,
            seed=seed,
            valid=not raw,
            strict=not (raw or keep_repaired),
            unique=not (raw or keep_repeated),
            novel=not (raw or keep_known),
            filters=filters,
            reference=reference,
            batch_size=batch_size,
            on_taken=bar.update,
        )
    write_table(found.table, output)
    for note in (str(found.tally), *found.notes):
        display.note(note)
    if len(found.table) < count:
        display.note(f"Only {len(found.table):,} of {count:,} were found. {found.tally.advice}")
    shown = found.table[found.table["smiles"] != ""].head(20)
    if image is not None and len(shown):
        legends = [
            f"logP {logp:.1f}  QED {qed:.2f}"
            for logp, qed in zip(shown["logp"], shown["qed"], strict=True)
        ]
        draw_grid(shown["smiles"].tolist(), legends, Path(image))
