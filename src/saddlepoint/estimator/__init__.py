"""The scikit-learn estimator `GAN`; `load` restores a fitted one, `cite` lists the papers behind it."""

from __future__ import annotations

from sklearn.utils.validation import check_is_fitted

from saddlepoint import objectives
from saddlepoint.errors import InputError
from saddlepoint.estimator.gan import GAN
from saddlepoint.estimator.persistence import load
from saddlepoint.model import Model

__all__ = ["GAN", "cite", "load"]


def cite(model: GAN | Model) -> list[str]:
    """Return the papers behind a model's recipe, objective and penalties, one citation line each.

    Raises:
        NotFittedError: the estimator was not fitted.
        InputError: the argument is not a GAN or a Model.
    """
    if not isinstance(model, GAN | Model):
        raise InputError(
            f"cite was given {model!r:.60}, a {type(model).__name__}; give a fitted GAN or a Model (the papers of one "
            "objective are in saddlepoint.objectives.get(NAME).references)."
        )
    if isinstance(model, GAN):
        check_is_fitted(model, "model_")
        model = model.model_
    keys = ["goodfellow2014", *objectives.get(model.description["objective"]).references]
    for name in model.description["penalties"]:
        keys += objectives.get_penalty(name).references
    return objectives.cite(keys)
