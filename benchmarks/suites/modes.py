"""Benchmark of mode coverage: point sets by start and seed, judged on rows that no model was trained on.

A column is a source of samples: `real` (another draw from the distribution; for real sets another part of the rows), `mixture`
(the Gaussian mixture that the game starts from), `mixture+game` (the default), `learned`, `noise`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.suites.point_sets import PointSet
from numpy.typing import NDArray

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import Estimated, FitOptions, prepare
from saddlepoint.judging import judge
from saddlepoint.model import Model
from saddlepoint.networks import MixtureGenerator

COLUMNS = ("real", "mixture", "mixture+game", "learned", "noise")
TRAIN, JUDGED, SAMPLES = 100_000, 10_000, 2_500
_REACHED = 0.97
"""Share of samples within 3 standard deviations of a mode from which a set counts as reached."""


def coverage(rows: NDArray[np.float64], points: PointSet) -> dict[str, float] | None:
    """Return how samples cover a set's modes (PacGAN's protocol, on 2,500 samples); None for a set without modes.

    modes: the number of modes with a sample within 3 standard deviations.
    modes20: the number of modes with at least 20 % of their expected samples.
    of: the number of modes.
    high_quality: share of samples within 3 standard deviations of a mode (.989 is the ideal in the plane).
    spread: root mean square distance of these samples to their mode, in units of sigma sqrt(d) (.975 is the ideal, because the
    tails are cut).
    reverse_kl: KL(samples' modes || true weights) in nats, of the high-quality samples.
    """
    if points.centres is None:
        return None
    away = np.linalg.norm(rows[:, None] - points.centres[None], axis=2) / points.width
    mode, nearest = away.argmin(1), away.min(1)
    good = nearest < 3
    count = len(points.centres)
    weights = np.full(count, 1 / count) if points.weights is None else points.weights
    hits = np.bincount(mode[good], minlength=count)
    share = hits / max(1, hits.sum())
    present = share > 0
    return {
        "modes": int((hits > 0).sum()),
        "modes20": int((hits >= 0.2 * weights * len(rows)).sum()),
        "of": count,
        "high_quality": float(good.mean()),
        "spread": float(np.sqrt((nearest[good] ** 2).mean() / rows.shape[1])) if good.any() else float("nan"),
        "reverse_kl": float((share[present] * np.log(share[present] / weights[present])).sum()),
    }


def reached(covered: dict[str, float]) -> bool:
    """Return whether every mode has at least 20 % of its expected samples, and 97 % of samples are within modes."""
    return covered["modes20"] == covered["of"] and covered["high_quality"] >= _REACHED


def measure(
    points: PointSet,
    seed: int,
    columns: Iterable[str],
    *,
    train: int = TRAIN,
    judged: int = JUDGED,
    rounds: int | None = None,
    thorough: bool = True,
) -> list[dict[str, Any]]:
    """Return one record for each column: coverage, verdict on `judged` unseen real rows, CPU seconds of training.

    points: the set.
    seed: seed of data and game.
    columns: the sources of samples.
    train: training rows, where rows are unlimited.
    judged: judged rows, where rows are unlimited.
    rounds: rounds of the game; by recipe if None.
    thorough: the judge's full ensemble of classifiers, else its quick one.
    """
    sources: list[tuple[str, NDArray[np.float64], float, dict[str, Any]]] = []
    wanted = list(columns)
    own, real = points.split(train, judged, seed)
    if "real" in wanted:
        again, other = points.split(train, judged, seed + 10_000)
        sources.append(("real", other if points.draw is not None else again[: len(real)], 0.0, {}))
    for start in [
        each
        for each in ("mixture", "learned", "noise")
        if _column_of(each) in wanted or (each == "mixture" and "mixture" in wanted)
    ]:
        began = time.process_time()
        preparation = prepare(
            open_source(own, name=points.name), FitOptions(seed=seed, start=start, rounds=rounds)
        )
        fitted = time.process_time() - began
        fit = preparation.fit(strip=False)
        reached_at_estimates, components = [], getattr(preparation.encoder, "components", 0)
        playing = 0.0
        began = time.process_time()
        for event in fit.play():
            if isinstance(event, Estimated) and event.round > 0 and points.centres is not None:
                playing += time.process_time() - began
                covered = coverage(_rows(fit.playing(), SAMPLES, seed), points)
                reached_at_estimates.append(bool(covered and reached(covered)))
                began = time.process_time()
        playing += time.process_time() - began
        model = fit.model()
        extra = {
            "held": reached_at_estimates,
            "components": components,
            "rounds": fit.round,
            "kept_round": model.description.get("kept_round"),
            "start_seconds": round(fitted, 2),
        }
        if _column_of(start) in wanted:
            sources.append((_column_of(start), _rows(model, judged, seed), fitted + playing, extra))
        if start == "mixture" and "mixture" in wanted and isinstance(model.generator, MixtureGenerator):
            model.generator.reset_to_start()
            sources.append(("mixture", _rows(model, judged, seed), fitted, {"components": components}))
    return [
        record(points, seed, column, real, rows, seconds, thorough=thorough) | extra
        for column, rows, seconds, extra in sources
    ]


def _column_of(start: str) -> str:
    """Return the column of a start followed by the game; "mixture" alone is the start without a game."""
    return "mixture+game" if start == "mixture" else start


def record(
    points: PointSet,
    seed: int,
    column: str,
    real: NDArray[Any],
    rows: NDArray[np.float64],
    seconds: float,
    *,
    thorough: bool = True,
) -> dict[str, Any]:
    """Return one column's record: coverage, the judge's verdict against unseen real rows, CPU seconds."""
    verdict = judge(real, rows, held_out="declared", random_state=seed, pool="full" if thorough else "quick")
    return {
        "set": points.name,
        "seed": seed,
        "column": column,
        "coverage": coverage(rows[:SAMPLES], points),
        "jsd_lower": verdict.jsd_lower,
        "jsd_estimate": verdict.jsd_estimate,
        "accuracy": verdict.accuracy,
        "judged": len(real),
        "cpu_seconds": round(seconds, 2),
    }


def _rows(model: Model, n: int, seed: int) -> NDArray[np.float64]:
    return np.asarray(model.draw(n, random_state=seed)[0], dtype=np.float64)


def run(
    sets: Iterable[PointSet],
    seeds: Iterable[int],
    columns: Iterable[str],
    out: Path,
    *,
    say: Callable[[str], None] = print,
    **how: Any,
) -> list[dict[str, Any]]:
    """Measure every set and seed; each record is stored in `out`/modes.json at once, and stored records are not repeated.

    sets: the sets.
    seeds: the seeds.
    columns: the sources of samples.
    out: folder of modes.json and modes.md.
    say: prints progress.
    how: further arguments of `measure`.
    """
    path = out / "modes.json"
    records: list[dict[str, Any]] = json.loads(path.read_text())["records"] if path.is_file() else []
    columns = list(columns)
    for points in sets:
        for seed in seeds:
            stored = {r["column"] for r in records if (r["set"], r["seed"]) == (points.name, seed)}
            missing = [column for column in columns if column not in stored]
            if not missing:
                continue
            found = measure(points, seed, missing, **how)
            records += found
            out.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"records": records}, indent=1) + "\n")
            for each in found:
                say(line(each))
    (out / "modes.md").write_text(table(records))
    return records


def line(found: dict[str, Any]) -> str:
    """Return a record as one line of text."""
    covered = found["coverage"]
    modes = (
        f", {covered['modes20']}/{covered['of']} modes, {100 * covered['high_quality']:.1f} % of samples in modes"
        if covered
        else ""
    )
    bound = "none" if found["jsd_lower"] is None else f"{found['jsd_lower']:.4f}"
    return (
        f"{found['set']}, seed {found['seed']}, {found['column']}: JSD >= {bound}, classifier accuracy "
        f"{100 * (found['accuracy'] or 0):.1f} %{modes}, {found['cpu_seconds']:.0f} CPU s"
    )


def table(records: list[dict[str, Any]]) -> str:
    """Return the records as two Markdown tables: mode coverage, and the judge's verdicts."""
    by: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        by.setdefault((record["set"], record["column"]), []).append(record)
    lines = [
        "| set | samples from | seeds | seeds with all modes | and 97 % of samples in modes | samples in modes, % (worst seed) "
        "| spread | reverse KL (worst) | kept once reached | CPU s (worst) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, column), found in by.items():
        covered = [record["coverage"] for record in found if record["coverage"]]
        if not covered:
            continue
        full = [each["modes20"] == each["of"] for each in covered]
        good = [reached(each) for each in covered]
        over_time = [record["held"] for record in found if record.get("held")]
        kept = f"{sum(_kept(each) for each in over_time)} of {len(over_time)}" if over_time else "-"
        seconds = [record["cpu_seconds"] for record in found]
        quality = [each["high_quality"] for each in covered]
        lines.append(
            f"| {name} | {column} | {len(covered)} | {sum(full)} | {sum(good)} "
            f"| {100 * np.mean(quality):.1f} ({100 * min(quality):.1f}) "
            f"| {min(e['spread'] for e in covered):.3f} to {max(e['spread'] for e in covered):.3f} "
            f"| {np.mean([e['reverse_kl'] for e in covered]):.4f} ({max(e['reverse_kl'] for e in covered):.4f}) "
            f"| {kept} | {np.mean(seconds):.0f} ({max(seconds):.0f}) |"
        )
    lines += [
        "",
        "| set | samples from | seeds | certified JSD >= (nats), median | classifier accuracy, %, median (worst) | CPU s |",
        "|---|---|---|---|---|---|",
    ]
    for (name, column), found in by.items():
        bounds = [record["jsd_lower"] for record in found if record["jsd_lower"] is not None]
        accuracies = [100 * record["accuracy"] for record in found if record["accuracy"] is not None]
        if not bounds or not accuracies:
            continue
        seconds = [record["cpu_seconds"] for record in found]
        lines.append(
            f"| {name} | {column} | {len(found)} | {np.median(bounds):.4f} "
            f"| {np.median(accuracies):.1f} ({max(accuracies):.1f}) | {np.mean(seconds):.0f} |"
        )
    return "\n".join(lines) + "\n"


def _kept(estimates: list[bool]) -> bool:
    """Return whether coverage was reached, and was still reached at every later estimate."""
    return True in estimates and all(estimates[estimates.index(True) :])
