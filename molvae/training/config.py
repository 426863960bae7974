"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from molvae.settings import require

PRECISIONS = ("auto", "fp32", "bf16")

LARGEST_BATCH = 128
"""The batch size unless another is asked for or the data are few."""

MOST_DRAWS = 20
"""Of a labelled molecule in an epoch, so that a handful isn't learned by heart."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
        batch_size: Molecules a step; by default 128, or less so that an epoch has ten steps.
        learning_rate: The highest of the schedule; it warms up, then falls to zero as a cosine.
        beta: Weight of the KL in ELBO units, reached after the warm-up.
        beta_warmup: Share of the steps, or of each cycle, over which beta rises from 0.
        beta_cycles: How often it does (Fu et al., 2019, arXiv:1903.10145).
        free_bits: Nats of each dimension that cost nothing (Kingma et al., 2016,
            arXiv:1606.04934).
        target_reconstruction: Share of the training molecules that a draw from the posterior gives
            back exactly; a controller moves beta so that it is held.
        target_rate: KL in nats per molecule that is held instead.
        corruption: Share of the encoder's input tokens that are exchanged, dropped or masked, while
            the decoder writes the clean string; drawn anew for each molecule, up to twice that.
        random_order: Share of the molecules that the encoder reads in a random order of the atoms,
            while the decoder writes the canonical one.
        noise_share: Share of the molecules that are decoded a second time, from a latent with noise
            in it, so that the decoder knows what is left to tell at any noise level; 0 for a
            decoder that knows nothing of noise.
        property_weight: Weight of each property's error, a mean over the molecules that have a
            value; where these are fewer than one in a hundred, as if they were that many.
        labelled_share: Share of the drawn molecules that have a value of a property, at least:
            where they are fewer, an epoch draws each of them several times, 20 at most.
        weight_decay: Of AdamW.
        clip: Largest norm of the gradient.
        epochs: Passes over the training molecules; by default 20, and no fewer than 3,000 steps.
        steps: Steps, in place of epochs.
        max_minutes: The schedule is laid out to end by then, if that is sooner.
        patience: Looks at the held-out molecules without gain before training stops.
        state_every: Steps between state points; one more at the end of each epoch.
        state_seconds: No two state points are closer in time.
        precision: bf16 or fp32 for the matrix products; auto measures which is faster.
        seed: Of everything random.
    """

    batch_size: int | None = None
    learning_rate: float = 2e-3
    beta: float = 0.1
    beta_warmup: float = 0.1
    beta_cycles: int = 1
    free_bits: float = 0.0
    target_reconstruction: float | None = None
    target_rate: float | None = None
    corruption: float = 0.0
    random_order: float = 0.0
    noise_share: float = 0.3
    property_weight: float = 1.0
    labelled_share: float = 0.5
    weight_decay: float = 1e-4
    clip: float = 5.0
    epochs: float | None = None
    steps: int | None = None
    max_minutes: float | None = None
    patience: int = 5
    state_every: int = 500
    state_seconds: float = 5.0
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.batch_size is None or self.batch_size >= 1, "batch_size is 1 or more.")
        require(self.learning_rate > 0, "learning_rate must be above 0.")
        require(self.beta >= 0, "beta can't be below 0.")
        require(0 <= self.beta_warmup <= 1, "beta_warmup is a share from 0 to 1.")
        require(self.beta_cycles >= 1, "beta_cycles is 1 or more.")
        require(self.free_bits >= 0, "free_bits can't be below 0.")
        exact, rate = self.target_reconstruction, self.target_rate
        require(exact is None or 0 < exact < 1, "target_reconstruction is a share between 0 and 1.")
        require(rate is None or rate > 0, "target_rate must be above 0.")
        require(exact is None or rate is None, "Give one target, of reconstruction or of the rate.")
        require(0 <= self.corruption <= 0.5, "corruption is a share from 0 to 0.5.")
        require(0 <= self.random_order <= 1, "random_order is a share from 0 to 1.")
        require(0 <= self.noise_share <= 1, "noise_share is a share from 0 to 1.")
        require(self.state_every >= 1, "state_every is 1 or more.")
        require(self.state_seconds >= 0, "state_seconds can't be below 0.")
        require(self.property_weight >= 0, "property_weight can't be below 0.")
        share = self.labelled_share
        require(0 <= share < 1, "labelled_share is a share from 0 to below 1.")
        require(self.weight_decay >= 0, "weight_decay can't be below 0.")
        require(self.clip > 0, "clip must be above 0.")
        require(self.epochs is None or self.epochs > 0, "epochs must be above 0.")
        require(self.steps is None or self.steps >= 1, "steps is 1 or more.")
        require(self.epochs is None or self.steps is None, "Give epochs or steps, not both.")
        require(self.max_minutes is None or self.max_minutes > 0, "max_minutes must be above 0.")
        require(self.patience >= 1, "patience is 1 or more.")
        require(
            self.precision in PRECISIONS,
            f"precision is one of {', '.join(PRECISIONS)}, not {self.precision!r}.",
        )

    def batch_size_for(self, molecules: int) -> int:
        """The batch size for that many training molecules."""
        return self.batch_size or min(LARGEST_BATCH, -(-molecules // 10))

    def draws(self, labelled: int, molecules: int) -> int:
        """How often an epoch draws each labelled molecule among so many training molecules.

        >>> TrainingConfig(labelled_share=0.5).draws(200, 1000)
        4
        """
        if not labelled:
            return 1
        share = self.labelled_share
        wanted = share / (1 - share) * (molecules - labelled) / labelled
        return max(1, min(MOST_DRAWS, round(wanted)))

    def planned_steps(self, steps_per_epoch: int) -> int:
        """The steps to take when no clock stops them sooner.

        Without epochs or steps given: 20 epochs, and no fewer than 3,000 steps.
        """
        if self.steps is not None:
            return self.steps
        if self.epochs is not None:
            return max(1, round(self.epochs * steps_per_epoch))
        return max(3_000, 20 * steps_per_epoch)
