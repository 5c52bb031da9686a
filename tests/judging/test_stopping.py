"""States as a pure function of checks: every state is reached, none comes from noise."""

import dataclasses
import math

import numpy as np
import pytest

from saddlepoint.errors import InputError
from saddlepoint.judging.monitor.power import jsd_of_missing, missing_of_jsd, tolerance_of
from saddlepoint.judging.monitor.stopping import STATES, Check, Rules, best_of, safest_of, state_of, states_of

RULES = Rules(tolerance=0.0176, found=1.0, planned=24)


def check(round_, estimate, error=0.002, **more):
    lower = max(0.0, estimate - 4 * error)
    return Check(
        round=round_,
        estimate=estimate,
        error=error,
        lower=lower,
        upper=estimate + 4 * error,
        floor=0.002,
        **more,
    )


def game(values, **more):
    return [check(50 * i, value, **more) for i, value in enumerate(values)]


def test_every_state_is_reached_and_says_why():
    falling = [0.5 * 0.8**i for i in range(12)]
    lost = [*game(falling[:4]), *(check(50 * i, 0.3, missing=("the region around (2, 0)",)) for i in (4, 5))]
    sequences = {
        "improving": (game(falling[:5]), False),
        "reached": (game([0.2, 0.05, 0.001]), False),
        "plateau": (game([0.05 + 0.0002 * (-1) ** i for i in range(8)]), False),
        "diverging": (game([0.2, 0.05, 0.3, 0.4, 0.5]), False),
        "collapsed": (lost, False),
        "memorising": ([check(10, 0.2, copies="five exact copies")], False),
        "budget": (game(falling[:5]), True),
    }
    assert set(sequences) == set(STATES)
    for name, (checks, spent) in sequences.items():
        state = state_of(checks, RULES, spent=spent)
        assert (state.name, bool(state.evidence)) == (name, True)
        assert state == state_of(list(checks), RULES, spent=spent)
    assert (
        "the region around (2, 0) gets (almost) no samples since the check at round 200"
        in state_of(lost, RULES).evidence
    )


def test_without_checks_nothing_is_claimed():
    assert state_of([], RULES).name == "improving"
    assert state_of([], RULES, spent=True).name == "budget"


def test_reached_needs_the_ruler_and_only_grows_with_the_tolerance():
    checks = game([0.001])
    for found in (None, 0.6):
        assert state_of(checks, dataclasses.replace(RULES, found=found)).name == "improving"
    states = [
        state_of(checks, dataclasses.replace(RULES, tolerance=x)).name for x in np.linspace(1e-3, 0.1, 30)
    ]
    assert states == sorted(states)  # "improving" before "reached", never back
    assert set(states) == {"improving", "reached"}


def test_a_certified_difference_is_never_reached():
    assert state_of([dataclasses.replace(check(1, 0.001), lower=1e-6)], RULES).name == "improving"


def test_a_bad_start_that_comes_back_is_not_diverging():
    assert state_of(game([0.02, 0.5, 0.4, 0.3]), RULES).name == "improving"


def test_where_all_is_told_apart_the_trend_is_that_after_noise():
    def blind(round_, coarse):
        return dataclasses.replace(check(round_, 0.68), coarse=coarse, coarse_error=0.003)

    assert state_of([blind(i, 0.5 - 0.03 * i) for i in range(9)], RULES).name == "improving"
    assert state_of([blind(i, 0.5) for i in range(9)], RULES).name == "plateau"
    assert (
        state_of(game([0.68] * 9), RULES).name == "plateau"
    )  # no rung, no news: the distance itself is flat
    assert best_of([blind(i, 0.5 - 0.03 * i) for i in range(9)]) == 8


def test_a_region_not_covered_yet_is_no_collapse_while_the_distance_falls():
    gone = ("the region around (0, 0)",)
    falling = [check(i, 0.5 - 0.05 * i, missing=gone) for i in range(6)]
    assert [state.name for state in states_of(falling, RULES)] == ["improving"] * 6
    assert "not covered yet" in state_of(falling, RULES).evidence
    flat = [check(i, 0.3, missing=gone) for i in range(3)]
    assert [state.name for state in states_of(flat, RULES)] == ["improving", "improving", "collapsed"]


