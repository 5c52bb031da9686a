"""The names that `--help`, messages and the code share. No torch is loaded here."""

KINDS = ("points", "pictures", "tables")
RECIPES = ("auto", "goodfellow2014", "modern")
STARTS = ("auto", "charts", "fitted", "learned", "plain")
CAPACITIES = ("small", "medium", "large")
PRECISIONS = ("float32", "bf16", "float64")
OBJECTIVES = (
    "minimax",
    "non-saturating",
    "least-squares",
    "hinge",
    "wasserstein",
    "relativistic",
    "relativistic-average",
    "kl",
    "reverse-kl",
    "jensen-shannon",
    "squared-hellinger",
    "pearson",
    "total-variation",
)
AUGMENT = ("auto", "on", "off")
OTHER_SIZES = ("crop", "pad", "refuse")
COMPILE = ("auto", "on", "off")
UNTIL = ("settled", "budget")
ON_COLLAPSE = ("stop", "rollback", "remedy")
RULERS = ("quick", "full")
COMPANIONS = ("neighbours", "energy", "mmd", "frechet", "kernel")
