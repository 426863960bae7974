"""A report in lines for people.

It is read as the JSON values that a model file stores, some of which older programs didn't
write: a section that isn't there has no lines.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from molvae.health.reconstruction import MOST_OF_IT, dimensions_for
from molvae.latent.sources import ECHO

Values = Mapping[str, Any]

WIDTH, NAME = 100, 24
"""Columns of a line, and of the name of a measure."""


def lines_of(report: Values) -> list[str]:
    """The lines of a report, the verdict first."""
    return [
        *_verdict(report),
        f"on {report['reconstruction']['molecules']:,} held-out molecules",
        *_reconstruction(report["reconstruction"]),
        *_section(report, "training"),
        *_section(report, "aggregate"),
        *_heads(report),
        *_section(report, "agreement"),
        *_falloff(report),
        *_prior(report["prior"]),
        *_shifts(report),
    ]


def _verdict(report: Values) -> list[str]:
    lines = []
    for place, finding in enumerate(report.get("verdict") or []):
        text = f"{finding['name']}: {finding['why']}. {finding['advice']}"
        label = "verdict" if place == 0 else "and"
        lines += textwrap.wrap(
            text, WIDTH, initial_indent=f"{label:<16}", subsequent_indent=16 * " "
        )
    return lines


def _reconstruction(back: Values) -> list[str]:
    lines = [
        _line(
            "exact reconstruction",
            f"{back['exact_mean']:.1%} from the mean, {back['exact_sampled']:.1%} from a draw",
        ),
        _line(
            "distortion and KL",
            f"{back['distortion']:.2f} and {back['rate']:.2f} nats a molecule",
        ),
    ]
    if back.get("distortion_shuffled") is not None:
        value = f"{back['distortion_shuffled']:.2f} nats"
        lines.append(_line("with another's latent", f"a distortion of {value}"))
    if back.get("rate_by_dimension"):
        rates = np.array(back["rate_by_dimension"])
        lines.append(
            _line(
                "KL by dimension",
                f"{dimensions_for(rates)} of {len(rates)} carry {MOST_OF_IT:.0%} of it, "
                f"the largest {rates.max():.2f} nats",
            )
        )
    return [*lines, _line("active units", f"{back['active_units']} of {back['latent_dim']}")]


_SECTIONS: dict[str, tuple[str, Callable[[Values], str]]] = {
    "training": (
        "in training",
        lambda fit: (
            f"{fit['exact_mean']:.1%} from the mean, distortion {fit['distortion']:.2f} nats, "
            f"on {fit['molecules']:,} molecules"
        ),
    ),
    "aggregate": (
        "latents to N(0, I)",
        lambda found: (
            f"{found['kl']:.2f} nats, {found['kl_of_mean']:.2f} of them by the mean "
            f"(chance alone: {found['floor']:.2f})"
        ),
    ),
    "agreement": (
        "ten decodes of one z",
        lambda found: (
            f"{found['held_out']:.1%} of pairs the same molecule; "
            f"{found['prior']:.1%} for z of the prior"
        ),
    ),
}
"""Sections of a line: what it is called, and what it says."""


def _section(report: Values, key: str) -> list[str]:
    name, say = _SECTIONS[key]
    section = report.get(key)
    return [_line(name, say(section))] if section else []


def _heads(report: Values) -> list[str]:
    lines = []
    for head in report["heads"]:
        r2 = "undefined" if head["r2"] is None else f"{head['r2']:.3f}"
        labels = "" if head.get("labels") is None else f", {head['labels']:,} in training"
        weak = "; too weak to guide" if head.get("too_weak_to_guide") else ""
        value = f"R2 {r2}, MAE {head['mae']:.3g}, {head['molecules']:,} values{labels}{weak}"
        lines.append(f"  head {head['name']:<16} {value}")
    return lines


def _falloff(report: Values) -> list[str]:
    falloff = report.get("falloff")
    if not falloff:
        return []
    steps = falloff["steps"]
    noises, similarities, strict = (
        "".join(f"{value:>7}" for value in values)
        for values in (
            [f"{step['noise']:g}" for step in steps],
            [f"{step['similarity']:.2f}" for step in steps],
            [f"{step['strict_share']:.0%}" for step in steps],
        )
    )
    strangers = falloff["strangers"]
    end = "" if strangers is None else f"   (two molecules: {strangers:.2f})"
    return [
        _line("noise, in deviations", noises),
        _line("  Tanimoto to start", similarities + end),
        _line("  strict", strict),
    ]


def _prior(prior: Values) -> list[str]:
    return [
        f"on {prior['strings']:,} strings from {_source(prior)} at temperature 1{_noise(prior)}",
        f"  strict {prior['strict_share']:.1%}, valid {prior['validity']:.1%}, "
        f"unique {prior['uniqueness']:.1%}, novel {prior['novelty']:.1%}",
    ]


def _shifts(report: Values) -> list[str]:
    return [
        _line(
            f"mean {shift['name'].replace('_', ' ')}",
            f"{shift['generated']:.2f}, held out {shift['held_out']:.2f}",
        )
        for shift in report.get("shifts") or []
        if shift["generated"] is not None
    ]


def _line(name: str, value: str) -> str:
    return f"  {name:<{NAME - 2}}{value}"


def _source(prior: Values) -> str:
    """What their latents were drawn from; reports made before there was a choice have none."""
    return "an echo" if prior.get("source") == ECHO else "the prior"


def _noise(prior: Values) -> str:
    """What is told of the noise of its latents; reports made before there was any have none."""
    return f" and noise {prior['noise']:g}" if prior.get("noise") else ""