def test_modes_that_come_and_go_before_anything_is_learnt_are_no_collapse():
    lost = ("the region around (2, 0)",)
    restless = [check(0, 0.69), *(check(50 * i, 0.6, missing=lost) for i in range(1, 6))]
    assert {state.name for state in states_of(restless, RULES)} == {"improving"}
    stuck = [*restless, check(300, 0.6, missing=lost)]
    assert state_of(stuck, RULES).name == "collapsed"  # six in a row: it does not get away from there
    learnt = [check(0, 0.69), check(50, 0.2), *(check(50 * i, 0.5, missing=lost) for i in (2, 3))]
    assert state_of(learnt, RULES).name == "collapsed"


def test_the_best_check_is_one_without_an_alarm():
    checks = [check(0, 0.3), check(1, 0.1, missing=("a",)), check(2, 0.2)]
    assert best_of(checks) == 2
    assert best_of(checks[1:2]) == 0
    assert best_of([]) is None


def test_what_has_learnt_nothing_is_not_kept_for_covering_all_regions():
    lost = check(300, 0.07, missing=("a",))
    assert best_of([check(0, 0.63), lost]) == 1
    assert best_of([check(0, 0.63), check(100, 0.3), lost]) == 1  # learnt a little, and every region is there
    assert best_of([check(0, 0.63), check(100, 0.55, missing=("a",))]) == 0


def test_the_safest_check_has_the_fewest_lost_regions():
    lost = [check(0, 0.3), check(1, 0.1, missing=("a",)), check(2, 0.2, missing=("a", "b")), check(3, 0.25)]
    assert safest_of(lost) == 3
    assert safest_of(lost[:3]) == 0
    assert safest_of(lost[1:3]) == 0
    assert safest_of([]) is None
    narrow = [check(0, 0.3, narrow=("a",)), check(1, 0.1, missing=("b",))]
    assert (safest_of(narrow), best_of(narrow)) == (0, 1)  # all modes are there, if too narrow: a way back


def test_no_state_comes_from_noise():
    """400 games of 24 checks at a constant law: diverging in at most 5 % (0.05 by construction, 3 sigma of slack)."""
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        names = {s.name for s in states_of(game(random.normal(0.05, 0.002, 24)), RULES)}
        wrong += bool(names - {"improving", "plateau"})
    assert wrong <= 0.05 * 400 + 3 * math.sqrt(0.05 * 0.95 * 400)


def test_a_game_that_improves_by_a_tenth_a_check_is_left_to_play():
    """200 games from .3 down by a tenth a check with noise: stopped as a plateau while above .03 in at most 2 %."""
    random = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        true = 0.3 * 0.9 ** np.arange(21)
        wrong += "plateau" in {s.name for s in states_of(game(random.normal(true, 0.002)), RULES)}
    assert wrong <= 4


def test_a_plain_fall_is_progress_even_under_the_floor_of_few_rows():
    values = [0.2 - 0.008 * i + 0.001 * (-1) ** i for i in range(8)]
    checks = [dataclasses.replace(each, floor=0.05) for each in game(values)]
    assert state_of(checks, RULES).name == "improving"


def test_checks_survive_json():
    one = check(5, 0.1, missing=("a",), narrow=("b",), copies="c", coarse=0.2, coarse_error=0.1)
    assert Check.from_dict({**one.to_dict(), "state": "improving"}) == one


@pytest.mark.parametrize(
    ("mass", "jsd"), [(0.01, 0.003478), (0.05, 0.017649), (0.125, 0.045407), (0.5, 0.215762)]
)
def test_the_jsd_of_a_missing_mass(mass, jsd):
    """Against the table of known truths, the discrete JSD, and its own inverse."""
    assert jsd_of_missing(mass) == pytest.approx(jsd, abs=1e-6)
    p, q = np.array([mass, 1 - mass]), np.array([0.0, 1.0])
    m = (p + q) / 2
    direct = sum(x * math.log(x / y) for side in (p, q) for x, y in zip(side, m) if x > 0) / 2
    assert jsd_of_missing(mass) == pytest.approx(direct, rel=1e-12)
    assert missing_of_jsd(jsd_of_missing(mass)) == pytest.approx(mass, rel=1e-8)


def test_a_missing_mass_is_monotone_from_0_to_log_2():
    masses = np.linspace(0, 1, 201)
    values = [jsd_of_missing(float(m)) for m in masses]
    assert values[0] == 0
    assert values[-1] == pytest.approx(math.log(2))
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("given", ["", "much", "0", "0.7", "-1", "0%", "100%", "1.2.3 %", "nan"])
def test_a_tolerance_that_is_none_is_told(given):
    with pytest.raises(InputError, match="neither a number of nats"):
        tolerance_of(given)
