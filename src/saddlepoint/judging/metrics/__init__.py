"""Metrics that the literature reports, beside the certified bound; they decide nothing."""
