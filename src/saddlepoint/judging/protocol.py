"""The certified two-sample test on two arrays: checks, splits, null control, ensemble, bound, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saddlepoint.compute import one_thread
from saddlepoint.errors import InputError, nearest
from saddlepoint.judging.c2st import betting_bound, validity_checks
from saddlepoint.judging.c2st.ensemble import POOLS, Evaluation, Pool, evaluate, fit_ensemble
from saddlepoint.judging.c2st.noise_smoothing import SATURATED, smooth_with_noise
from saddlepoint.judging.c2st.splits import Splits, copies_as_groups, split
from saddlepoint.judging.c2st.validity_checks import missing_notes, null_control
from saddlepoint.judging.localise import find_places
from saddlepoint.judging.metrics.gan_metrics import chosen_of, measure_metrics
from saddlepoint.judging.samples import Samples, check
from saddlepoint.judging.verdict import HELD_OUT, Verdict


@one_thread()
def certify(
    real: Any,
    fake: Any,
    *,
    train: Any = None,
    groups: Any = None,
    held_out: str | bool = "unknown",
    confidence: float = 0.95,
    random_state: int | None = 0,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    categorical: Any = None,
    dates: Sequence[bool] = (),
    pool: Pool = "full",
    control: bool = True,
    metrics: str | Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Verdict:
    """Return the verdict on two arrays of rows: a certified lower bound for JSD(p_data, p_g), in nats.

    Fresh referees (classifiers) are fitted on 50 % of both samples, combined on 20 % and evaluated once on
    30 %. The betting lower bound L of the mean payoff satisfies P(L > JSD) <= 1 - confidence, if the real
    rows are independent draws that the generator never saw and the fake rows are independent draws from the
    generator.

    real, fake: numbers (n, d), or pictures (n, height, width[, channels]) of uint8; in tables (`categorical`
        given, or kind="tables") NaN stands for null.
    train: rows the generator was trained on, of the same form; fake rows are then tested for copies of them.
    groups: one label per real row; rows of one group stay on one side and count as one observation.
    held_out: "declared" or True (the real rows were kept from the generator), "no" or False, or "unknown".
    confidence: of the bound, at least 0.5 and less than 1.
    random_state: a whole number from 0 on, or None for a fresh one each time.
    kind: "points", "tables" or "pictures"; found from the arrays if not given.
    names: one name per column.
    categorical: boolean mask (d,) of the columns that hold category codes.
    dates: one flag per column, True for seconds since 1970: places then name dates.
    pool: "full", or "quick" (fewer referees: a weaker bound, just as valid).
    control: also judge real rows against real rows.
    metrics: "neighbours", "mmd", or "all" (see `metrics.gan_metrics`).
    progress: called with a few words before each step.

    Raises InputError for rows that cannot be judged: too few, not finite, of different widths, shapes or kinds.
    Source: Goodfellow et al. 2014, section 4.1; arXiv 2010.09686.
    """
    started = time.perf_counter()
    if isinstance(held_out, bool | np.bool_):
        held_out = "declared" if held_out else "no"
    _options(held_out=held_out, confidence=confidence, pool=pool, random_state=random_state)
    chosen = chosen_of(metrics)
    say = progress or (lambda words: None)
    samples = check(real, fake, kind=kind, names=names, categorical=categorical)
    samples = replace(samples, dates=tuple(dates))
    alpha = 1 - confidence
    seeds = [int(s) for s in np.random.SeedSequence(random_state).generate_state(4)]
    units = copies_as_groups(samples.real)[0] if groups is None else np.asarray(groups)
    splits = split(
        len(samples.real), len(samples.fake), groups=units, alpha=alpha, rng=np.random.default_rng(seeds[0])
    )
    blank = _blank(splits, held_out=held_out, confidence=confidence)
    if validity_checks.same_rows(samples):
        reason = "The real and the fake rows are the same rows, given twice; give rows that a generator made."
        return replace(blank, notes=(reason,), seconds=time.perf_counter() - started)
    notes = _notes(samples, groups)
    memorisation = _memorisation(train, samples, seed=seeds[3]) if train is not None else None
    checked = None
    if control:
        say("judging real rows against real rows")
        checked = null_control(samples, groups=units, size=pool, seed=seeds[1])
        if checked is None:
            notes.append("Too few real rows for the control of real against real.")
        elif not checked.passed:
            reason = (
                f"The control failed: between two halves of the real rows the classifier accuracy is "
                f"{100 * checked.accuracy:.1f} % (50 % is guessing; p = {checked.p:.1g}). Look for duplicated or "
                f"dependent rows, and give groups."
            )
            return replace(
                blank,
                control=checked.to_dict(),
                memorisation=memorisation,
                notes=(reason, *notes),
                seconds=time.perf_counter() - started,
            )
    if chosen:
        say("measuring the metrics")
        blank = replace(
            blank,
            metrics=tuple(
                each.to_dict() for each in measure_metrics(samples, chosen, groups=groups, seed=seeds[3])
            ),
        )
    ensemble = fit_ensemble(samples, splits, size=pool, alpha=alpha, seed=seeds[2], progress=progress)
    say("evaluating")
    found = evaluate(ensemble, samples, splits, alpha=alpha)
    where: tuple[dict[str, Any], ...] = ()
    if found.lower > 0:
        say("finding where they differ")
        where = find_places(samples, splits, found, alpha=alpha, seed=seeds[2])
    noise_smoothed = None
    if found.estimate > SATURATED and samples.kind != "tables":
        say("judging again after the same noise on both sides")
        noise_smoothed = smooth_with_noise(samples, splits, alpha=alpha, seed=seeds[2])
    return replace(
        blank,
        **_figures(found),
        certified=found.lower > 0 and held_out != "no",
        referee=ensemble.choice.bound.name,
        control=None if checked is None else checked.to_dict(),
        memorisation=memorisation,
        where=where,
        noise_smoothed=noise_smoothed,
        notes=tuple(notes),
        seconds=time.perf_counter() - started,
    )


def _options(*, held_out: Any, confidence: float, pool: str, random_state: Any) -> None:
    if held_out not in HELD_OUT:
        raise InputError(
            f"held_out is {held_out!r}{nearest(held_out, HELD_OUT) or '.'} "
            f"Allowed are {', '.join(HELD_OUT)}, or True for declared and False for no."
        )
    whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if random_state is not None and not (whole and random_state >= 0):
        raise InputError(
            f"random_state is {random_state!r}; give a whole number from 0 on, or None for a new one each time."
        )
    if not 0.5 <= confidence < 1:
        raise InputError(
            f"confidence is {confidence}; it must be at least 0.5 and less than 1, for instance 0.95."
        )
    if pool not in POOLS:
        raise InputError(f"pool is {pool!r}{nearest(pool, POOLS) or '.'} Allowed are {', '.join(POOLS)}.")


def _blank(splits: Splits, *, held_out: str, confidence: float) -> Verdict:
    return Verdict(
        certified=False,
        jsd_lower=None,
        jsd_estimate=None,
        confidence=confidence,
        floor=betting_bound.floor(
            splits.n_evaluate, alpha=1 - confidence, reals=splits.reals, fakes=splits.fakes
        ),
        accuracy=None,
        tv_lower=None,
        referee=None,
        n_fit=len(splits.real.fit),
        n_select=len(splits.real.select),
        n_evaluate=len(splits.real.evaluate),
        fakes_per_real=splits.fakes if splits.reals == 1 else 1 / splits.reals,
        held_out=held_out,
    )


def _figures(found: Evaluation) -> dict[str, Any]:
    return {
        "jsd_lower": found.lower,
        "jsd_estimate": found.estimate,
        "accuracy": found.accuracy,
        "tv_lower": found.tv_lower,
    }


def _notes(samples: Samples, groups: NDArray[Any] | None) -> list[str]:
    found = [validity_checks.shared_note(samples), *missing_notes(samples, groups)]
    if groups is None:
        found += [validity_checks.repeats_note(samples), validity_checks.serial_note(samples)]
    else:
        found.append(
            "One row of each group was read, so the distribution judged is that of a random row of a random group."
        )
    return [note for note in found if note]


def _memorisation(train: Any, samples: Samples, *, seed: int) -> dict[str, Any]:
    from saddlepoint.judging.memorisation import memorisation_test

    mask = samples.categorical if samples.kind == "tables" else None
    checked = check(train, samples.fake, kind=samples.kind, categorical=mask, first="training")
    found = memorisation_test(checked.real, samples.real, samples.fake, categorical=mask, random_state=seed)
    return {
        "copying": bool(found.copying),
        "exact_copies": int(found.exact_copies),
        "share": float(found.share),
        "p": float(found.p),
        "sentence": str(found.sentence),
    }
