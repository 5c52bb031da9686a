"""Names of options' values, shared by `--help`, messages and code; importing this module does not load torch."""

KINDS = ("points", "pictures", "tables")
RECIPES = ("auto", "goodfellow2014", "modern")
STARTS = ("auto", "mixture", "autoregressive", "learned", "noise")
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
CLUSTER = ("auto", "on", "off")
OTHER_SIZES = ("crop", "pad", "refuse")
PAPER_GAMES = (
    "goodfellow2014",
    "goodfellow2014 + fourfold rate of G",
    "narrow goodfellow2014 + Adam and R1 for dropout",
    "narrow modern + linear units",
)
PAPER_CONTROLS = (
    "real rows",
    "k-means centres",
    "each pixel apart",
    "half of the real rows",
    "real rows with gaps",
    "real rows in black or white",
    "real rows blurred",
)
COMPILE = ("auto", "on", "off")
UNTIL = ("settled", "budget")
ON_COLLAPSE = ("stop", "rollback", "remedy")
POWER_TABLES = ("quick", "full")
METRICS = ("neighbours", "mmd")
