"""Where each objective and each penalty comes from: one citation line a key."""

from __future__ import annotations

from collections.abc import Iterable

from saddlepoint.errors import InputError, nearest

REFERENCES: dict[str, str] = {
    "goodfellow2014": (
        "Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio (2014). "
        "Generative Adversarial Nets. arXiv:1406.2661"
    ),
    "arjovsky2017principled": (
        "Arjovsky, Bottou (2017). Towards Principled Methods for Training Generative Adversarial Networks. "
        "arXiv:1701.04862"
    ),
    "mao2017": (
        "Mao, Li, Xie, Lau, Wang, Smolley (2017). Least Squares Generative Adversarial Networks. arXiv:1611.04076"
    ),
    "lim2017": "Lim, Ye (2017). Geometric GAN. arXiv:1705.02894",
    "miyato2018": (
        "Miyato, Kataoka, Koyama, Yoshida (2018). Spectral Normalization for Generative Adversarial "
        "Networks. arXiv:1802.05957"
    ),
    "arjovsky2017": "Arjovsky, Chintala, Bottou (2017). Wasserstein GAN. arXiv:1701.07875",
    "gulrajani2017": (
        "Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville (2017). Improved Training of Wasserstein GANs. "
        "arXiv:1704.00028"
    ),
    "jolicoeur2018": (
        "Jolicoeur-Martineau (2018). The relativistic discriminator: a key element missing from standard "
        "GAN. arXiv:1807.00734"
    ),
    "jolicoeur2020": "Jolicoeur-Martineau (2020). On Relativistic f-Divergences. arXiv:1901.02474",
    "sun2020": (
        "Sun, Fang, Schwing (2020). Towards a Better Global Loss Landscape of GANs. arXiv:2011.04926"
    ),
    "huang2024": (
        "Huang, Gokaslan, Kuleshov, Tompkin (2024). The GAN is dead; long live the GAN! A Modern GAN "
        "Baseline. arXiv:2501.05441"
    ),
    "nguyen2010": (
        "Nguyen, Wainwright, Jordan (2010). Estimating divergence functionals and the likelihood ratio by "
        "convex risk minimization. arXiv:0809.0853"
    ),
    "nowozin2016": (
        "Nowozin, Cseke, Tomioka (2016). f-GAN: Training Generative Neural Samplers using Variational "
        "Divergence Minimization. arXiv:1606.00709"
    ),
    "mescheder2018": (
        "Mescheder, Geiger, Nowozin (2018). Which Training Methods for GANs do actually Converge? arXiv:1801.04406"
    ),
}


def cite(keys: Iterable[str]) -> list[str]:
    """Return the citation line of each key, in the order given and each once.

    Raises:
        InputError: a key is not in `REFERENCES`.

    >>> cite(["lim2017", "lim2017"])
    ['Lim, Ye (2017). Geometric GAN. arXiv:1705.02894']
    """
    lines = []
    for key in dict.fromkeys(keys):
        if key not in REFERENCES:
            raise InputError(
                f"No reference is called {key!r}{nearest(key, tuple(REFERENCES))}; "
                f"the references are {', '.join(REFERENCES)}."
            )
        lines.append(REFERENCES[key])
    return lines
