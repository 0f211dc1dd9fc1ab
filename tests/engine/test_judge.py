from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.coordinates import corner_error, inverse
from align_cli.engine.judge import ENOUGH_SHARE, SPOILT, Judge
from align_cli.engine.luma import luma
from align_cli.engine.motion import MODELS
from align_cli.engine.options import DEFAULTS
from align_cli.engine.pair import Pair
from align_cli.engine.robust import LOSSES
from align_cli.engine.target import Target
from tests.photographs import NAMES, cut, photograph, shifted

SIZE = (300, 220)
TRUTH = shifted(-60, -40)


def judge(source: np.ndarray, target: np.ndarray, model: str = "rigid") -> Judge:
    pair = Pair(luma(source), Target(luma(target), DEFAULTS))
    return Judge(pair, model=MODELS[model], loss=LOSSES["tukey"], photometric=True)


def windows(name: str, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    image = photograph(name)
    return cut(image, SIZE, 0, 0, noise=noise), cut(image, SIZE, 60, 40, noise=noise)


@pytest.mark.parametrize("noise", [2.0, 20.0])
@pytest.mark.parametrize("name", NAMES)
def test_at_the_truth_most_tiles_agree_and_elsewhere_few(name: str, noise: float) -> None:
    judged = judge(*windows(name, noise))
    true, wrong = (judged.compared(inverse(shifted(*by))) for by in ((-60, -40), (20, 10)))
    assert true.share >= ENOUGH_SHARE
    assert wrong.share < 0.25
    assert true.agreement > 3.0 * wrong.agreement


@pytest.mark.parametrize("name", NAMES)
def test_a_guess_is_brought_to_rest(name: str) -> None:
    judged = judge(*windows(name))
    guess = inverse(shifted(-55, -44))
    found = judged(guess)
    assert corner_error(found.warp, inverse(TRUTH), SIZE) < 1.0
    assert found.agreement > judged.compared(guess).agreement


def test_a_guess_that_the_solver_would_spoil_stays_as_it_is() -> None:
    # The judge never takes the solver's place where fewer tiles agree.
    source, target = windows("poster")
    source[:, :160] = cut(photograph("scan"), (160, 220), 0, 0)
    judged = judge(source, target, "homography")
    guess = inverse(TRUTH)
    assert SPOILT * judged(guess).agreement >= judged.compared(guess).agreement


def test_without_overlap_nothing_agrees() -> None:
    found = judge(*windows("poster"))(inverse(shifted(5000, 0)))
    assert (found.agreement, found.share) == (0.0, 0.0)


def test_flat_parts_do_not_count() -> None:
    source, target = windows("poster")
    for image, right in ((source, 60), (target, 0)):
        image[:, : 150 + right] = 128  # no noise either
    assert judge(source, target).compared(inverse(TRUTH)).share >= ENOUGH_SHARE


def test_guesses_close_together_are_one() -> None:
    judged = judge(*windows("poster"))
    assert judged.same(inverse(TRUTH), inverse(shifted(-60.5, -40)))
    assert not judged.same(inverse(TRUTH), inverse(shifted(-70, -40)))
