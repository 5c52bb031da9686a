"""Write docs/paper.md from paper/results: `python -m docs.make_paper`. Nothing on that page is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs import paper_figures, paper_table1

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
HEAD = """# The paper, recomputed

*Generative Adversarial Nets*, Goodfellow et al. 2014, [arXiv 1406.2661](https://arxiv.org/abs/1406.2661). Every part below was
written by a command (`saddlepoint paper theory | figure1 | figure2 | figure3 | table1`), which keeps its figures as JSON in
[paper/results](../paper/results); this page is made from them by `python -m docs.make_paper`. Commands are shown without the
folders of the machine they ran on.

In short, for who has not the paper at hand: a generator G turns noise z into samples G(z), whose law is called p_g; a
discriminator D(x) tells with which probability x came from the data, whose law is p_data. Both are neural networks, and play
min over G, max over D of V(D, G) = E[log D(x)] + E[log(1 - D(G(z)))]. Of how far p_g is from p_data the paper's measure is the
Jensen-Shannon divergence, JSD: 0 if both are one law, log 2 = 0.693 if they have nothing in common. Logarithms are natural
(nats); pixels go from 0 to 1.

The paper's Algorithm 1 takes k steps of D, then one of G, which descends log(1 - D(G(z))). The authors' code, which Table 1
follows, moves both players at once from the same samples, and its G ascends log D(G(z)) throughout, as the paper advises for
the beginning. What Section 6 of the paper fears, that G maps many z to one x ("the Helvetica scenario"), is watched below
Figure 2 by the spread of the samples.
"""


def quick(results: Path) -> list[str]:
    """Return the table of what --quick takes, where it was measured."""
    path = results / "quick.json"
    if not path.is_file():
        return []
    rows = json.loads(path.read_text())["rows"]
    measured = {row["command"].split()[2] for row in rows.values()}
    missing = [verb for verb in ("theory", "figure1", "figure2", "figure3", "table1") if verb not in measured]
    lines = [
        "## What `--quick` takes",
        "",
        f"A version of far fewer rounds and rows, whose files say so by their names "
        f"({sum(row['says_quick'] for row in rows.values())} of {len(rows)} did). One thread, each run once, the start of "
        "Python included; the machine has two cores and was not idle (load: processes that wished to run). "
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
    """Return what came out, claim by claim, in figures of the results files that are there."""

    def read(name: str) -> dict[str, Any]:
        path = results / f"{name}.json"
        return json.loads(path.read_text()) if path.is_file() else {}

    def score(model: str) -> str:
        found = [
            row["log_likelihood"] for row in read("table1-mnist").get("rows", []) if row["model"] == model
        ]
        spread = f" ({min(found):.1f} to {max(found):.1f} over {len(found)} seeds)" if len(found) > 1 else ""
        return f"{sum(found) / len(found):.1f}{spread}" if found else "not played"

    lines = []
    if steps := read("theory").get("steps"):
        checks = [check["holds"] for step in steps.values() for check in step["checks"]]
        lines.append(
            f"- The argument (Propositions 1 and 2, Theorem 1): {sum(checks)} of {len(checks)} numbers are what it says."
        )
    if game := read("figure1"):
        away = game["kolmogorov"][str(game["rounds"])]
        lines.append(
            f"- Figure 1: a game that ends {away:.3f} from p_data (the largest difference of distribution functions), D "
            f"{game['mean_abs_D_minus_half']:.4f} from 1/2."
        )
    if read("table1-mnist"):
        lines.append(
            f"- Table 1, MNIST, 225 in the paper: the paper's recipe gives {score('goodfellow2014')}; its average of G "
            f"{score('goodfellow2014 + average of G')}; with G's rate times four and a longer average "
            f"{score('goodfellow2014 + fourfold rate of G + average of G')}. The score is no distance: see what real, blurred "
            "and no digits get."
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
            f"- Figure 2: not memorised: copies found in {len(copied)} of {len(figures)} pictures. Good samples only of MNIST "
            "by fully connected players: faces are blurred, of CIFAR-10 there are colours without objects"
            + (f", and samples are much alike in {' and '.join(alike)}." if alike else ".")
        )
    return ["\n".join(["## What came out", "", *lines, ""])] if lines else []


def contents(parts: list[str]) -> str:
    """Return a list of the page's headings with links."""
    titles = [line[3:] for part in parts for line in part.splitlines() if line.startswith("## ")]
    links = [
        f"[{title}](#{''.join(s for s in title.lower().replace(' ', '-') if s.isalnum() or s == '-')})"
        for title in titles
    ]
    return "Contents: " + " · ".join(links) + "\n"


def page(results: Path = RESULTS) -> str:
    """Return the whole page."""
    parts = outcome(results)
    for name in ORDER:
        if (results / f"{name}.md").is_file():
            text = (results / f"{name}.md").read_text()
            parts.append(text.replace("](" + name, "](../paper/results/" + name))
    parts += quick(results)
    found = {json.dumps(json.loads(path.read_text())["versions"]) for path in sorted(results.glob("*.json"))}
    for each in sorted(found):
        parts.append(
            "Versions: " + ", ".join(f"{key} {value}" for key, value in json.loads(each).items()) + ".\n"
        )
    return "\n".join([HEAD, contents(parts), *parts])


def compose(results: Path = RESULTS) -> None:
    """Write the text of the figures and of Table 1 from their JSON; the theory's text comes with its figures."""
    kept = Results(results)
    for name in ORDER:
        if (results / f"{name}.json").is_file() and name != "theory":
            if name.startswith("table1"):
                paper_table1.write(kept, name, data=name.removeprefix("table1-"), quick=False)
            else:
                getattr(paper_figures, name.partition("-")[0])(kept, name, quick=False)


if __name__ == "__main__":
    compose()
    (ROOT / "docs" / "paper.md").write_text(page())
