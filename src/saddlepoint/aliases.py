"""Old words that stay readable: one table for the command line and the estimator, one for files of earlier versions.

An old word of the command line works and is answered by the new one; files are read by both words and written by the new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STARTS: Mapping[str, str] = {"charts": "mixture", "fitted": "autoregressive", "plain": "noise"}

JUDGED_KINDS: Mapping[str, str] = {"table": "tables"}
"""Kinds of arrays in `judge(kind=...)`."""

OPTIONS: Mapping[str, str] = {"--ruler": "--power", "--also": "--metrics"}
REMOVED_OPTIONS: Mapping[str, str] = {
    "--memory": "--memory was removed; use --accumulation-steps N (micro-batches per batch) and --recompute (large pictures)"
}
"""Options of earlier versions, and what serves now."""
OPTION_VALUES: Mapping[str, Mapping[str, str]] = {"--start": STARTS}

STORED_KEYS: Mapping[str, str] = {
    "also": "metrics",
    "charts": "components",
    "codecs": "transformers",
    "coins": "sign_bits",
    "companions": "metrics",
    "counted": "bins",
    "from_made": "from_synthetic",
    "from_training": "from_real",
    "ladder": "noise_smoothed",
    "noise_law": "noise_distribution",
    "one_law": "same_distribution",
    "ruler": "power",
    "settings.parts": "accumulation_steps",
    "span": "block",
    "spans": "feature_blocks",
    "waves": "frequencies",
}
"""Keys of stored JSON; "parent.key" holds below that parent alone."""

STORED_VALUES: Mapping[str, Mapping[str, str]] = {
    "name": {
        "chart-discriminator": "mixture-discriminator",
        "chart-generator": "mixture-generator",
        "coin-generator": "sign-noise-generator",
        "ordered-generator": "made-generator",
        "span-discriminator": "tabular-discriminator",
        "span-generator": "tabular-generator",
        "wave-discriminator": "fourier-discriminator",
    },
    "kind": {"charts": "mixture"},
    "start": STARTS,
    "metrics": {"energy": "mmd", "frechet": "mmd", "kernel": "mmd"},
    "penalties": {"r1-differences": "r1", "r2-differences": "r2"},
}
"""Values of stored JSON, by their key; names are those of networks, or of penalties, metrics those asked for.

A penalty by finite differences is R1 or R2 up to O(h^2), without double backward; it is continued as these.
"""

TENSORS: Mapping[str, str] = {"charts": "components"}
"""Parts of the dotted names of a network's tensors."""

_NAMED_BY_USERS = frozenset({"columns", "constants", "form", "kinds", "margins"})
_NETWORKS = frozenset({"generator", "discriminator"})


def translate_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return a command line with new words in place of old ones, and a sentence for each.

    >>> translate_arguments(["train", "x.csv", "--ruler", "full", "--start=charts"])[0]
    ['train', 'x.csv', '--power', 'full', '--start=mixture']
    """
    translated: list[str] = []
    sentences: list[str] = []
    before = ""
    for word in arguments:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        option = OPTIONS.get(option, option)
        values = OPTION_VALUES.get(option if equals else before, {}) if equals or not option else {}
        new = f"{option}{equals}{values.get(value, value)}"
        if new != word:
            sentences.append(f"{word} is called {new} now")
        translated.append(new)
        before = option if not equals else ""
    return translated, sentences


def modernise(stored: Any, parent: str = "") -> Any:
    """Return stored JSON with today's keys and names; what users named stays as it is."""
    if isinstance(stored, list):
        return [modernise(each, parent) for each in stored]
    if not isinstance(stored, dict) or parent in _NAMED_BY_USERS:
        return stored
    new: dict[str, Any] = {}
    for key, value in stored.items():
        name = STORED_KEYS.get(f"{parent}.{key}", STORED_KEYS.get(key, key))
        known = STORED_VALUES.get(key, {}) if key != "name" or parent in _NETWORKS else {}
        if key == "name" and parent == "penalties":
            known = STORED_VALUES[parent]
        if name == "metrics" and isinstance(value, list) and all(isinstance(each, str) for each in value):
            value = sorted({STORED_VALUES[name].get(each, each) for each in value})
        new[name] = known.get(value, value) if isinstance(value, str) else modernise(value, key)
    return new


def modernise_tensors(state: dict[str, Any], prefix: str) -> None:
    """Rename the tensors of an earlier version in a state dict that is about to be loaded."""
    for name in list(state):
        if name.startswith(prefix):
            parts = name[len(prefix) :].split(".")
            new = prefix + ".".join(TENSORS.get(part, part) for part in parts)
            state[new] = state.pop(name)
