"""Every snippet of README.md runs; every figure in it is that of a results file; every link leads somewhere.

Games are cut to a few rounds here: that the default ones are good is measured by the benchmarks that README names.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from saddlepoint.cli import app
from saddlepoint.fitting import preparation

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.M | re.S)
ROUNDS = 8


@pytest.fixture(scope="module")
def short_games():
    """Let recipes plan a few rounds."""
    adjusted = preparation._with_options

    def cut(plan, choices):
        plan = adjusted(plan, choices)
        settings = dataclasses.replace(plan.settings, horizon=min(ROUNDS, plan.settings.horizon))
        return dataclasses.replace(plan, settings=settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "_with_options", cut)
        yield


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files that README speaks of as the reader's own."""
    folder = tmp_path_factory.mktemp("desk")
    random = np.random.default_rng(0)
    for name, rows in (("points", 600), ("table", 600), ("fake", 600)):
        lines = (f"{a:.6f},{b:.6f}" for a, b in random.normal(size=(rows, 2)))
        (folder / f"{name}.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    for name in ("adult", "adult_test"):
        lines = (
            f"{age},{word},{n}"
            for age, word, n in zip(
                random.integers(17, 90, 400),
                random.choice(["Bachelors", "HS-grad"], 400),
                random.integers(1, 16, 400),
            )
        )
        (folder / f"{name}.csv").write_text("age,education,education-num\n" + "\n".join(lines) + "\n")
    (folder / "gaps.csv").write_text("age,education,education-num\n40,,9\n,HS-grad,\n")
    return folder


def test_python_snippets_run(short_games, desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    names: dict[str, object] = {}
    snippets = [code for language, code in BLOCKS if language == "python"]
    assert len(snippets) >= 4
    for code in snippets:
        exec(compile(re.sub(r"horizon=\d+", "horizon=3", code), "README.md", "exec"), names)
    assert names["more"].shape == (1000, 2)
    assert names["between"].shape == (9, 2)
    said = capsys.readouterr().out
    assert "Goodfellow" in said
    assert "'discriminator_loss'" in said
    printed = next(code for language, code in BLOCKS if language == "text")
    for number in re.findall(r"JSD >= ([\d.]+) nats", printed):
        found = float(re.findall(r"JSD >= ([\d.]+) nats", said)[0])
        assert found == pytest.approx(float(number), abs=2e-3)  # other versions round the referees otherwise


def test_your_own_networks_take_ten_lines():
    snippet = next(code for _, code in BLOCKS if "training.play" in code)
    assert (
        len([line for line in snippet.splitlines() if line and not line.startswith(("import", "from"))]) <= 10
    )


def commands():
    for language, code in BLOCKS:
        if language == "sh":
            yield from (shlex.split(line, comments=True) for line in code.splitlines() if line.strip())


def test_shell_snippets_run(short_games, desk, monkeypatch):
    monkeypatch.chdir(desk)
    verbs = set()
    for first, *arguments in commands():
        if first == "make":
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), flags=re.M)
            continue
        assert first == "saddlepoint"
        if "--rounds" in arguments:
            arguments[arguments.index("--rounds") + 1] = str(ROUNDS + 5)
        if arguments[0] == "judge":
            arguments.append("--quick")
        finished = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert finished.exit_code == 0, arguments
        verbs.add(arguments[0])
    assert verbs == {"train", "sample", "complete", "split", "judge", "draw"}
    assert (desk / "sevens.png").stat().st_size > 100
    assert (desk / "runs" / "points" / "report.html").is_file()
    played = [json.loads(line) for line in (desk / "runs/points/progress.jsonl").read_text().splitlines()]
    assert played[-1]["round"] == ROUNDS + 4


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert len(targets) >= 8
    for target in targets:
        assert target.startswith("https://") or (ROOT / target).exists(), target


