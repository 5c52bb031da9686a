"""Generative Adversarial Nets (Goodfellow et al. 2014, arXiv 1406.2661), recomputed: its theorems, figures and table."""
