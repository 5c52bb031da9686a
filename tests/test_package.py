"""The package from outside: light to import, whole in a wheel, one source of names."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from saddlepoint import names
from saddlepoint.compute import PRECISIONS
from saddlepoint.objectives import DIVERGENCES, OBJECTIVES
from saddlepoint.paper.games import GAMES
from saddlepoint.paper.table1 import CONTROLS
from saddlepoint.recipes import _RECIPES

HEAVY = ("torch", "numpy", "sklearn", "pandas", "matplotlib", "scipy", "PIL", "pyarrow")
ROOT = Path(__file__).parent.parent


def modules_after(statement: str) -> set[str]:
    program = f"import sys\ntry:\n    {statement}\nexcept SystemExit: pass\nprint('LOADED', *sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(finished.stdout.split("LOADED")[-1].split())


@pytest.mark.parametrize(
    "statement",
    [
        "import saddlepoint",
        "import saddlepoint.cli; sys.argv = ['saddlepoint', '--help']; saddlepoint.cli.main()",
        "import saddlepoint.cli; sys.argv = ['saddlepoint', 'train', '--help']; saddlepoint.cli.main()",
    ],
)
def test_import_and_help_load_nothing_heavy(statement: str) -> None:
    assert not modules_after(statement) & set(HEAVY)


def test_public_names_are_there_when_asked_for() -> None:
    import saddlepoint as sp

    for name in sp.__all__:
        assert getattr(sp, name)
    assert set(sp.__all__) <= set(dir(sp))
    with pytest.raises(AttributeError, match="no attribute 'GANN'"):
        _ = sp.GANN


def test_names_are_those_of_the_rooms() -> None:
    assert tuple(OBJECTIVES) == names.OBJECTIVES
    assert set(DIVERGENCES) <= set(OBJECTIVES)
    assert set(names.PRECISIONS) == set(PRECISIONS)
    assert set(names.RECIPES) == {"auto", *_RECIPES}
    assert tuple(GAMES) == names.PAPER_GAMES
    assert tuple(CONTROLS) == names.PAPER_CONTROLS


@pytest.mark.slow
def test_a_wheel_outside_the_repository_trains_digits(tmp_path: Path) -> None:
    """The wheel holds every module, template and marker, and its own copy runs, not the repository's."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "home"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home)
    sources = {path.relative_to(ROOT / "src") for path in (ROOT / "src" / "saddlepoint").rglob("*.*")}
    wanted = {path for path in sources if path.suffix in (".py", ".html", ".typed")}
    assert {path for path in wanted if not (home / path).is_file()} == set()
    program = (
        f"import saddlepoint, sys; assert saddlepoint.__file__.startswith({str(home)!r}), saddlepoint.__file__\n"
        "from saddlepoint.cli import main\n"
        "sys.argv = ['saddlepoint', 'train', 'digits', '--rounds', '5', '--capacity', 'small', '--quiet']; main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(home), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("all 5 rounds are played")
    assert (tmp_path / "runs" / "digits" / "report.html").is_file()