def result(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


def percent(share):
    return f"{100 * share:.1f} %"


def test_figures_are_those_of_the_results_files():
    demo = result("demo")
    reader = demo["classifiers"]["perceptron"]
    by_class = result("digits_by_class")["runs"]
    coverage = result("judge_coverage")["rows"]
    judged = sum(row["repeats"] for row in coverage)
    stopping = result("stopping")
    states, remedy, validity = (stopping[part] for part in ("states", "remedy", "validity"))
    right, games = (sum(each[name] for each in states["summary"]) for name in ("right", "of"))
    pictures = result("pictures")["records"]
    mnist = [each for each in pictures if (each["set"], each["row"]) == ("mnist", "ours")]
    bounds = [f"{each['jsd_lower']:.3f}".lstrip("0") for each in mnist]
    drawn = [each for each in pictures if each["row"] == "ours" and each.get("jsd_lower") is not None]
    odd = {each["set"]: f"{each['jsd_lower']:.3f}".lstrip("0") for each in drawn}
    modes = {each["row"]: each for each in pictures if each["set"] == "stacked"}
    above = sum(each["runs_with_any_bound_above_truth"] for each in validity["paths"])
    figures = [
        f"in the right state in {right} of {games};",
        f"in {remedy['full_at_the_end_remedied']} of {remedy['collapsed']} with `--on-collapse remedy`",
        f"above its truth in {above} of {sum(each['runs'] for each in validity['paths'])} runs",
        f"{demo['rounds']:,} rounds; {demo['samples']:,} samples",
        f"{percent(min(reader['shares']))} to {percent(max(reader['shares']))} each",
        f"right on {percent(reader['accuracy on held-out digits'])} of held-out digits; none equals",
        f"{100 * demo['share of samples nearest to a training row (expected 0.5)']:.0f} % of samples are nearer",
        f"at least {percent(min(run['worst'] for run in by_class))} of 1,000 samples",
        f"in {len(by_class)} seeds",
        f"right on {percent(min(run['classifier_accuracy'] for run in by_class))} of held-out",
        f"in {sum(row['above'] for row in coverage)} of {judged:,} judgements, where 5 % ({judged * 0.05:.0f})",
        f"bound {' and '.join(bounds)} nats",
        f"bound {odd['31x47x1']} nats at 31 x 47 grey, {odd['33x33x4']} at 33 x 33 with four channels, {odd['200x64x3']} at",
        f"smooth discs of 31 x 47 {odd['smooth']}:",
        f"no class's share off by more than {percent(max(each['worst_share'] for each in mnist))};",
        f"{modes['ours']['rounds']:,} rounds in {modes['ours']['cpu_seconds'] / 60:.0f} CPU minutes of one core: "
        f"{modes['ours']['modes']:,} of 1,000 modes",
        f"KL {modes['ours']['kl']:.2f} nats (real pictures {modes['real']['kl']:.2f}); DCGAN with the same networks and "
        f"rounds {modes['dcgan']['modes']}, KL {modes['dcgan']['kl']:.2f}",
        f"the classifier accuracy is {100 * modes['ours']['accuracy']:.0f} % on held-out pictures",
    ]
    assert [figure for figure in figures if figure not in README] == []
    assert demo["samples equal to a training row"] == 0


def test_table_1_is_that_of_its_results_file():
    rows = json.loads((ROOT / "paper" / "results" / "table1-mnist.json").read_text())["rows"]

    def scores(model):
        found = [row for row in rows if row["model"] == model]
        assert sorted(row["seed"] for row in found) == list(range(len(found)))
        return np.array([row["log_likelihood"] for row in found]), np.mean([row["seconds"] for row in found])

    faithful, _ = scores("goodfellow2014")
    averaged, _ = scores("goodfellow2014 + average of G")
    fourfold, seconds = scores("goodfellow2014 + fourfold rate of G + average of G")
    narrow, short = scores("narrow modern + linear units + steady rates")
    assert len(faithful) == len(averaged) == len(fourfold) == 3
    figures = [
        f"the paper's recipe, three seeds: {faithful.mean():.1f} after 125,000 rounds ({averaged.mean():.1f} by the average "
        "of G)",
        f"a long average of G, three seeds: {fourfold.mean():.1f} in {seconds / 60:.0f} CPU minutes",
        f"gets {narrow.mean():.0f} in {short:.0f} CPU seconds",
        f"real rows get {scores('real rows')[0][0]:.1f}, blurred ones {scores('real rows blurred')[0][0]:.1f}",
    ]
    assert [figure for figure in figures if figure not in README] == []


def test_the_picture_is_small_and_made_by_a_command():
    picture = ROOT / "docs" / "images" / "digits.png"
    assert 5_000 < picture.stat().st_size < 60_000
    assert "docs.make_picture" in (ROOT / "Makefile").read_text()
