"""Curves between latents, drawn between many pairs of them at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from molvae.codec import Codec

BEADS, ROUNDS = 33, 100
"""Points of the band that `dense` relaxes, ends included, and steps taken with it."""

_ENDLESS = 1e30
"""Nats that stand for infinity, with which one can't reckon."""

Curve = Callable[[Codec, np.ndarray, np.ndarray, int], np.ndarray]
"""A codec, starts (B, D), ends (B, D) and a number of points S to points (B, S, D)."""


def lerp(starts: np.ndarray, ends: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points on straight lines: (B, D), (B, D) and (S,) to (B, S, D)."""
    share = shares.astype(starts.dtype)[:, None]
    points: np.ndarray = (1 - share) * starts[:, None] + share * ends[:, None]
    return points


def slerp(starts: np.ndarray, ends: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points on great arcs (Shoemake, 1985, doi:10.1145/325165.325242).

    The direction turns evenly and the length changes evenly, so the path keeps to the
    shell on which a Gaussian prior has its mass. Where there is no arc, the line is taken.

    Args:
        starts: (B, D).
        ends: (B, D).
        shares: Of the way, (S,).

    Returns:
        (B, S, D).

    >>> slerp(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([0.5])).round(3)
    array([[[0.707, 0.707]]])
    """
    share = shares.astype(starts.dtype)[:, None]
    lengths = [np.linalg.norm(one, axis=1)[:, None, None] for one in (starts, ends)]
    one, other = (
        directions[:, None] / np.maximum(length, 1e-8)
        for directions, length in zip((starts, ends), lengths, strict=True)
    )
    angle = np.arccos(np.clip((one * other).sum(axis=-1, keepdims=True), -1, 1))  # (B, 1, 1)
    sine = np.sin(angle)
    turned = np.sin((1 - share) * angle) * one + np.sin(share * angle) * other
    points = turned / np.maximum(sine, 1e-6) * ((1 - share) * lengths[0] + share * lengths[1])
    an_arc = (sine >= 1e-6) & (np.minimum(*lengths) >= 1e-8)
    return np.where(an_arc, points, lerp(starts, ends, shares))


def dense(codec: Codec, starts: np.ndarray, ends: np.ndarray, count: int) -> np.ndarray:
    """Paths through the dense part of the prior, evenly spaced, (B, S, D).

    A great arc is relaxed as an elastic band; see `relaxed`. Where the prior is N(0, I) an arc
    is nowhere less dense than its ends, so it stays as it is.
    """
    arcs = slerp(starts, ends, np.linspace(0, 1, BEADS))
    arcs[:, 0], arcs[:, -1] = starts, ends
    return evenly(relaxed(codec, arcs), count)


def relaxed(codec: Codec, bands: np.ndarray, rounds: int = ROUNDS) -> np.ndarray:
    """Move bands with fixed ends to where the prior is as dense as at their ends.

    Each point is pushed up the slope of log p(z), but not along its band, and the points are put
    at equal distances again (Henkelman and Jónsson, 2000, doi:10.1063/1.1323224; E, Ren and
    Vanden-Eijnden, 2002, doi:10.1103/PhysRevB.66.052301). A point that is as dense as its ends
    are (between them, in proportion) isn't pushed: the peak of a prior of many dimensions is far
    from its mass, and all paths would lead there.

    No point moves further at a time than its neighbours are away; a step that doesn't lessen what
    the band lacks is taken back and the next is half as long. So any density is climbed without
    choosing a rate, and the band never ends up worse than it began.

    Args:
        codec: Of the model.
        bands: (B, S, D).
        rounds: Steps to take.
    """
    bands = evenly(bands, bands.shape[1])
    at_ends = _log_density(codec, bands[:, [0, -1]])  # (B, 2)
    ceilings = lerp(at_ends[:, :1], at_ends[:, 1:], np.linspace(0, 1, bands.shape[1]))[..., 0]
    deficits = ceilings - _log_density(codec, bands)
    rates = np.full(len(bands), np.inf)
    for _ in range(rounds):
        push = _push(codec, bands, deficits)
        rates = np.minimum(rates, _longest(bands, push))
        moved = evenly(bands + rates[:, None, None] * push, bands.shape[1])
        after = ceilings - _log_density(codec, moved)
        better = _lacking(after) < _lacking(deficits)
        bands = np.where(better[:, None, None], moved, bands)
        deficits = np.where(better[:, None], after, deficits)
        rates *= np.where(better, 1.5, 0.5)
    return bands


def evenly(chains: np.ndarray, count: int) -> np.ndarray:
    """Points at equal distances along chains of straight lines: (B, S, D) to (B, count, D)."""
    steps = np.linalg.norm(np.diff(chains, axis=1), axis=-1)  # (B, S - 1)
    passed = np.concatenate([np.zeros_like(steps[:, :1]), np.cumsum(steps, axis=1)], axis=1)
    wanted = np.linspace(0, 1, count) * passed[:, -1:]  # (B, count)
    before = (passed[:, None, 1:-1] <= wanted[:, :, None]).sum(axis=-1)  # (B, count)
    length = np.take_along_axis(steps, before, axis=1)
    beyond = wanted - np.take_along_axis(passed, before, axis=1)
    share = np.clip(beyond / np.where(length > 0, length, 1), 0, 1)[:, :, None]
    left, right = (
        np.take_along_axis(chains, places[:, :, None], axis=1) for places in (before, before + 1)
    )
    points: np.ndarray = ((1 - share) * left + share * right).astype(chains.dtype)
    points[:, [0, -1]] = chains[:, [0, -1]]
    return points


def _push(codec: Codec, bands: np.ndarray, deficits: np.ndarray) -> np.ndarray:
    """The way up, across each band, where it lacks density: (B, S, D) and (B, S) to (B, S, D)."""
    slope = codec.density_slope(_rows(bands)).reshape(bands.shape)
    slope = np.nan_to_num(slope, posinf=0, neginf=0)  # as a flow may say of what it never saw
    tangent = np.zeros_like(bands)
    tangent[:, 1:-1] = bands[:, 2:] - bands[:, :-2]
    tangent /= np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-12)
    across = slope - (slope * tangent).sum(axis=-1, keepdims=True) * tangent
    push: np.ndarray = np.clip(deficits, 0, 1)[:, :, None] * across
    push[:, [0, -1]] = 0
    return push


