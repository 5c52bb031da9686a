"""A recipe turns a name and a kind of data into two networks, an objective and settings. Every number has its reason.

`goodfellow2014` is the pair and the schedule of the paper's own code (github goodfeli/adversarial, mnist.yaml);
`modern` is the pair of residual perceptrons with the relativistic objective and zero-centred penalties on both sides
(Jolicoeur-Martineau 2018, arXiv 1807.00734; Mescheder et al. 2018, arXiv 1801.04406; Huang et al. 2024, arXiv
2501.05441).
"""

from saddlepoint.recipes.choice import choose, plan, start_of
from saddlepoint.recipes.pictures import AUGMENT, FEW_PICTURES, MOST_DENSE_NUMBERS, perceptrons
from saddlepoint.recipes.plan import Data, Plan, Recipe

__all__ = [
    "AUGMENT",
    "FEW_PICTURES",
    "MOST_DENSE_NUMBERS",
    "Data",
    "Plan",
    "Recipe",
    "choose",
    "perceptrons",
    "plan",
    "start_of",
]
