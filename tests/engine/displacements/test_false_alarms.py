from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from align_cli.engine.displacements.false_alarms import (
    Chance,
    log10_beta_binomial_tail,
    log10_binomial_tail,
    log10_false_alarms,
    measured_chance,
)

LN10 = math.log(10.0)
PRIOR = 9.0 / 441.0

chances = st.floats(0.001, 0.999)
concentrations = st.floats(0.01, 1e4)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 400))
    return draw(st.integers(1, n)), n


@pytest.mark.parametrize("n", [1, 2, 7, 150, 5000, 20_000])
@pytest.mark.parametrize("p", [1e-5, 0.02, 0.3, 0.5, 0.97])
def test_the_binomial_tail_is_scipys(n: int, p: float) -> None:
    for k in np.unique(np.linspace(1, n, 40).astype(int)).tolist():
        expected = float(stats.binom.logsf(k - 1, n, p)) / LN10
        if math.isfinite(expected):
            assert log10_binomial_tail(k, n, p) == pytest.approx(expected, rel=1e-6, abs=1e-14)


@pytest.mark.parametrize("n", [1, 2, 7, 150, 3000])
@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 9.8), (1.0, 1.0), (30.0, 900.0), (0.1, 0.2)])
def test_the_beta_binomial_tail_is_the_sum_of_its_terms(n: int, alpha: float, beta: float) -> None:
    terms = stats.betabinom.logpmf(np.arange(n + 1), n, alpha, beta)
    for k in np.unique(np.linspace(1, n, 30).astype(int)).tolist():
        expected = float(np.logaddexp.reduce(terms[k:])) / LN10
        found = log10_beta_binomial_tail(k, n, alpha, beta)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_tails_stay_finite_far_down() -> None:
    assert log10_binomial_tail(20_000, 20_000, 1e-60) == pytest.approx(-1_200_000.0)
    assert -1e7 < log10_binomial_tail(20_000, 20_000, 0.0) < -1e6
    assert log10_binomial_tail(1, 3, 0.0) < -300.0
    # P(X = n) of a uniform chance is 1 / (n + 1).
    assert log10_beta_binomial_tail(20_000, 20_000, 1.0, 1.0) == pytest.approx(-math.log10(20_001))
    assert math.isfinite(log10_beta_binomial_tail(20_000, 20_000, 1e-9, 1e6))


@pytest.mark.parametrize("n", [0, 1, 50])
def test_nothing_asked_for_is_certain_and_too_much_impossible(n: int) -> None:
    for k in (-3, 0):
        assert log10_binomial_tail(k, n, 0.3) == 0.0
        assert log10_beta_binomial_tail(k, n, 1.0, 3.0) == 0.0
    assert log10_binomial_tail(n + 1, n, 0.3) == -math.inf
    assert log10_beta_binomial_tail(n + 1, n, 1.0, 3.0) == -math.inf
    if n:
        assert log10_binomial_tail(n, n, 1.0) == 0.0


@given(counts(), chances)
def test_one_trial_more_to_succeed_is_never_likelier(of: tuple[int, int], p: float) -> None:
    k, n = of
    tails = [log10_binomial_tail(each, n, p) for each in (k - 1, k, k + 1)]
    assert 0.0 >= tails[0] >= tails[1] >= tails[2]


@given(counts(), chances, chances)
def test_a_larger_chance_has_a_larger_tail(of: tuple[int, int], p: float, other: float) -> None:
    k, n = of
    low, high = sorted((p, other))
    assert log10_binomial_tail(k, n, low) <= log10_binomial_tail(k, n, high) + 1e-12


@given(counts(), chances, concentrations)
def test_the_beta_binomial_tail_falls_with_the_count_and_grows_with_the_mean(
    of: tuple[int, int], mean: float, concentration: float
) -> None:
    k, n = of

    def tail(least: int, at: float) -> float:
        return log10_beta_binomial_tail(least, n, at * concentration, (1.0 - at) * concentration)

    assert 0.0 >= tail(k - 1, mean) >= tail(k, mean) - 1e-9
    assert tail(k, mean) <= tail(k, mean + 0.5 * (1.0 - mean)) + 1e-9


@given(counts(), chances)
def test_without_spread_the_beta_binomial_law_is_the_binomial_one(
    of: tuple[int, int], p: float
) -> None:
    k, n = of
    beta_binomial = log10_beta_binomial_tail(k, n, p * 1e13, (1.0 - p) * 1e13)
    assert beta_binomial == pytest.approx(log10_binomial_tail(k, n, p), rel=1e-6, abs=1e-9)


