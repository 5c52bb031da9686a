"""Metrics that the field reports, beside the certified bound; nothing is decided by them."""
