"""Write docs/paper.md from paper/results: `python docs/make_paper.py`. Nothing on that page is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path

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
[paper/results](../paper/results); this page is made from them by `python docs/make_paper.py`. Commands are shown without the
folders of the machine they ran on.

In short, for who has not the paper at hand: a generator G turns noise z into samples G(z), whose law is called p_g; a
discriminator D(x) tells with which probability x came from the data, whose law is p_data. Both are neural networks, and play
min over G, max over D of V(D, G) = E[log D(x)] + E[log(1 - D(G(z)))]. Of how far p_g is from p_data the paper's measure is the
Jensen-Shannon divergence, JSD: 0 if both are one law, log 2 = 0.693 if a glance tells them apart. Logarithms are natural
(nats); pixels go from 0 to 1.
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
        f"A version of far fewer rounds and rows, which says so on its page "
        f"({sum(row['says_quick'] for row in rows.values())} of {len(rows)} did). One thread, each run once, the start of "
        "Python included; the machine has two cores and was not idle (load: processes that wished to run). "
        "Written by `python benchmarks/paper_quick.py mnist.npz cifar10.npz`.",
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


def page(results: Path = RESULTS) -> str:
    """Return the whole page."""
    parts = [HEAD]
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
    return "\n".join(parts)


if __name__ == "__main__":
    (ROOT / "docs" / "paper.md").write_text(page())
