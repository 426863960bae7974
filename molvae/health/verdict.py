"""What the numbers of a report mean, in words, and what to change.

Each rule is a few comparisons with a limit of one table. Several may hold; the first that does
is the headline. A latent that is alive and gives back only a part of the molecules, as after some
minutes of training, is called undertrained: more steps are what it lacks, not another setting.
What the prior gives stands behind all that: it says nothing of the latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from molvae.health.report import Finding, Report
from molvae.health.training import Training


@dataclass(frozen=True)
class Limits:
    """Where a number begins to mean something. Shares are of 1, the rest is nats per molecule.

    | limit | value | why there |
    |---|---|---|
    | `dead_rate` | 1 nat | it tells fewer than three molecules apart (e^1) |
    | `dead_gain` | 1 nat | a latent of another molecule does as well: the decoder ignores z |
    | `dead_units` | 0.05 | of the dimensions; more than 95% of the latent carry nothing |
    | `low_exact` | 0.5 | most molecules come back as another one |
    | `good_exact` | 0.8 | the best published sampled values are .7 to .95; below, steps pay |
    | `high_distortion` | 5 nats | a string comes back by a draw once in e^5 = 148 times |
    | `high_beta` | 0.2 | twice the default; at 0.3 reconstruction fell to a tenth at equal steps |
    | `still_falling` | 0.9 | of the steps: the held-out loss was lowest in the last tenth |
    | `few_epochs` | 1 | some training molecules were never seen |
    | `gap_exact` | 0.2 | one molecule in five is known by heart only |
    | `gap_distortion` | 3 nats | held-out molecules are e^3 = 20 times less likely given their z |
    | `distortion_spread` | 10 nats | between molecules; a gap must pass two standard errors |
    | `low_novelty` | 0.5 | only beside a gap: alone it shows a small chemical space just as well |
    | `low_strict` | 0.5 | most strings of the prior had to be repaired, into odd molecules |
    | `high_mismatch` | 5 nats | the latents fill one part in e^5 = 148 of the prior |
    """

    dead_rate: float = 1.0
    dead_gain: float = 1.0
    dead_units: float = 0.05
    low_exact: float = 0.5
    good_exact: float = 0.8
    high_distortion: float = 5.0
    high_beta: float = 0.2
    still_falling: float = 0.9
    few_epochs: float = 1.0
    gap_exact: float = 0.2
    gap_distortion: float = 3.0
    distortion_spread: float = 10.0
    low_novelty: float = 0.5
    low_strict: float = 0.5
    high_mismatch: float = 5.0


LIMITS = Limits()

Rule = Callable[[Report, Training], list[str]]


def collapsed(report: Report, training: Training) -> list[str]:
    """Signs that the latent says nothing of the molecule."""
    back = report.reconstruction
    signs = []
    if back.rate < LIMITS.dead_rate:
        signs.append(f"KL of {back.rate:.2f} nats")
    if back.active_units < LIMITS.dead_units * back.latent_dim:
        signs.append(f"{back.active_units} of {back.latent_dim} units active")
    if back.distortion_shuffled is not None:
        gain = back.distortion_shuffled - back.distortion
        if gain < LIMITS.dead_gain:
            signs.append(f"its own latent makes a molecule only {gain:.2f} nats likelier")
    return signs


def memorising(report: Report, training: Training) -> list[str]:
    """Signs that training molecules are known by heart."""
    back, fit = report.reconstruction, report.training
    if fit is None:
        return []
    # Two standard errors: those of a share, 0.5 / sqrt(N) each at most, and of the distortion.
    noise = 2 / math.sqrt(back.molecules)
    signs = []
    if fit.exact_mean - back.exact_mean > max(LIMITS.gap_exact, 0.5 * noise):
        signs.append(
            f"{fit.exact_mean:.0%} of training molecules come back, "
            f"{back.exact_mean:.0%} of held-out ones"
        )
    gap = max(LIMITS.gap_distortion, LIMITS.distortion_spread * noise)
    if back.distortion - fit.distortion > gap:
        signs.append(
            f"distortion of {fit.distortion:.1f} nats in training, {back.distortion:.1f} held out"
        )
    if signs and report.prior.validity > 0 and report.prior.novelty < LIMITS.low_novelty:
        signs.append(f"{report.prior.novelty:.0%} of what the prior gives is novel")
    return signs


def over_regularised(report: Report, training: Training) -> list[str]:
    """Signs that a living latent is squeezed: low reconstruction that steps alone won't mend."""
    back = report.reconstruction
    low = back.exact_mean < LIMITS.low_exact and back.distortion > LIMITS.high_distortion
    if not low or collapsed(report, training):
        return []
    heavy = training.beta is not None and training.beta > LIMITS.high_beta
    settled = not _still_falling(training) and not memorising(report, training)
    if not heavy and not settled:
        return []
    beta = "" if training.beta is None else f" at beta {training.beta:g}"
    return [
        f"{back.exact_mean:.0%} come back and the distortion is {back.distortion:.1f} nats{beta}, "
        f"with a KL of {back.rate:.1f}"
    ]


