"""Write docs/paper.md from paper/results: `python -m docs.make_paper`. No result on that page is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs import paper_figures, paper_table1

from saddlepoint.paper import theory
from saddlepoint.paper.results import Results

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "paper" / "results"
ORDER = (
    "table1-mnist",
    "table1-faces",
    "figure1",
    "figure2-mnist",
    "figure2-faces",
    "figure2-cifar10",
    "figure2-mnist-conv",
    "figure2-faces-conv",
    "figure2-cifar10-conv",
    "figure3",
    "theory",
)
HEAD = """# A reproduction of the paper

*Generative Adversarial Nets*, Goodfellow et al. 2014, [arXiv 1406.2661](https://arxiv.org/abs/1406.2661). Every part below was
written by a command (`saddlepoint paper theory | figure1 | figure2 | figure3 | table1`), which stores its results as JSON in
[paper/results](../paper/results); this page is made from them by `python -m docs.make_paper`. Commands are shown without the
folders of the machine on which they ran.

The paper in short: a generator G maps noise z to samples G(z), whose distribution is called p_g. A discriminator D(x) gives the
probability that x came from the data, whose distribution is p_data. Both are neural networks, and they play min over G, max
over D of V(D, G) = E[log D(x)] + E[log(1 - D(G(z)))]. The paper measures the distance of p_g from p_data by the Jensen-Shannon
divergence (JSD): 0 if both are equal, log 2 = 0.693 if their supports are disjoint. Logarithms are natural (nats); pixels are
between 0 and 1.

The paper's Algorithm 1 takes k steps of D, then one of G, which descends log(1 - D(G(z))). The authors' code, which Table 1
follows, updates both players at once from the same samples, and its G ascends log D(G(z)) throughout, as the paper recommends
for early training. Section 6 of the paper warns that G may map many z to one x ("the Helvetica scenario", mode collapse); below
Figure 2 this is measured by the spread of the samples.
"""
_TERMS = {
    "(a) The best discriminator": "(a) The optimal discriminator",
    "A perceptron D of 2 x 48 units was trained to the end against two known laws on a grid (expectations as sums, nothing "
    "sampled)": "An MLP D of 2 x 48 units was trained to convergence against two known distributions on a grid (expectations "
    "are sums, nothing is sampled)",
    "A D trained to the end is the ratio of the two densities in disguise": "A D trained to convergence estimates the ratio of "
    "the two densities",
    "(b) What the game is worth": "(b) The value of the game",
    "is reached at p_g = p_data alone.": "is reached only at p_g = p_data.",
    "V at D* was summed as it stands (equation 1 with D* put in) for 625 normal laws p_g": "V at D* was summed directly "
    "(equation 1 with D* inserted) for 625 normal distributions p_g",
    "V under a perfect D is a distance in disguise; under a D that is not perfect it is a lower bound for it. So a loss curve "
    "near -log 4 says that D was beaten, or that D was weak.": "V under the optimal D is a distance between p_data and p_g, up "
    "to a constant; under any other D it is a lower bound of it. So a loss curve near -log 4 shows either that G is good or "
    "that D is weak.",
    "(c) Saddle or not": "(c) Minimax duality",
    "Whether the order of min and max matters the paper does not ask; its proofs move densities p_g themselves (Proposition "
    "2), where V is linear in p_g and concave in D, and there it does not: min max": "The paper does not ask whether the order "
    "of min and max matters. Its proofs update the density p_g itself (Proposition 2), where V is linear in p_g and concave in "
    "D, and there it does not matter: min max",
    "p_data = two normal laws at -2 and 2. G may be one normal law N(m, 1): min max by going through 161 means, max min over "
    "mixtures of those laws (the same number, and a convex problem), bounded from both sides.": "p_data is a mixture of two "
    "normal distributions at -2 and 2. G may be one normal distribution N(m, 1). Min max was found by trying 161 means, max "
    "min as a minimum over mixtures of those distributions (the same number, and a convex problem), bounded from both sides.",
    "so that both halves of its duality gap are exact": "so that both terms of its duality gap are exact",
    "smallest (first half + log 4)": "smallest (first term + log 4)",
    "largest second half + log 4": "largest second term + log 4",
    "estimated first half after 10 steps": "estimated first term after 10 steps",
    "largest estimate minus the true half": "largest estimate minus the true term",
    "With single normal laws for G the order matters by 0.376 nats: no G answers every D, only a mixture of Gs does, and the "
    "game has no saddle point. The gap of a played game (Grnarova et al. 2018, arXiv 1811.05512) is max over D' of V(G, D') "
    "minus min over G' of V(G', D): its first half is -log 4 + 2 JSD, so that G still owes 2 JSD; its second is -log 4 less "
    "what D owes. Each is found by training a fresh player, which never gets past the true optimum: an estimated gap is a "
    "lower bound, so a small one proves nothing, and it holds D's faults against G.": "If G is one normal distribution, the "
    "order matters by 0.376 nats: no G is optimal against every D, only a mixture of Gs is, and the game has no saddle point. "
    "The duality gap of a game (Grnarova et al. 2018, arXiv 1811.05512) is max over D' of V(G, D') minus min over G' of V(G', "
    "D). Its first term is -log 4 + 2 JSD, so 2 JSD is G's part of the gap; its second term is -log 4 minus D's part. Each "
    "term is estimated by training a new player, which never exceeds the true optimum. So an estimated gap is a lower bound: a "
    "small one proves nothing, and it counts the weaknesses of D against G.",
    "(d) Thin sets": "(d) Low-dimensional support",
    "there is no such density, and that step, as we read it, is loose.": "there is no such density, so that step, as we read "
    "it, needs an assumption.",
    "Two thin sets a gap apart: exactly,": "The JSD of two disjoint curves a gap apart: exactly,",
    "scores C(G) = 0, its worst, and no gradient says which of them is nearer. The same noise on both sides grades them (the "
    "ladder of `saddlepoint judge`)": "scores C(G) = 0, the worst value, and no gradient shows which of them is nearer. The "
    "same noise on both sides tells them apart (the noise-smoothed bounds of `saddlepoint judge`)",
    "(e) Each dimension apart": "(e) Independent marginals",
    "A density over x is hard, which is why the paper learns a sampler. The cheapest way out, which it does not speak of, "
    "would be to model every dimension for itself.": "A density over x is hard to learn, which is why the paper learns a "
    "sampler. The simplest alternative, which the paper does not discuss, is to model every dimension independently.",
    "4,000 points of a ring of 8 normal laws; the coordinates shuffled apart (both marginals perfect)": "4,000 points of a "
    "ring of 8 normal distributions; each coordinate shuffled independently (both marginals are perfect)",
    "that starts from plain noise, judged": "that starts from noise, judged",
    "each dimension apart, the judge's bound": "independent marginals, the judge's bound",
    "Perfect marginals are 0.221 nats of 0.693 away; D, who sees both coordinates at once, is what tells G how they belong "
    "together.": "Perfect marginals are 0.221 nats away, of at most 0.693. D sees both coordinates at once, so it teaches G "
    "how they depend on each other.",
    "Exact gradients for two normal laws a distance apart, checked by automatic differentiation; and a real game that starts 6 "
    "standard deviations away, D five steps ahead in each round.": "Exact gradients for two normal distributions at a distance "
    "from each other, checked by automatic differentiation; and a real game that starts 6 standard deviations away, with five "
    "steps of D per round.",
    "Both gradients add up to the distance; where D is sure nearly all of it is in -log D (at 6": "The two gradients add up to "
    "the distance. Where D is certain, nearly all of it is the gradient of -log D (at 6",
    "with enough capacity and D at its best in each round": "with enough capacity and an optimal D in each round",
    "(Perceptrons and joint updates void its assumptions; a run shows what happens.)": "(Neural networks and simultaneous "
    "updates violate its assumptions; a run shows what happens.)",
    "points of a known law on the line, noise of one dimension, with a light R1 penalty, falling rates and the average of G; "
    "20,000 samples compared with the exact law.": "points of a known distribution on the line, with noise of one dimension, a "
    "small R1 penalty, falling learning rates and the average of G; 20,000 samples compared with the exact distribution.",
    "D at 1/2 is what a won game looks like; a D too weak to see a difference looks the same, which is why the distance to the "
    "data is measured apart from D.": "D is 1/2 when G has reached the data. A D too weak to see a difference is also 1/2, so "
    "the distance to the data is measured without D.",
}
"""Sentences as theory.json stores them, and in today's terms: those of `saddlepoint.paper.theory`, which a new run stores."""


def quick(results: Path) -> list[str]:
    """Return the table of the times of --quick, if they were measured."""
    path = results / "quick.json"
    if not path.is_file():
        return []
    rows = json.loads(path.read_text())["rows"]
    measured = {row["command"].split()[2] for row in rows.values()}
    missing = [verb for verb in ("theory", "figure1", "figure2", "figure3", "table1") if verb not in measured]
    lines = [
        "## Times of `--quick`",
        "",
        f"A version with far fewer rounds and rows, whose files have `quick` in their names "
        f"({sum(row['says_quick'] for row in rows.values())} of {len(rows)} did). One thread, each command run once, the start "
        "of Python included; the machine has two cores and was not idle (load: mean number of processes ready to run). "
        "Written by `python -m benchmarks.paper_quick mnist.npz cifar10.npz`.",
        "",
        "| command | CPU s | wall s | load |",
        "|---|---|---|---|",
        *(
            f"| `{row['command']}` | {row['cpu_seconds']:.0f} | {row['wall_seconds']:.0f} | {row['load']:.0f} |"
            for row in rows.values()
        ),
        *(["", f"Not measured yet: {', '.join(missing)}."] if missing else []),
        "",
    ]
    return ["\n".join(lines)]


def outcome(results: Path) -> list[str]:
    """Return a summary of the results files that exist, one line for each claim."""

    def read(name: str) -> dict[str, Any]:
        path = results / f"{name}.json"
        return json.loads(path.read_text()) if path.is_file() else {}

    def score(model: str) -> str:
        scores = [
            row["log_likelihood"] for row in read("table1-mnist").get("rows", []) if row["model"] == model
        ]
        spread = (
            f" ({min(scores):.1f} to {max(scores):.1f} over {len(scores)} seeds)" if len(scores) > 1 else ""
        )
        return f"{sum(scores) / len(scores):.1f}{spread}" if scores else "not played"

    lines = []
    if steps := read("theory").get("steps"):
        checks = [check["holds"] for step in steps.values() for check in step["checks"]]
        lines.append(
            f"- Theory (Propositions 1 and 2, Theorem 1): {sum(checks)} of {len(checks)} checked numbers agree with it."
        )
    if game := read("figure1"):
        away = game["kolmogorov"][str(game["rounds"])]
        lines.append(
            f"- Figure 1: a game that ends at a distance of {away:.3f} from p_data (the largest difference of distribution "
            f"functions), with D {game['mean_abs_D_minus_half']:.4f} from 1/2."
        )
    if read("table1-mnist"):
        lines.append(
            f"- Table 1, MNIST, 225 in the paper: the paper's recipe gives {score('goodfellow2014')}; its average of G "
            f"{score('goodfellow2014 + average of G')}; with four times G's learning rate and a longer average "
            f"{score('goodfellow2014 + fourfold rate of G + average of G')}. The score is not a distance: compare the scores "
            "of real and blurred digits and of k-means centres."
        )
    figures = {
        name.removeprefix("figure2-"): read(name)
        for name in ORDER
        if name.startswith("figure2-") and read(name)
    }
    if figures:
        copied = [name for name, each in figures.items() if each["copying"]["copying"]]
        alike = [name for name, each in figures.items() if each["spread"][0] < each["spread"][1] / 2]
        lines.append(
            f"- Figure 2: no memorisation: copies found in {len(copied)} of {len(figures)} figures. Samples are good only for "
            "MNIST with fully connected networks: faces are blurred, CIFAR-10 samples have the colours but show no objects"
            + (f", and samples are all similar in {' and '.join(alike)}." if alike else ".")
        )
    return ["\n".join(["## Summary", "", *lines, ""])] if lines else []


def contents(parts: list[str]) -> str:
    """Return the table of contents: the page's headings with links."""
    titles = [line[3:] for part in parts for line in part.splitlines() if line.startswith("## ")]
    links = [
        f"[{title}](#{''.join(s for s in title.lower().replace(' ', '-') if s.isalnum() or s == '-')})"
        for title in titles
    ]
    return "Contents: " + " · ".join(links) + "\n"


def page(results: Path = RESULTS) -> str:
    """Return the complete page."""
    parts = outcome(results)
    for name in ORDER:
        if (results / f"{name}.md").is_file():
            text = (results / f"{name}.md").read_text()
            parts.append(text.replace("](" + name, "](../paper/results/" + name))
    parts += quick(results)
    versions = {
        json.dumps(json.loads(path.read_text())["versions"]) for path in sorted(results.glob("*.json"))
    }
    for each in sorted(versions):
        parts.append(
            "Versions: " + ", ".join(f"{key} {value}" for key, value in json.loads(each).items()) + ".\n"
        )
    return "\n".join([HEAD, contents(parts), *parts])


def compose(results: Path = RESULTS) -> None:
    """Write the Markdown of the theory, the figures and Table 1 from their JSON files."""
    stored = Results(results)
    for name in ORDER:
        if not (results / f"{name}.json").is_file():
            continue
        if name == "theory":
            theory.page(stored, name, quick=False)
            path = results / f"{name}.md"
            text = path.read_text()
            for old, new in _TERMS.items():
                text = text.replace(old, new)
            path.write_text(text)
        elif name.startswith("table1"):
            paper_table1.write(stored, name, data=name.removeprefix("table1-"), quick=False)
        else:
            getattr(paper_figures, name.partition("-")[0])(stored, name, quick=False)


if __name__ == "__main__":
    compose()
    (ROOT / "docs" / "paper.md").write_text(page())
