"""Sources of synthetic rows: our game, the start of its generator, and two baselines (independent columns, Gaussian copula).

Each source takes training rows and returns as many synthetic ones, in the same format.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from saddlepoint.errors import InputError

SOURCES = ("ours", "base", "independent", "copula")


def independent(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return rows whose columns are drawn independently: correct marginals, no dependence."""
    rng = np.random.default_rng(seed)
    drawn = {name: train[name].to_numpy()[rng.integers(0, len(train), len(train))] for name in train}
    return pd.DataFrame(drawn).astype(train.dtypes)


def copula(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return rows of a Gaussian copula: empirical marginals, dependence by one correlation matrix of normal scores.

    A value's score is ndtri(u), with u uniform on its interval of the cumulative shares. Words are ordered by falling
    frequency; a missing cell is one more value.
    """
    rng = np.random.default_rng(seed)
    scores, margins = [], []
    for name in train:
        codes, values = pd.factorize(train[name], sort=True)
        codes = np.where(codes < 0, len(values), codes)
        counts = np.bincount(codes, minlength=len(values) + 1).astype(float)
        order = np.arange(len(counts))
        if not pd.api.types.is_numeric_dtype(train[name]) and len(values) <= len(train) / 2:
            order = np.argsort(-counts, kind="stable")
        upper = np.cumsum(counts[order]) / counts.sum()
        place = np.argsort(order)[codes]
        u = upper[place] - rng.random(len(train)) * (counts[order] / counts.sum())[place]
        scores.append(ndtri(np.clip(u, 1e-6, 1 - 1e-6)))
        margins.append((order, upper, values))
    correlation = np.atleast_2d(np.corrcoef(scores))
    correlation = np.nan_to_num(correlation) + 1e-6 * np.eye(len(scores))
    drawn = rng.multivariate_normal(np.zeros(len(scores)), correlation, len(train), method="eigh")
    made: dict[str, Any] = {}
    for at, (name, (order, upper, values)) in enumerate(zip(train, margins, strict=True)):
        codes = order[np.searchsorted(upper, ndtr(drawn[:, at])).clip(0, len(order) - 1)]
        made[str(name)] = pd.Series(values).reindex(codes).reset_index(drop=True)
    return pd.DataFrame(made).astype(
        {name: kind for name, kind in train.dtypes.items() if not made[str(name)].isna().any()}
    )


def repaired(made: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Return a peer's rows with repaired format: numbers at the nearest training value, functional dependencies restored.

    Otherwise a classifier would only read what the peer does not write exactly (a gain of 0, whole numbers, limits).
    """
    out = made.copy()
    for name in train:
        if not pd.api.types.is_numeric_dtype(train[name]):
            continue
        levels = np.unique(train[name].dropna().to_numpy())
        values = out[name].to_numpy(dtype=float)
        above = np.searchsorted(levels, values).clip(0, len(levels) - 1)
        below = np.maximum(above - 1, 0)
        nearer = np.abs(values - levels[below]) < np.abs(levels[above] - values)
        nearest = levels[np.where(nearer, below, above)]
        out[name] = np.where(np.isnan(values), np.nan, nearest)
        if not np.isnan(values).any():
            out[name] = out[name].astype(train[name].dtype)
    for name in train:
        of = _function_of(train, str(name))
        if of is not None:
            pairs = train.drop_duplicates(of).set_index(of)[name]
            out[name] = out[of].map(pairs).where(out[of].isin(pairs.index), out[name])
    return out


def _function_of(train: pd.DataFrame, name: str) -> str | None:
    """Return a column of few words that determines this column of numbers (and the reverse) in all training rows, or None."""
    if not pd.api.types.is_numeric_dtype(train[name]) or train[name].nunique() < 2:
        return None
    for of in map(str, train.columns):
        words = not pd.api.types.is_numeric_dtype(train[of])
        few = train[of].nunique() <= max(50, len(train) / 200)
        determined = (
            words and few and train[of].notna().all() and (train.groupby(of)[name].nunique() == 1).all()
        )
        if determined and train.groupby(name)[of].nunique().max() == 1:
            return of
    return None


def make(
    source: str, train: pd.DataFrame, seed: int, *, rounds: int | None = None
) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """Return synthetic rows and their cost; None for `base` if the generator has no fitted start."""
    began = time.process_time()
    if source in ("independent", "copula"):
        made = {"independent": independent, "copula": copula}[source](train, seed)
        return made, {"fit_cpu_seconds": round(time.process_time() - began, 2)}
    from saddlepoint.estimator import GAN

    gan = GAN(rounds=(1 if rounds is None else rounds) if source == "base" else rounds, random_state=seed)
    gan.fit(train)
    fitted = time.process_time() - began
    model = gan.model_
    if source == "base":
        try:
            model = model.base()
        except InputError:
            return None, {}
        made = model.draw(len(train), random_state=seed)[0]
        if not isinstance(made, pd.DataFrame):
            made = pd.DataFrame(made, columns=train.columns)
        return made.astype(train.dtypes.to_dict()), {"fit_cpu_seconds": round(fitted, 2)}
    began = time.process_time()
    made = gan.sample(len(train), random_state=seed)
    facts = {
        "fit_cpu_seconds": round(fitted, 2),
        "sample_cpu_seconds": round(time.process_time() - began, 2),
        "rounds": int(gan.n_rounds_),
        "kept_round": model.description.get("kept_round"),
    }
    return made, facts


def samples_in_subprocess(
    source: str, train: pd.DataFrame, seed: int, folder: Path, *, rounds: int | None = None
) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """Return `make`'s rows from a separate process, so that CPU seconds (imports included) and peak memory are the source's."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source}-{seed}.parquet"
    train_file = folder / "train.parquet"
    train.to_parquet(train_file, index=False)
    spawning = multiprocessing.get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    child = spawning.Process(target=_child, args=(source, train_file, target, seed, rounds, sender))
    child.start()
    sender.close()
    try:
        facts: dict[str, Any] = receiver.recv()
    except EOFError:
        raise InputError(
            f"The process that makes rows by {source!r} ended without a result; its own message is above."
        ) from None
    finally:
        child.join()
    return (pd.read_parquet(target) if facts.pop("made") else None), facts


def _child(source: str, train_file: Path, target: Path, seed: int, rounds: int | None, sender: Any) -> None:
    made, facts = make(source, pd.read_parquet(train_file), seed, rounds=rounds)
    if made is not None:
        made.to_parquet(target, index=False)
    used = resource.getrusage(resource.RUSAGE_SELF)
    facts |= {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_memory_mb": used.ru_maxrss // 1024,
        "made": made is not None,
    }
    sender.send(facts)
