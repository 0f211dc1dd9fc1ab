"""Where the texture does not fix a model, the richest simpler one that it does fix is used."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.aligner import align
from align_cli.engine.geometry.coordinates import corner_error
from align_cli.engine.records import Status
from align_cli.engine.result.alignment import Alignment
from align_cli.files.images import read_image
from tests.engine.displacements.pairs import drawn, noisy, shift, speckle

SIZE = (320, 240)
REPORTS = (
    Path(os.environ.get("IMALIGN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    / "reports"
)


def sunburst(x: float, y: float, seed: int) -> np.ndarray:
    """(240, 320) uint8: 16 rays about a centre that lies (x, y) from the image's."""
    down, across = np.mgrid[:240, :320] - np.array([119.5 + y, 159.5 + x])[:, None, None]
    radius = np.hypot(across, down)
    rays = np.tanh(np.sin(16.0 * np.arctan2(down, across)) * radius / 5.0)
    rays = cv2.GaussianBlur(np.where(radius > 15.0, rays, 0.0), (0, 0), 0.7)
    noise = np.random.default_rng(seed).normal(0.0, 2.0, rays.shape)
    return np.clip(np.rint(127.0 + 100.0 * rays + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("model", ["similarity", "affine", "homography"])
def test_a_sunburst_has_no_scale_so_a_rigid_motion_is_used(model: str) -> None:
    found = align(sunburst(6.0, 0.0, 1), sunburst(0.0, 0.0, 2), model=model)
    assert found.outcome.aligned, found.outcome.sentence
    assert found.model == "rigid"
    assert f"does not determine every parameter of the {model} model" in found.outcome.sentence
    assert "(rigid)" in found.outcome.sentence
    assert_allclose(found.source_to_target, shift(-6.0, 0.0), atol=0.05)
    assert found.parameters["shift_px"] == pytest.approx((-6.0, 0.0), abs=0.05)
    assert "scale" not in found.parameters
    assert found.uncertainty is not None
    assert found.uncertainty.mean_px < 0.5


def test_what_it_fixes_is_used_as_it_was_asked_for() -> None:
    rigid = align(sunburst(6.0, 0.0, 1), sunburst(0.0, 0.0, 2), model="rigid")
    assert rigid.outcome.aligned
    assert rigid.model == "rigid"
    assert rigid.outcome.sentence == "the images are aligned"
    clean = drawn(speckle(1, spread=3.0), SIZE)
    found = align(noisy(clean, 0.05, 1), noisy(clean, 0.05, 2))
    assert found.model == "homography"
    assert found.outcome.sentence == "the images are aligned"


def test_a_simpler_model_that_leaves_more_is_not_used() -> None:
    # It is larger by a twentieth, and turned: a sunburst about a corner of nothing else.
    turned = np.array([[1.0, 0.06, -5.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
    source = cv2.warpPerspective(
        sunburst(0.0, 0.0, 1), np.linalg.inv(turned), SIZE, borderMode=cv2.BORDER_REFLECT
    )
    found = align(source, sunburst(0.0, 0.0, 2), model="affine")
    if found.outcome.aligned:
        assert found.model == "affine"
    else:
        assert found.outcome.status in (Status.UNCERTAIN, Status.MODEL_TOO_SIMPLE)
    assert found.model != "rigid" or not found.outcome.aligned


def reported(case: str) -> tuple[Alignment, float]:
    """What is found of a reported case, and how far a corner is off."""
    source, target = (
        read_image(REPORTS / case / f"{role}.png").pixels for role in ("source", "target")
    )
    truth = np.array(
        json.loads((REPORTS / case / "truth.json").read_text())["matrix_source_to_target"]
    )
    found = align(source, target)
    return found, corner_error(found.source_to_target, truth, found.source_size)


@pytest.mark.skipif(not REPORTS.exists(), reason=f"reported cases are not at {REPORTS}")
@pytest.mark.parametrize("case", ["template_cells_40", "template_page_32"])
def test_where_too_few_tiles_tell_whether_a_simpler_model_is_enough_it_is_doubtful(
    case: str,
) -> None:
    found, off_px = reported(case)
    assert found.outcome.doubtful
    assert "too few tiles to test" in found.outcome.sentence
    assert "does not determine every parameter of the homography model" in found.outcome.sentence
    assert found.model != "homography"
    assert off_px < 0.2


@pytest.mark.skipif(not REPORTS.exists(), reason=f"reported cases are not at {REPORTS}")
def test_a_form_that_was_stamped_since_is_found() -> None:
    found, off_px = reported("form_stamped")
    assert found.outcome.aligned, found.outcome.sentence
    assert off_px < 0.2
