"""What the two players optimise: the value function and its variants, f-divergences, penalties, citations.

Every loss is a pure function (real_logits, fake_logits) -> one loss per sample; every penalty is a function
(critic, points) -> (logits, penalty). Nothing here knows a network, a data set or a training loop.
"""

from saddlepoint.objectives.divergences import DIVERGENCES, Divergence
from saddlepoint.objectives.penalties import PENALTIES, Critic, Penalty, between, get_penalty
from saddlepoint.objectives.references import REFERENCES, cite
from saddlepoint.objectives.value import OBJECTIVES, Objective, discriminator_probability, get, value

__all__ = [
    "DIVERGENCES",
    "OBJECTIVES",
    "PENALTIES",
    "REFERENCES",
    "Critic",
    "Divergence",
    "Objective",
    "Penalty",
    "between",
    "cite",
    "discriminator_probability",
    "get",
    "get_penalty",
    "value",
]
