r"""The value function of the game and the losses that descend from it.

Goodfellow et al. 2014 (arXiv:1406.2661), equation 1, with D(x) = sigmoid(logit):

    min_G max_D V(D, G) = E_data[log D(x)] + E_z[log(1 - D(G(z)))].

At D* = p/(p+q), p the data and q the generator (proposition 1), V = 2 JSD(p, q) - log 4 (theorem 1).

An objective is two losses, both functions of (real_logits, fake_logits), unreduced. What G minimises
depends on both: G sees D held still, so the functional of q named in `Objective.divergence` is the one
whose gradient G's loss follows when D is at its optimum for the current q. Where G's loss is minus D's,
that is D's best value itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from saddlepoint.errors import InputError, nearest
from saddlepoint.objectives import divergences
from saddlepoint.objectives.divergences import Divergence, Function, Loss, paired


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The losses of both players, as functions (real_logits, fake_logits) -> one loss per sample, in nats.

    Where `generator_needs_real` is False, G's loss does not read its first argument: any tensor will do
    there. Where `batch_averaged` is True, a sample's loss depends on the rest of its batch.
    `optimum_logit`, where there is a closed form, maps log p/q to D's best logit (up to an added constant
    for the relativistic pairing).
    """

    name: str
    discriminator_loss: Loss
    generator_loss: Loss
    generator_needs_real: bool = False
    batch_averaged: bool = False
    divergence: str
    optimum: str
    optimum_logit: Function | None = None
    references: tuple[str, ...]


def discriminator_probability(logits: Tensor) -> Tensor:
    """Return D(x) = sigmoid(logit), the probability that a sample is real, of the logits' shape.

    It is p/(p+q) at the optimum of every objective whose best logit is log(p/q); for the others it is only
    a squash.
    """
    return logits.sigmoid()


@paired
def value(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return log D(x) + log(1 - D(G(z))) for each pair, in nats: -log 4 at logit 0, never above 0.

    Goodfellow et al. 2014, equation 1. Raises an InputError for logits of different shapes.
    """
    # log(1 - sigmoid(v)) = logsigmoid(-v); F.softplus would drop the tail beyond 20, which float64 still
    # sees.
    return F.logsigmoid(real_logits) + F.logsigmoid(-fake_logits)


def minimax_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return -V for each pair: the logistic loss of telling real (1) from fake (0)."""
    return -value(real_logits, fake_logits)


def minimax_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return log(1 - D(G(z))) for each fake: G's share of V."""
    return F.logsigmoid(-fake_logits)


def non_saturating_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return -log D(G(z)) for each fake: minimax's gradient times (1 - D)/D.

    Goodfellow et al. 2014, section 3.
    """
    return -F.logsigmoid(fake_logits)


@paired
def least_squares_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return (D(x) - 1)²/2 + D(G(z))²/2 for each pair: Mao et al. 2017, equation 2, labels a = 0, b = 1.

    Their Pearson argument (section 3.2) needs labels b - c = 1 and b - a = 2, as a = -1, b = 1, c = 0;
    with the 0/1 labels used here and in their experiments, see `LEAST_SQUARES.divergence`.
    """
    return ((real_logits - 1) ** 2 + fake_logits**2) / 2


def least_squares_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return (D(G(z)) - 1)²/2 for each fake: Mao et al. 2017, equation 2, label c = 1."""
    return (fake_logits - 1) ** 2 / 2


@paired
def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return max(0, 1 - D(x)) + max(0, 1 + D(G(z))) for each pair (Lim and Ye 2017; Miyato et al. 2018)."""
    return F.relu(1 - real_logits) + F.relu(1 + fake_logits)


@paired
def wasserstein_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return D(G(z)) - D(x) for each pair (Arjovsky et al. 2017, equation 2); D must be kept 1-Lipschitz."""
    return fake_logits - real_logits


def linear_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return -D(G(z)) for each fake: G's loss with the hinge and with Wasserstein."""
    return -fake_logits


@paired
def relativistic_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(x) - D(G(z))) for each pair (Jolicoeur-Martineau 2018, section 4)."""
    return -F.logsigmoid(real_logits - fake_logits)


@paired
def relativistic_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(G(z)) - D(x)) for each pair (Jolicoeur-Martineau 2018, section 4)."""
    return -F.logsigmoid(fake_logits - real_logits)


@paired
def relativistic_average_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(x) - mean D(G(z))) - log(1 - sigmoid(D(G(z)) - mean D(x))) for each pair.

    Jolicoeur-Martineau 2018, section 4 (RaSGAN); the means run over the whole batch and carry gradients.
    """
    return -F.logsigmoid(real_logits - fake_logits.mean()) - F.logsigmoid(real_logits.mean() - fake_logits)


@paired
def relativistic_average_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return D's loss with real and fake exchanged, for each pair."""
    return relativistic_average_discriminator_loss(fake_logits, real_logits)


