"""Processes that train one network together, through torch's DistributedDataParallel."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException, spawn
from torch.nn.parallel import DistributedDataParallel

from molvae.corpus.batches import Batch
from molvae.errors import TrainingError
from molvae.interrupts import handled
from molvae.parallel import available_cores


@dataclass(frozen=True)
class Team:
    """The processes of a training run, or a single one.

    Every process draws the same batches and works on its own rows of each, so that the averaged
    gradients are those that one process would have.

    Attributes:
        rank: This process, from 0.
        size: All of them.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def present(cls) -> Team:
        """The team that this process is in: of `launch`, of torchrun, or of itself alone."""
        if not distributed.is_available():
            return cls()
        if not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            distributed.init_process_group()
        if not distributed.is_initialized():
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are averaged over the team."""
        return module if self.size == 1 else DistributedDataParallel(module)

    def rows(self, count: int) -> np.ndarray:
        """This process's rows of so many; the first when there are too few for it."""
        own = np.arange(self.rank, count, self.size)
        return own if len(own) else np.zeros(1, dtype=np.int64)

    def share(self, count: int) -> float:
        """This process's share of so many rows; the shares of a team add up to 1."""
        return len(range(self.rank, count, self.size)) / count

    def part(self, batch: Batch) -> Batch:
        """This process's rows of a batch."""
        if self.size == 1:
            return batch
        rows = self.rows(len(batch.lengths))
        inputs = batch.inputs and (batch.inputs[0][rows], batch.inputs[1][rows])
        return replace(
            batch,
            token_ids=batch.token_ids[rows],
            lengths=batch.lengths[rows],
            properties=batch.properties[rows],
            inputs=inputs,
        )

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the team, in each process."""
        if self.size == 1:
            return values
        shared = values.to(_place(values.device), copy=True)  # it is summed in place
        distributed.all_reduce(shared)
        return shared.to(values.device)

    def largest(self, *values: float) -> list[float]:
        """The largest over the team of each value, in each process."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=_place(torch.device("cpu")))
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
        found: list[float] = shared.tolist()
        return found

    def meet(self) -> None:
        """Wait until all have come here."""
        self.largest(0.0)


def _place(device: torch.device) -> torch.device:
    """Where the processes can exchange a tensor of a device."""
    return torch.device("cuda") if distributed.get_backend() == "nccl" else device


def launch(work: Callable[..., None], size: int, meeting: str, *arguments: Any) -> None:
    """Run a function in so many processes, which are a team; return when all have ended.

    Args:
        work: A function of a module, called as ``work(*arguments)`` in each process.
        size: Processes.
        meeting: The path of a file that isn't there, by which they find each other.
        arguments: What can be pickled.

    Raises:
        TrainingError: When one of them ends before its work does.
        KeyboardInterrupt: When that was asked for by Ctrl-C or SIGTERM, which are handed on.
    """
    threads = max(1, available_cores() // size)
    # Born deaf to Ctrl-C, the processes hear it when they train; until then SIGTERM ends them.
    prepared = nullcontext() if work.__module__ == "__main__" else _main_hidden()
    with prepared, handled({signal.SIGINT: signal.SIG_IGN}):
        started = spawn(  # type: ignore[no-untyped-call]
            _join, (size, threads, meeting, work, arguments), size, join=False
        )
    asked = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for process in started.processes:
            process.terminate()

    with handled({signal.SIGINT: hand_on, signal.SIGTERM: hand_on}):
        try:
            while not started.join():
                pass
        except ProcessException as error:
            if asked:  # one that ends before it listens cuts the others off
                raise KeyboardInterrupt from None
            if not isinstance(error, ProcessExitedException):
                raise
            raise TrainingError(
                "A process of the team was ended from outside, perhaps for want of memory."
            ) from None


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Let processes start without running the user's script or notebook again.

    They run molvae's own code alone, and a script may lack the guard that would stop it there.
    """
    main: dict[str, Any] = vars(sys.modules["__main__"])
    shown: dict[str, Any] = {one: main[one] for one in ("__spec__", "__file__") if one in main}
    main["__spec__"] = main["__file__"] = None
    try:
        yield
    finally:
        main.pop("__file__")
        main.update(shown)


def _join(
    rank: int,
    size: int,
    threads: int,
    meeting: str,
    work: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    on_gpus = torch.cuda.is_available() and torch.cuda.device_count() >= size
    if on_gpus:
        torch.cuda.set_device(rank)
    else:
        torch.set_num_threads(threads)
    distributed.init_process_group(
        "nccl" if on_gpus else "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size
    )
    work(*arguments)
    gc.collect()  # what still averages gradients must be gone before its connections are
    distributed.barrier()  # and nobody hangs up on the others
    distributed.destroy_process_group()
