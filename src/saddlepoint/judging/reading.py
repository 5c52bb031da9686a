"""The one reading of the evaluate rows: the bound, the estimate, the accuracy, the bound on total
variation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saddlepoint.judging import betting
from saddlepoint.judging.point_referees import Floats
from saddlepoint.judging.referees import Panel
from saddlepoint.judging.samples import Samples
from saddlepoint.judging.splits import Splits


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What the evaluate rows said: JSDs in nats, rates between 0 and 1, the combined logit of every row
    read.
    """

    lower: float
    estimate: float
    accuracy: float
    tv_lower: float
    right: tuple[int, int]
    real_logits: Floats
    fake_logits: Floats


def read(panel: Panel, samples: Samples, splits: Splits, *, alpha: float) -> Reading:
    """Return what the panel's fixed decision finds on the evaluate rows; each bound holds at level 1 -
    alpha.
    """
    real = panel.logits(samples.real[splits.real.evaluate])
    fake = panel.logits(samples.fake[splits.fake.evaluate])
    rule = panel.choice.bound
    payoffs = rule.payoffs(real, fake, reals=splits.reals, fakes=splits.fakes)
    lower = max(0.0, float(betting.lower_bound(payoffs, *rule.range, alpha=alpha)))
    mean = float(panel.choice.estimate.payoffs(real, fake, reals=splits.reals, fakes=splits.fakes).mean())
    real_logits, fake_logits = rule.logit(real), rule.logit(fake)
    right = int((real_logits > 0).sum()), int((fake_logits <= 0).sum())
    return Reading(
        lower=lower,
        # The two clips are chosen apart: a bound above one mean shows that the other is the better one.
        estimate=max(0.0, mean, float(payoffs.mean()) if mean < lower else 0.0),
        accuracy=float(np.mean([right[0] / len(real_logits), right[1] / len(fake_logits)])),
        tv_lower=betting.total_variation_bound(
            right[0], len(real_logits), right[1], len(fake_logits), alpha=alpha
        ),
        right=right,
        real_logits=real_logits,
        fake_logits=fake_logits,
    )
