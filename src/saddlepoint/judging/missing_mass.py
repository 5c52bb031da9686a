"""A missing cluster as a distance: the exact JSD between a law and the same law without a region of mass m.

Let Q be P conditioned off a region C with P(C) = m. On C the mixture M = (P + Q)/2 has density p/2, off C it has
p (1 + 1/(1-m))/2 = p (2-m)/(2(1-m)). So KL(P|M) = m log 2 + (1-m) log(2(1-m)/(2-m)) and KL(Q|M) = log(2/(2-m)), and

    JSD(m) = 1/2 [ m log 2 + (1-m) log(2(1-m)/(2-m)) + log(2/(2-m)) ]   nats, about (m/2) log 2 for small m,

whatever P is: a ruler that needs no density. It rises from 0 at m = 0 to log 2 at m = 1. By symmetry the same holds for
an invented region: P = Q conditioned off it.
"""

from __future__ import annotations

import math
import re

from scipy.optimize import brentq

from saddlepoint.errors import InputError

DEFAULT_TOLERANCE = "5%"


def jsd_of_missing(mass: float) -> float:
    """Return JSD(P, P conditioned off a region of that mass) in nats, 0 <= mass <= 1.

    >>> round(jsd_of_missing(0.05), 6)
    0.017649
    """
    if not 0 <= mass <= 1:
        raise InputError(f"A missing mass of {mass} is none; give a share between 0 and 1.")
    if mass in (0.0, 1.0):
        return mass * math.log(2)
    off = (1 - mass) * (math.log(2) + math.log1p(-mass) - math.log(2 - mass))
    return (mass * math.log(2) + off + math.log(2) - math.log(2 - mass)) / 2


def missing_of_jsd(jsd: float) -> float:
    """Return the missing mass whose JSD is that many nats: the inverse of `jsd_of_missing`.

    >>> round(missing_of_jsd(jsd_of_missing(0.2)), 9)
    0.2
    """
    if not 0 <= jsd <= math.log(2):
        raise InputError(f"A JSD of {jsd} nats is none; it lies between 0 and log 2 = 0.693.")
    return float(brentq(lambda mass: jsd_of_missing(mass) - jsd, 0.0, 1.0, xtol=1e-12))


def tolerance_of(text: str | float) -> float:
    """Return a tolerance in nats: a number of nats, or a missing cluster as "5%" or "a missing cluster of 5 %".

    >>> tolerance_of(0.02), round(tolerance_of("5 %"), 6)
    (0.02, 0.017649)

    Raises:
        InputError: it is neither, or lies outside (0, log 2) nats.
    """
    share = re.fullmatch(r"(?:a missing cluster of )?\s*([0-9.]+)\s*%", str(text).strip())
    try:
        if share:
            mass = float(share.group(1)) / 100
            if not 0 < mass < 1:
                raise ValueError
            return jsd_of_missing(mass)
        nats = float(text)
    except ValueError:
        nats = math.nan
    if not 0 < nats < math.log(2):
        raise InputError(
            f"The tolerance {text!r} is neither nats (a number between 0 and 0.693) nor a missing cluster in per cent, "
            "like 5%; give one of them."
        )
    return nats
