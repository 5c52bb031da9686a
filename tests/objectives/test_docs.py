"""docs/objectives.md tells of exactly what there is, in the code's own words."""

import re
from pathlib import Path

import pytest
import torch

from saddlepoint.objectives import OBJECTIVES, PENALTIES, REFERENCES

PAGE = Path(__file__).parents[2] / "docs" / "objectives.md"
ROWS = {
    cells[0].strip("`"): cells[1:]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
    for cells in [[cell.replace(r"\|", "|").strip() for cell in line.strip("| ").split(" | ")]]
}


def sources(entry):
    return ", ".join(REFERENCES[key].split("arXiv:")[1] for key in entry.references)


def test_the_page_names_exactly_the_members():
    assert list(ROWS) == [*OBJECTIVES, *PENALTIES]


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_a_row_says_what_the_objective_says(name):
    objective = OBJECTIVES[name]
    assert ROWS[name][2:] == [objective.divergence, objective.optimum, sources(objective)]


@pytest.mark.parametrize("name", list(PENALTIES))
def test_a_row_says_what_the_penalty_says(name):
    penalty = PENALTIES[name]
    assert ROWS[name][1:] == [penalty.where, str(penalty.factor), sources(penalty)]


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_the_formulas_of_the_page_are_the_losses(name):
    """The two formulas of a row, read as Python at a few logits, against the code."""
    real, fake = (
        torch.tensor([0.4, -1.3], dtype=torch.float64),
        torch.tensor([-0.2, 0.9], dtype=torch.float64),
    )
    names = {
        "r": real,
        "f": fake,
        "mean_r": real.mean(),
        "mean_f": fake.mean(),
        "exp": torch.exp,
        "tanh": torch.tanh,
        "sp": lambda v: torch.log1p(torch.exp(v)),
        "log2": torch.tensor(2.0, dtype=torch.float64).log(),
        "max0": torch.relu,
    }
    losses = OBJECTIVES[name].discriminator_loss, OBJECTIVES[name].generator_loss
    for formula, loss in zip(ROWS[name][:2], losses, strict=True):
        code = formula.replace("−", "-").replace("²", "**2").replace("max(0, ", "max0(")
        code = code.replace("mean r", "mean_r").replace("mean f", "mean_f").replace("log 2", "log2")
        code = re.sub("([½¼])", lambda found: {"½": "0.5*", "¼": "0.25*"}[found[1]], code)
        torch.testing.assert_close(eval(code, names), loss(real, fake))  # noqa: S307 (our own page)