def _longest(bands: np.ndarray, push: np.ndarray) -> np.ndarray:
    """The rate at which the point pushed most moves as far as its neighbours are away, (B,)."""
    apart = np.linalg.norm(np.diff(bands, axis=1), axis=-1).mean(axis=1)
    most = np.linalg.norm(push, axis=-1).max(axis=1)
    rate: np.ndarray = np.divide(apart, most, out=np.zeros(len(bands)), where=most > 0)
    return rate


def _lacking(deficits: np.ndarray) -> np.ndarray:
    """What bands lack in density on average, (B, S) nats to (B,): the loss that `_push` lessens.

    Huber's, so that the push ends smoothly in the last nat.
    """
    lack = np.clip(deficits, 0, None)
    loss: np.ndarray = np.where(lack < 1, lack**2 / 2, lack - 0.5).mean(axis=1)
    return loss


def _log_density(codec: Codec, points: np.ndarray) -> np.ndarray:
    """Log p(z) of points, (B, S, D) to (B, S), in nats; where it isn't a number, none at all."""
    density = codec.log_density(_rows(points)).astype(np.float64).reshape(points.shape[:2])
    finite: np.ndarray = np.nan_to_num(density, nan=-_ENDLESS, posinf=_ENDLESS, neginf=-_ENDLESS)
    return finite


def _rows(points: np.ndarray) -> np.ndarray:
    """Points as the codec takes them: (B, S, D) to (B * S, D) float32."""
    return points.reshape(-1, points.shape[-1]).astype(np.float32)


def _slerp(codec: Codec, starts: np.ndarray, ends: np.ndarray, count: int) -> np.ndarray:
    return slerp(starts, ends, np.linspace(0, 1, count))


def _lerp(codec: Codec, starts: np.ndarray, ends: np.ndarray, count: int) -> np.ndarray:
    return lerp(starts, ends, np.linspace(0, 1, count))


CURVES: dict[str, Curve] = {"slerp": _slerp, "lerp": _lerp, "dense": dense}
"""Name to curve; the names are also values of ``--path``."""
