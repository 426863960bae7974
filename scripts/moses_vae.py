"""Train the VAE of MOSES 0.3.1 by its own trainer for a while, and tell how fast that was.

Run by scripts/bench_training.py in an environment that has the package:

    python scripts/moses_vae.py molecules.txt result.json --seconds 45 --threads 2

The text file holds a SMILES a line. Any option of the package's own parser may follow, such as
``--d_d_h 280``; the rest has its defaults. Nothing of the package is changed: what it needs of
libraries and is gone is put back before it is imported, and the progress bar of its loop, through
which each batch goes, holds the stopwatch and is drawn to nowhere.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from originals import put_back_what_is_gone
from stopwatch import Stopwatch
from tqdm import tqdm


class TimeUp(Exception):  # noqa: N818  (nothing is wrong)
    """Enough is measured: the only way out of the trainer's loop."""


def main() -> None:
    """Train, and write what was measured."""
    put_back_what_is_gone()
    from moses.script_utils import set_seed
    from moses.vae import VAE, VAETrainer, vae_parser

    parser = vae_parser(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument("molecules", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    config = parser.parse_args()
    config.model_save = config.log_file = None  # nothing is written: only the steps are timed
    torch.set_num_threads(config.threads)
    set_seed(config.seed)
    smiles = config.molecules.read_text(encoding="utf-8").split("\n")
    trainer = VAETrainer(config)
    model = VAE(trainer.get_vocabulary(smiles), config)
    stopwatch = Stopwatch(config.seconds)
    put_stopwatch_in_place(stopwatch)
    with contextlib.suppress(TimeUp):
        trainer.fit(model, smiles)
    measured = {
        **asdict(stopwatch),
        "weights": sum(one.numel() for one in model.parameters()),
        "batch_size": config.n_batch,
        "precision": str(next(model.parameters()).dtype).replace("torch.float", "fp"),
    }
    config.result.write_text(json.dumps(measured), encoding="utf-8")


def put_stopwatch_in_place(stopwatch: Stopwatch) -> None:
    """Let the bar that the trainer draws its batches through tell the stopwatch of each step."""
    from moses.vae import trainer

    nowhere = Path(os.devnull).open("w")  # noqa: SIM115  (until the process ends)

    class Bar(tqdm):
        """The trainer's bar."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, file=nowhere, **options)

        def __iter__(self) -> Iterator[Any]:
            for batch in super().__iter__():
                yield batch
                stopwatch.step(len(batch), sum(map(len, batch)))
                if stopwatch.over:
                    raise TimeUp

    trainer.tqdm = Bar


if __name__ == "__main__":
    main()
