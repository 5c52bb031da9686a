"""Measurements during training: a quick two-sample test, power analysis, the coverage test, stopping rules."""
