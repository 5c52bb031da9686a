"""Where real and fake rows differ: columns and pairs, regions, and the rows that the referee is surest about.

Asked only after a difference was certified. Columns and regions share the level: half each, so that all
places hold together with probability 1 - alpha.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from saddlepoint.judging.columns import certify_columns, name_columns
from saddlepoint.judging.reading import Reading
from saddlepoint.judging.regions import certify_regions
from saddlepoint.judging.samples import Samples
from saddlepoint.judging.splits import Splits

SUREST = 8


def find_places(
    samples: Samples, splits: Splits, found: Reading, *, alpha: float, seed: int
) -> tuple[dict[str, Any], ...]:
    """Return places as dictionaries by `kind`: "column", "pair", "region" (certified), and "rows" (to look
    at).

    "rows" hold indices into the arrays given: real rows that no fake row resembles, fake rows that no real
    row does, surest first; they are evaluate rows and carry no bound.
    """
    places: list[dict[str, Any]] = []
    if samples.kind != "pictures":
        places += name_columns(certify_columns(samples, splits, alpha=alpha / 2), samples.names)
    places += certify_regions(samples, splits, alpha=alpha / 2, seed=seed)
    real = np.argsort(-found.real_logits, kind="stable")[:SUREST]
    fake = np.argsort(found.fake_logits, kind="stable")[:SUREST]
    for name, rows in (("real", splits.real.evaluate[real]), ("fake", splits.fake.evaluate[fake])):
        places.append({"kind": "rows", "name": name, "jsd_lower": None, "indices": rows.tolist()})
    return tuple(places)
