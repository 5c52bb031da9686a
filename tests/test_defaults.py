"""One source of defaults: what the estimator and the command line call by one name begins with one value."""

from __future__ import annotations

import dataclasses
import inspect
from typing import get_args, get_type_hints

import pytest
import typer.models

import saddlepoint as sp
from saddlepoint import names
from saddlepoint.cli.judge import judge as judge_verb
from saddlepoint.cli.train import train
from saddlepoint.fitting import FitOptions
from saddlepoint.fitting.check_schedule import CheckOptions
from saddlepoint.training.settings import Settings

CHOICES = {field.name: field.default for field in dataclasses.fields(FitOptions)}
# What is asked of checks alone is left out unless said, and then has the checks' own default.
CHOICES |= {
    field.name: field.default
    for field in dataclasses.fields(CheckOptions)
    if field.name in ("tolerance", "on_collapse", "power")
}
OF_THE_DATA = {
    "conditional",
    "seed",
}  # by y or --label; and the estimator's seed is its random_state


def parameters(function):
    return {name: each.default for name, each in inspect.signature(function).parameters.items()}


def options(verb):
    """Return the default that --help shows for each option of a verb."""
    hints = get_type_hints(verb, include_extras=True)
    shown = {}
    for name, default in parameters(verb).items():
        info = next(each for each in get_args(hints[name]) if isinstance(each, typer.models.ParameterInfo))
        shown[name] = info.show_default if isinstance(info.show_default, str) else default
    return shown


@pytest.mark.parametrize("name", sorted(set(CHOICES) - OF_THE_DATA))
def test_a_choice_has_one_default_everywhere(name):
    assert parameters(sp.GAN.__init__)[name] == CHOICES[name]
    shown = options(train)[name]
    assert shown in (str(CHOICES[name]), CHOICES[name], "by recipe")
    assert shown != "by recipe" or CHOICES[name] is None


def test_the_seed_that_help_shows_is_the_one_that_is_used():
    assert options(train)["seed"] == str(CHOICES["seed"]) == str(Settings(horizon=1).seed)


def test_precision_is_that_of_the_settings():
    assert CHOICES["precision"] == Settings(horizon=1).precision


def test_the_judge_has_one_set_of_defaults():
    verb, function = options(judge_verb), parameters(sp.judge)
    assert verb["confidence"] == function["confidence"]
    assert verb["seed"] == function["random_state"]
    assert verb["held_out"] == function["held_out"] == "unknown"
    assert (verb["quick"], function["pool"]) == (False, "full")


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("recipe", names.RECIPES),
        ("capacity", names.CAPACITIES),
        ("precision", names.PRECISIONS),
        ("objective", names.OBJECTIVES),
    ],
)
def test_help_and_documentation_list_every_name(given, allowed):
    hints = get_type_hints(train, include_extras=True)
    info = next(each for each in get_args(hints[given]) if isinstance(each, typer.models.ParameterInfo))
    assert all(name in info.help for name in allowed)
    if given != "objective":
        assert all(f'"{name}"' in sp.GAN.__doc__ for name in allowed)


def test_every_parameter_and_attribute_is_documented():
    documented = sp.GAN.__doc__
    assert all(f"{name} : " in documented or f"{name}, " in documented for name in sp.GAN().get_params())