def test_spread_keeps_the_tail_from_sharpening_with_the_number_of_tiles() -> None:
    spread, exact = Chance(0.05, 20.0), Chance(0.05, math.inf)
    assert (spread.alpha, spread.beta) == pytest.approx((1.0, 19.0))
    few, many = (
        log10_false_alarms(n // 2, n, spread, tests=1, parameters=0) for n in (100, 10_000)
    )
    # P(chance > 1/2) = 2^-19.
    assert few == pytest.approx(many, abs=0.7)
    assert many == pytest.approx(-19.0 * math.log10(2.0), abs=0.05)
    assert log10_false_alarms(5_000, 10_000, exact, tests=1, parameters=0) < -1000.0


def test_the_tests_made_and_the_fitted_parameters_are_counted() -> None:
    chance = Chance(0.02, math.inf)
    bare = log10_false_alarms(12, 15, chance, tests=1, parameters=0)
    assert bare == pytest.approx(log10_binomial_tail(12, 15, 0.02))
    assert log10_false_alarms(12, 15, chance, tests=1000, parameters=0) == pytest.approx(bare + 3.0)
    for parameters, tiles in ((8, 4), (3, 2), (2, 1), (1, 1)):
        less = log10_false_alarms(12, 15, chance, tests=1, parameters=parameters)
        assert less == pytest.approx(log10_binomial_tail(12 - tiles, 15 - tiles, 0.02))


@pytest.mark.parametrize("stationary", [0, 2, 4])
def test_no_more_stationary_tiles_than_were_fitted_say_nothing(stationary: int) -> None:
    for concentration in (5.0, math.inf):
        chance = Chance(0.02, concentration)
        found = log10_false_alarms(stationary, 4, chance, tests=100, parameters=8)
        assert found == 2.0


def test_an_unknown_spread_makes_no_count_rarer_than_no_spread() -> None:
    found = log10_false_alarms(1, 15, Chance(0.02, 1e-6), tests=1, parameters=0)
    assert found == pytest.approx(log10_binomial_tail(1, 15, 0.02))


def test_the_theoretical_chance_is_the_least() -> None:
    none = measured_chance(np.zeros(20, int), np.full(20, 150), PRIOR)
    assert none.mean == PRIOR
    some = measured_chance(np.full(20, 15), np.full(20, 150), PRIOR)
    assert some.mean == pytest.approx(301.0 / (3000.0 + 49.0))


def test_no_window_leaves_the_theory_and_an_unknown_spread() -> None:
    empty = np.zeros(0, int)
    for chance in (
        measured_chance(empty, empty, PRIOR),
        measured_chance(np.zeros(3, int), np.zeros(3, int), PRIOR),
    ):
        assert chance.mean == PRIOR
        found = log10_false_alarms(90, 100, chance, tests=1, parameters=0)
        assert found == pytest.approx(math.log10(PRIOR), abs=1e-3)


@pytest.mark.parametrize("windows", [3, 6, 20])
def test_windows_that_agree_still_leave_a_spread(windows: int) -> None:
    consensus = measured_chance(np.full(windows, 5), np.full(windows, 100), PRIOR)
    assert consensus.concentration < 100.0 * windows
    more = measured_chance(np.full(4 * windows, 5), np.full(4 * windows, 100), PRIOR)
    assert more.concentration > 2.0 * consensus.concentration


def test_windows_that_differ_have_a_spread() -> None:
    numbers = np.random.default_rng(0)
    rates = numbers.beta(1.0, 19.0, 400)
    found = measured_chance(numbers.binomial(200, rates), np.full(400, 200), PRIOR)
    assert found.concentration == pytest.approx(20.0, rel=0.35)


@pytest.mark.parametrize("windows", [1, 8, 20])
def test_a_single_rival_place_makes_the_chance_large(windows: int) -> None:
    stationary, tested = np.full(windows, 2), np.full(windows, 100)
    stationary[windows // 2] = 90
    chance = measured_chance(stationary, tested, PRIOR)
    assert chance.mean > 0.7
    assert log10_false_alarms(100, 100, chance, tests=1, parameters=0) > -0.2


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=24))
def test_any_counts_give_a_chance(pairs: list[tuple[int, int]]) -> None:
    stationary = np.array([min(pair) for pair in pairs], int)
    tested = np.array([max(pair) for pair in pairs], int)
    chance = measured_chance(stationary, tested, PRIOR)
    assert PRIOR <= chance.mean < 1.0
    assert chance.concentration > 0.0
    assert log10_false_alarms(10, 20, chance, tests=10, parameters=8) <= 1.0


def fewest(chance: Chance, tested: int, log10_level: float) -> int:
    """The fewest stationary tiles with fewer false alarms than 10^log10_level."""
    low, high = 1, tested + 1
    while low < high:
        middle = (low + high) // 2
        if log10_false_alarms(middle, tested, chance, tests=1, parameters=0) < log10_level:
            high = middle
        else:
            low = middle + 1
    return low


@pytest.mark.parametrize("tested", [15, 60, 150])
@pytest.mark.parametrize(
    ("mean", "concentration"), [(0.02, 1e9), (0.02, 100.0), (0.02, 20.0), (0.05, 20.0), (0.1, 10.0)]
)
def test_unrelated_pairs_have_no_more_false_alarms_than_said(
    tested: int, mean: float, concentration: float
) -> None:
    # 20 windows of one pair tell its chance; how often another count of the same pair then has
    # fewer false alarms is known without drawing it.
    numbers = np.random.default_rng(1)
    alpha, beta = mean * concentration, (1.0 - mean) * concentration
    draws = 300
    share = np.zeros(3)
    for _ in range(draws):
        stationary = numbers.binomial(tested, numbers.beta(alpha, beta, 20))
        chance = measured_chance(stationary, np.full(20, tested), PRIOR)
        least = [fewest(chance, tested, -level) for level in (1.0, 2.0, 3.0)]
        share += stats.betabinom.sf(np.array(least) - 1, tested, alpha, beta) / draws
    assert (share <= [1e-1, 1e-2, 1e-3]).all(), share


def test_a_right_answer_is_still_beyond_chance() -> None:
    chance = measured_chance(np.full(20, 3), np.full(20, 150), PRIOR)
    assert log10_false_alarms(105, 150, chance, tests=1, parameters=8) < -20.0
    small = measured_chance(np.tile([0, 0, 1], 7), np.full(21, 15), PRIOR)
    assert log10_false_alarms(12, 15, small, tests=1, parameters=8) < -2.5