MINIMAX = Objective(
    name="minimax",
    discriminator_loss=minimax_discriminator_loss,
    generator_loss=minimax_generator_loss,
    divergence="2 JSD(p, q) − log 4",
    optimum="log(p/q), so D = p/(p+q)",
    optimum_logit=lambda log_ratio: log_ratio,
    references=("goodfellow2014",),
)
NON_SATURATING = Objective(
    name="non-saturating",
    discriminator_loss=minimax_discriminator_loss,
    generator_loss=non_saturating_generator_loss,
    divergence="KL(q‖p) − 2 JSD(p, q)",
    optimum="log(p/q), so D = p/(p+q)",
    optimum_logit=lambda log_ratio: log_ratio,
    references=("goodfellow2014", "arjovsky2017principled"),
)
LEAST_SQUARES = Objective(
    name="least-squares",
    discriminator_loss=least_squares_discriminator_loss,
    generator_loss=least_squares_generator_loss,
    divergence="KL(p‖m) − ⅛ ∫ (p−q)²/(p+q), m = (p+q)/2 (labels 0 and 1)",
    optimum="p/(p+q), as a logit",
    optimum_logit=lambda log_ratio: log_ratio.sigmoid(),
    references=("mao2017",),
)
HINGE = Objective(
    name="hinge",
    discriminator_loss=hinge_discriminator_loss,
    generator_loss=linear_generator_loss,
    divergence="2 TV(p, q) = ∫ |p − q|",
    optimum="sign(p − q)",
    optimum_logit=lambda log_ratio: log_ratio.sign(),
    references=("lim2017", "miyato2018"),
)
WASSERSTEIN = Objective(
    name="wasserstein",
    discriminator_loss=wasserstein_discriminator_loss,
    generator_loss=linear_generator_loss,
    divergence="W₁(p, q), over 1-Lipschitz D",
    optimum="a Kantorovich potential, up to an added constant; none without a Lipschitz bound",
    references=("arjovsky2017",),
)
RELATIVISTIC = Objective(
    name="relativistic",
    discriminator_loss=relativistic_discriminator_loss,
    generator_loss=relativistic_generator_loss,
    generator_needs_real=True,
    divergence="KL(q‖p) − JSD(p⊗q, q⊗p)",
    optimum="log(p/q), up to an added constant",
    optimum_logit=lambda log_ratio: log_ratio,
    references=("jolicoeur2018", "sun2020", "huang2024"),
)
RELATIVISTIC_AVERAGE = Objective(
    name="relativistic-average",
    discriminator_loss=relativistic_average_discriminator_loss,
    generator_loss=relativistic_average_generator_loss,
    generator_needs_real=True,
    batch_averaged=True,
    divergence="no closed form; a divergence of p and q (Jolicoeur-Martineau 2020)",
    optimum="no closed form",
    references=("jolicoeur2018", "jolicoeur2020"),
)


def game_of(divergence: Divergence) -> Objective:
    """Return the game whose value is an f-divergence (Nowozin et al. 2016, section 2): G minimises D_f."""
    return Objective(
        name=divergence.name,
        discriminator_loss=divergence.discriminator_loss,
        generator_loss=divergence.generator_loss,
        divergence=divergence.formula,
        optimum=divergence.optimum,
        optimum_logit=divergence.optimum_logit,
        references=("nowozin2016", "nguyen2010"),
    )


OBJECTIVES: dict[str, Objective] = {
    "minimax": MINIMAX,
    "non-saturating": NON_SATURATING,
    "least-squares": LEAST_SQUARES,
    "hinge": HINGE,
    "wasserstein": WASSERSTEIN,
    "relativistic": RELATIVISTIC,
    "relativistic-average": RELATIVISTIC_AVERAGE,
    "kl": game_of(divergences.KL),
    "reverse-kl": game_of(divergences.REVERSE_KL),
    "jensen-shannon": game_of(divergences.JENSEN_SHANNON),
    "squared-hellinger": game_of(divergences.SQUARED_HELLINGER),
    "pearson": game_of(divergences.PEARSON),
    "total-variation": game_of(divergences.TOTAL_VARIATION),
}


def get(name: str) -> Objective:
    """Return the objective of this name.

    Raises:
        InputError: there is none; the message names the nearest one and all of them.

    >>> get("minimax").divergence
    '2 JSD(p, q) − log 4'
    """
    if name not in OBJECTIVES:
        raise InputError(
            f"No objective is called {name!r}{nearest(name, tuple(OBJECTIVES)) or '.'} "
            f"The objectives are {', '.join(OBJECTIVES)}."
        )
    return OBJECTIVES[name]
