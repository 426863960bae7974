"""Which number format the matrix products run in, and the fp32 weights behind them."""

from __future__ import annotations

import copy
import time

import torch
from torch import nn

from molvae.network.vae import SequenceVAE


def choose(precision: str, device: torch.device) -> torch.dtype:
    """The type to train in.

    ``auto`` takes bf16 where a GRU's forward and backward pass is measured to be at least
    1.2 times faster with it than with fp32: many processors only emulate it.
    """
    if precision == "fp32":
        return torch.float32
    if precision == "bf16":
        return torch.bfloat16
    if device.type not in ("cpu", "cuda"):
        return torch.float32
    # Where it is emulated, a glance tells, and the whole measurement would take seconds.
    for batch, least in ((16, 0.5), (256, 1.2)):
        if _gru_seconds(torch.float32, device, batch) < least * _gru_seconds(
            torch.bfloat16, device, batch
        ):
            return torch.float32
    return torch.bfloat16


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device is a processor that multiplies bf16 matrices, by AMX or by AVX-512.

    A GRU writes two to three times as many strings so, whose share that comes back is the same; on
    a GPU starting the kernels takes the time. What is known beforehand decides, not a measurement:
    a seed means the same molecules at each start.
    """
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    has = torch.cpu.get_capabilities()
    return bool(has.get("amx_bf16") or has.get("avx512_bf16"))


def _gru_seconds(dtype: torch.dtype, device: torch.device, batch: int) -> float:
    gru = nn.GRU(128, 512, batch_first=True).to(device, dtype)
    values = torch.zeros(batch, 8, 128, device=device, dtype=dtype)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        gru(values)[0].float().sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


class MasterWeights:
    """A network to compute with, and the fp32 weights that the optimiser moves.

    Args:
        network: The fp32 network; it is the one that is trained.
        dtype: Of the copy that computes; with fp32 the network computes itself.

    Attributes:
        network: The fp32 network.
        working: The network to run forward and backward.
    """

    def __init__(self, network: SequenceVAE, dtype: torch.dtype) -> None:
        self.network = network
        self.working = network if dtype == torch.float32 else copy.deepcopy(network).to(dtype)

    def collect_gradients(self) -> None:
        """Move the gradients of the working network to the fp32 weights."""
        if self.working is self.network:
            return
        for master, weight in self._pairs():
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None

    @torch.no_grad()
    def spread_weights(self) -> None:
        """Give the working network the present fp32 weights."""
        if self.working is self.network:
            return
        for master, weight in self._pairs():
            weight.copy_(master)

    def _pairs(self) -> zip[tuple[nn.Parameter, nn.Parameter]]:
        return zip(self.network.parameters(), self.working.parameters(), strict=True)
