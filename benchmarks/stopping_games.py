"""The parts of `stopping.py` that play real games."""


def remedy(repeats):
    return {}


def share(repeats):
    return {}
