"""Train on 100,000 MOSES molecules, use every verb, and print a table of what was reached.

Run by scripts/demo. What it writes lies in runs/demo.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

import molvae
from molvae.cli.output import write_table
from molvae.corpus.table import read_table

DATA = Path("data/moses_sample.csv.gz")


def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/demo"))
    parser.add_argument("--max-minutes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    folder, seed = arguments.output, str(arguments.seed)
    model_options = ["-m", str(folder), "--seed", seed]

    say("train", DATA, "-o", folder, "--split-column", "split", "--property", "logp",
        "--max-minutes", f"{arguments.max_minutes:g}", "--overwrite")  # fmt: skip
    molecules = folder / "molecules.csv"
    seconds = say("generate", *model_options, "-n", "1000", "-o", molecules,
                  "--image", folder / "molecules.png")  # fmt: skip
    model = molvae.load(folder)
    table = read_table(DATA)
    test = table[table["split"] == "test"]
    ends = two_reconstructed(model, test)
    for picture in ("path.svg", "path.png"):
        say("interpolate", "-m", folder, *ends, "-o", folder / "path.csv",
            "--image", folder / picture)  # fmt: skip
    say("neighbors", *model_options, ends[0], "-o", folder / "near.csv",
        "--image", folder / "near.png")  # fmt: skip
    say("optimize", *model_options, "--objective", "qed:max", "--budget", "1000",
        "-o", folder / "best.csv", "--image", folder / "best.png")  # fmt: skip
    best = pd.read_csv(folder / "best.csv", keep_default_na=False)
    drawn = model.generate(len(best), seed=arguments.seed + 1, novel=False).table
    drawn = drawn.assign(objection=objections(drawn["smiles"].tolist()))
    top, top_of_prior = ten_best(best), ten_best(drawn)

    facts = json.loads((folder / "run.json").read_text())
    made = pd.read_csv(molecules)
    reached = summary(model, test, facts)
    reached += [
        ("novel, valid, unique molecules written", f"{len(made):,}"),
        ("molecules per second in generation, as a whole process", f"{len(made) / seconds:,.0f}"),
        ("mean QED of the ten best of the search", f"{top:.4f}"),
        ("mean QED of the ten best of as many prior samples", f"{top_of_prior:.4f}"),
    ]
    width = max(len(name) for name, _ in reached)
    lines = [f"{name:<{width}}  {value}" for name, value in reached]
    print("\n".join(["", f"What was reached, in {folder}:", *lines]))
    write_table(pd.DataFrame(reached, columns=["quantity", "value"]), str(folder / "reached.csv"))
    if len(made) < 1000 or top <= top_of_prior:
        sys.exit("The demonstration fell short of its promise.")


def say(*command: object) -> float:
    """Run a molvae command, showing it; the seconds it took."""
    words = ["molvae", *map(str, command)]
    print(f"\n$ {shlex.join(words)}", flush=True)
    start = time.monotonic()
    subprocess.run(words, check=True)
    return time.monotonic() - start


def two_reconstructed(model: molvae.MolVAE, test: pd.DataFrame) -> list[str]:
    """The first two held-out molecules that the model gives back exactly."""
    back = model.reconstruct(test.head(500))
    exact = back.loc[back["exact"], "smiles"].tolist()
    return (exact + back["smiles"].tolist())[:2]


def objections(smiles: list[str]) -> list[str]:
    """What the MOSES filters say of each molecule."""
    from molvae.chem.filters import objection
    from molvae.chem.molecules import parse

    return [objection(parse(one), ["moses"]) for one in smiles]


def ten_best(table: pd.DataFrame) -> float:
    """Mean QED of the ten best novel molecules that pass the filters."""
    good = table[table["novel"] & (table["objection"] == "")]
    return float(good["qed"].nlargest(10).mean())


def summary(model: molvae.MolVAE, test: pd.DataFrame, facts: dict) -> list[tuple[str, str]]:
    """What the model reaches on molecules it never saw, and from its prior."""
    report = model.report(test, seed=1)
    back, prior = report.reconstruction, report.prior
    return [
        ("molecules trained on", f"{facts['data']['train']:,}"),
        ("epochs", f"{facts['outcome']['epochs']:.1f}"),
        ("molecules per second in training", f"{facts['molecules_per_second']:,.0f}"),
        ("held-out molecules", f"{back.molecules:,}"),
        ("exact reconstruction from the mean", f"{back.exact_mean:.1%}"),
        ("exact reconstruction from a posterior sample", f"{back.exact_sampled:.1%}"),
        ("distortion, nats per molecule", f"{back.distortion:.2f}"),
        ("KL, nats per molecule", f"{back.rate:.2f}"),
        ("active units", f"{back.active_units} of {back.latent_dim}"),
        ("strings drawn from the prior at temperature 1", f"{prior.strings:,}"),
        ("  strict share", f"{prior.strict_share:.1%}"),
        ("  validity", f"{prior.validity:.1%}"),
        ("  uniqueness", f"{prior.uniqueness:.1%}"),
        ("  novelty", f"{prior.novelty:.1%}"),
    ]


if __name__ == "__main__":
    main()
