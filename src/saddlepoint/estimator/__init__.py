"""`GAN`, the game with scikit-learn's manners; `load` gives a fitted one back, `cite` names the papers behind it."""

from saddlepoint.estimator.citing import cite
from saddlepoint.estimator.gan import GAN
from saddlepoint.estimator.stored import load

__all__ = ["GAN", "cite", "load"]