def undertrained(report: Report, training: Training) -> list[str]:
    """Signs that more steps would help."""
    exact = report.reconstruction.exact_mean
    if exact >= LIMITS.good_exact:
        return []
    signs = []
    if _still_falling(training):
        signs.append("the held-out loss was still falling at the end")
    if training.epochs is not None and training.epochs < LIMITS.few_epochs:
        signs.append(f"{training.epochs:.1f} epochs")
    others = (collapsed, memorising, over_regularised)
    if exact < LIMITS.low_exact and not any(rule(report, training) for rule in others):
        signs.append("nothing else explains it")
    return [f"{exact:.0%} of held-out molecules come back", *signs] if signs else []


def prior_misses(report: Report) -> list[str]:
    """Signs that the prior isn't where the molecules are, however good their latents may be."""
    signs = []
    if report.prior.strict_share < LIMITS.low_strict:
        signs.append(f"{report.prior.strict_share:.0%} of its strings needed no repair")
    aggregate = report.aggregate
    if signs and aggregate is not None and aggregate.kl - aggregate.floor > LIMITS.high_mismatch:
        signs.append(f"the latents lie {aggregate.kl:.1f} nats from N(0, I)")
    return signs


RULES: dict[str, tuple[Rule, str]] = {
    "collapsed": (
        collapsed,
        "Train with a smaller --beta and a longer warm-up (--set beta_warmup=0.3), "
        "or longer, if it had few steps.",
    ),
    "memorising": (
        memorising,
        "Train on more molecules, with a smaller --size or --set dropout=0.1, or fewer steps.",
    ),
    "over-regularised": (over_regularised, "Train with a smaller --beta, 0.1 or less."),
    "undertrained": (undertrained, "Train longer: more --epochs, --steps or --max-minutes."),
}
"""Name to rule and advice, the gravest first: what a latent is when nothing of it can be used,
then what spoils it, then what is only missing."""

PRIOR_MISSES = "prior misses"
ADVICE_ON_PRIOR = (
    "Keep to strict draws and filter them; a decoder trained for longer writes more of them."
)

HEALTHY = Finding("healthy", "the latent is alive, and its molecules come back", "Use it.")


def judge(report: Report, training: Training) -> tuple[Finding, ...]:
    """What holds of a latent space, the headline first; at least one.

    Args:
        report: What was measured. Its own verdict isn't looked at.
        training: What is known of the training; what isn't known is no sign of anything.
    """
    signs = {name: rule(report, training) for name, (rule, _) in RULES.items()}
    found = [
        Finding(name, ", ".join(signs[name]), advice)
        for name, (_, advice) in RULES.items()
        if signs[name]
    ]
    prior = prior_misses(report)
    about_prior = [Finding(PRIOR_MISSES, ", ".join(prior), ADVICE_ON_PRIOR)] if prior else []
    return (*(found or [HEALTHY]), *about_prior)


def _still_falling(training: Training) -> bool:
    """Whether the best weights are nearly the last ones."""
    if not training.steps or training.best_step is None:
        return False
    return training.best_step >= LIMITS.still_falling * training.steps
