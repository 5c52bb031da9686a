"""A reproduction of Generative Adversarial Nets (Goodfellow et al. 2014, arXiv 1406.2661): theorems, figures, Table 1."""
