from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine import selfcheck
from align_cli.engine.equations import dense as moments
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.numerics.losses import LOSSES, Loss
from align_cli.engine.records import Status
from align_cli.engine.selfcheck import (
    DerivativeCheck,
    RecoveryCheck,
    derivative_checks,
    known_warp,
    recovery_checks,
)
from tests.scenes import Pair, pair

SIZE = (100, 84)
SETTINGS = [
    (model, loss, photometric)
    for model in MODELS
    for loss in LOSSES
    for photometric in (True, False)
]


def images(**changes: object) -> Pair:
    return pair("affine", seed=6, size=SIZE, move_px=1.0, noise=0.01, gain=0.9, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def checks() -> dict[tuple[str, str, bool], DerivativeCheck]:
    made = images()
    return {
        (check.model, check.loss, check.photometric): check
        for check in derivative_checks(made.source, made.target)
    }


@pytest.mark.parametrize(
    "setting", SETTINGS, ids=lambda s: f"{s[0]}-{s[1]}-{'illumination' * s[2]}"
)
def test_every_derivative_agrees_with_central_finite_differences(
    setting: tuple[str, str, bool], checks: dict[tuple[str, str, bool], DerivativeCheck]
) -> None:
    assert checks[setting].difference <= 1e-5
    assert checks[setting].passed


def test_every_setting_is_checked_once(
    checks: dict[tuple[str, str, bool], DerivativeCheck],
) -> None:
    assert list(checks) == SETTINGS


@pytest.mark.parametrize("kind", ["uint8", "holes", "other sizes"])
def test_the_derivatives_agree_on_every_kind_of_image(kind: str) -> None:
    made = {
        "uint8": lambda: images(dtype="uint8", channels=3),
        "holes": images,
        "other sizes": lambda: images(source_size=(83, 111)),
    }[kind]()
    if kind == "holes":
        made.source[20:30, 15:33] = np.nan
        made.target[50:58, 60:73] = np.nan
    assert max(c.difference for c in derivative_checks(made.source, made.target)) <= 1e-5


@pytest.mark.parametrize("column", ["jacobian_x", "jacobian_y"])
@pytest.mark.parametrize("name", MODELS)
def test_a_wrong_sign_in_a_jacobian_is_found(
    name: str, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = getattr(MODELS[name], column).copy()
    row = np.flatnonzero(table.any(axis=1))[-1]
    table[row] *= -1.0
    monkeypatch.setitem(MODELS, name, dataclasses.replace(MODELS[name], **{column: table}))
    made = images()
    passed = {c.model: c.passed for c in derivative_checks(made.source, made.target)}
    assert passed == {model: model != name for model in MODELS}


def test_a_weight_that_is_not_its_losss_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    huber = LOSSES["huber"]
    wrong = Loss("huber", huber.constant, LOSSES["lorentzian"].rho, huber.weigh, huber.slope)
    monkeypatch.setitem(LOSSES, "huber", wrong)
    made = images()
    passed = {c.loss: c.passed for c in derivative_checks(made.source, made.target)}
    assert passed == {loss: loss != "huber" for loss in LOSSES}


def test_a_wrong_sum_of_the_light_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = moments.RowEquations.sums

    def wrong(*arguments: object, **settings: object) -> moments.Sums:
        sums = right(*arguments, **settings)  # type: ignore[arg-type]
        sums.vector[-1] *= -1.0
        return sums

    monkeypatch.setattr(moments.RowEquations, "sums", wrong)
    made = images()
    passed = [
        (c.photometric, c.passed)
        for c in derivative_checks(made.source, made.target)
        if c.model == "rigid"
    ]
    assert passed == [(True, False), (False, True)] * len(LOSSES)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_known_warps_of_an_image_are_recovered(dtype: str) -> None:
    found = recovery_checks(images(dtype=dtype).source)
    assert [check.model for check in found] == list(MODELS)
    for check in found:
        assert check.status is Status.CONVERGED
        assert check.error_px < 0.05
        assert check.passed


def test_recovery_fails_when_a_model_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    rigid = MODELS["rigid"]
    # From so near the secant steps get over one wrong sign; that is for the derivatives' check.
    broken = dataclasses.replace(rigid, jacobian_x=-rigid.jacobian_x, jacobian_y=-rigid.jacobian_y)
    monkeypatch.setitem(MODELS, "rigid", broken)
    found = {check.model: check.passed for check in recovery_checks(images().source)}
    assert not found["rigid"]


def test_what_passes() -> None:
    assert DerivativeCheck("rigid", "l2", True, 1e-5).passed
    assert not DerivativeCheck("rigid", "l2", True, 1.1e-5).passed
    assert not DerivativeCheck("rigid", "l2", True, float("nan")).passed
    assert RecoveryCheck("rigid", Status.CONVERGED, 0.1).passed
    assert RecoveryCheck("rigid", Status.AMBIGUOUS, 0.1).passed
    assert not RecoveryCheck("rigid", Status.CONVERGED, 0.11).passed
    assert not RecoveryCheck("rigid", Status.ITERATION_LIMIT, 0.0).passed


@pytest.mark.parametrize(
    ("status", "error_px", "bound_px", "undetermined"),
    [
        (Status.SINGULAR, 9.0, np.inf, True),
        (Status.SINGULAR, 9.0, np.nan, True),
        (Status.AMBIGUOUS, 9.0, 0.01, True),
        (Status.AMBIGUOUS, 0.01, np.inf, False),  # found all the same
        (Status.SINGULAR, 9.0, 0.01, False),  # a refusal that the texture does not excuse
        (Status.CONVERGED, 9.0, np.inf, False),  # a wrong answer that was called right
    ],
)
def test_what_is_left_open(
    status: Status, error_px: float, bound_px: float, undetermined: bool
) -> None:
    check = RecoveryCheck("rigid", status, error_px, bound_px)
    assert check.undetermined == undetermined
    assert check.failed == (not undetermined and not check.passed)


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_the_known_warps_are_members_that_move_every_corner(model: object) -> None:
    warp = known_warp(model, SIZE)  # type: ignore[arg-type]
    right, bottom = SIZE[0] - 1.0, SIZE[1] - 1.0
    for x, y in ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)):
        moved = warp @ [x, y, 1.0]
        assert 0.2 < np.hypot(*(moved[:2] / moved[2] - [x, y])) < 0.05 * max(SIZE)


