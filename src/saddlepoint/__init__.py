"""Generative Adversarial Nets for points, pictures and tables: train, sample, and measure the distance to the data.

    import saddlepoint as sp

    gan = sp.GAN(random_state=0).fit(X)         # X: numbers (n, d), a frame, or pictures (n, H, W[, C])
    gan.sample(100)
    sp.judge(real, fake)                        # the distance of fake rows from real ones, from any source
    sp.training.play(G, D, batches, settings=sp.training.Settings(horizon=1000))

Names are loaded when they are first used, so that `import saddlepoint` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from saddlepoint.version import __version__

if TYPE_CHECKING:
    from saddlepoint import objectives as objectives
    from saddlepoint import training as training
    from saddlepoint.estimator import GAN as GAN
    from saddlepoint.estimator import cite as cite
    from saddlepoint.estimator import load as load
    from saddlepoint.judging import judge as judge
    from saddlepoint.model import Model as Model

_MODULE_OF = {
    "GAN": "estimator",
    "Model": "model",
    "cite": "estimator",
    "judge": "judging",
    "load": "estimator",
}
_SUBMODULES = ("objectives", "training", "errors")

__all__ = ["GAN", "Model", "__version__", "cite", "judge", "load", "objectives", "training"]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"saddlepoint.{_MODULE_OF[name]}"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"saddlepoint.{name}")
    raise AttributeError(f"module 'saddlepoint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