def test_linear_interpolation_by_hand() -> None:
    image = np.array([[0.0, 1.0, 5.0], [2.0, 7.0, 9.0]])
    points = np.array([[0.25, 0.5], [2.0, 1.0], [1.5, 0.0]])
    assert_allclose(selfcheck.bilinear(image, points), [1.75, 9.0, 3.0])


def test_images_without_a_common_interior_are_refused() -> None:
    made = images()
    made.target[::5, ::5] = np.nan
    with pytest.raises(ImageError, match="no pixel is far enough"):
        derivative_checks(made.source, made.target)


X, Y = np.meshgrid(np.arange(160), np.arange(120))
ODD_ONES = {
    "ramp": X.astype(np.uint8),
    "stripes": (X // 8 % 2 * 200).astype(np.uint8),
    "lying stripes": (Y // 8 % 2 * 200).astype(np.uint8),
    "chessboard": ((X // 10 + Y // 10) % 2 * 255).astype(np.uint8),
    "a lonely pixel": ((X == 70) & (Y == 50)).astype(np.uint8) * np.uint8(255),
    "a scene": images().target,
}


@pytest.mark.parametrize("name", ODD_ONES)
def test_the_derivatives_agree_between_an_image_and_itself(name: str) -> None:
    image = ODD_ONES[name]
    assert max(c.difference for c in derivative_checks(image, image)) <= 1e-5


@pytest.mark.parametrize("name", ["stripes", "chessboard", "a scene"])
def test_a_wrong_sign_is_found_between_an_image_and_itself(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rigid = MODELS["rigid"]
    broken = dataclasses.replace(rigid, jacobian_x=-rigid.jacobian_x)
    monkeypatch.setitem(MODELS, "rigid", broken)
    image = ODD_ONES[name]
    assert {c.model for c in derivative_checks(image, image) if not c.passed} == {"rigid"}


@pytest.mark.parametrize("name", ["ramp", "stripes", "lying stripes"])
def test_a_picture_of_one_direction_leaves_every_recovery_open(name: str) -> None:
    assert all(check.undetermined for check in recovery_checks(ODD_ONES[name]))


def test_a_known_warp_of_a_chessboard_is_recovered() -> None:
    assert all(check.passed for check in recovery_checks(ODD_ONES["chessboard"]))


def test_the_texture_fixes_a_shift_as_the_cramer_rao_bound_says() -> None:
    waves = np.sin(X / 3.0) + np.sin(Y / 5.0)
    pair = selfcheck.scene(waves, waves)
    gradients = pair.target.whole.gradient_x, pair.target.whole.gradient_y
    noise = (pair.level.image.max() - pair.level.image.min()) / 255.0
    bound = noise / np.sqrt(min(float((gradient**2).sum()) for gradient in gradients))
    assert_allclose(selfcheck.bound_px(pair, MODELS["translation"]), bound, rtol=0.05)
