from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from align_cli import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import corners, map_points
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.result.transform import Transform, smallest_model
from tests.scenes import pair

SIZE = (160, 120)
TILTED = np.array([[0.95, 0.1, 7.0], [-0.08, 1.05, -4.0], [2e-4, -1e-4, 1.0]])


def random_homography(rng):
    return TILTED + rng.normal(size=(3, 3)) * [
        [0.02, 0.02, 2.0],
        [0.02, 0.02, 2.0],
        [1e-5, 1e-5, 0],
    ]


def random_covariance(rng):
    scale = np.array([1e-4, 1e-4, 1e-2, 1e-4, 1e-4, 1e-2, 1e-7, 1e-7])
    root = rng.normal(size=(8, 8)) * scale[:, None]
    return root @ root.T


def test_warps_like_the_alignment_it_came_from() -> None:
    images = pair("homography", seed=4)
    found = align(images.source, images.target)
    again = Transform.from_matrix(
        found.source_to_target,
        target_to_source=found.target_to_source,
        source_size=found.source_size,
        target_size=found.target_size,
    )
    assert (again.warp(images.source) == found.warp(images.source)).all()
    assert again.parameters == found.parameters


@pytest.mark.parametrize("seed", range(3))
def test_the_covariance_of_the_way_back_is_that_of_inverted_matrices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, covariance = random_homography(rng), random_covariance(rng) * 1e-4
    there = Transform.from_matrix(matrix, covariance=covariance)
    draws = rng.multivariate_normal(matrix.ravel()[:8], covariance, size=20000, method="svd")
    inverted = np.linalg.inv(np.column_stack([draws, np.ones(len(draws))]).reshape(-1, 3, 3))
    inverted = (inverted / inverted[:, 2:, 2:]).reshape(-1, 9)[:, :8]
    back = there.inverse()
    assert back.covariance is not None
    np.testing.assert_allclose(np.sqrt(np.diag(back.covariance)), inverted.std(axis=0), rtol=0.03)
    np.testing.assert_allclose(
        back.source_to_target, np.linalg.inv(matrix) / np.linalg.inv(matrix)[2, 2]
    )
    # And back again, where the covariance was.
    np.testing.assert_allclose(back.inverse().covariance, covariance, rtol=1e-6, atol=1e-18)


@pytest.mark.parametrize("seed", range(3))
def test_the_covariance_of_two_in_a_row_is_that_of_products(seed: int) -> None:
    rng = np.random.default_rng(10 + seed)
    parts = [(random_homography(rng), random_covariance(rng) * 1e-4) for _ in range(2)]
    first, second = (Transform.from_matrix(m, covariance=c) for m, c in parts)
    both = first.then(second)
    draws = []
    for matrix, covariance in parts:
        entries = rng.multivariate_normal(matrix.ravel()[:8], covariance, size=20000, method="svd")
        draws.append(np.column_stack([entries, np.ones(len(entries))]).reshape(-1, 3, 3))
    products = draws[1] @ draws[0]
    products = (products / products[:, 2:, 2:]).reshape(-1, 9)[:, :8]
    assert both.covariance is not None
    np.testing.assert_allclose(np.sqrt(np.diag(both.covariance)), products.std(axis=0), rtol=0.03)


def test_the_first_comes_first() -> None:
    shift = Transform.from_matrix([[1, 0, 5], [0, 1, 0], [0, 0, 1]])
    double = Transform.from_matrix(np.diag([2.0, 2.0, 1.0]))
    np.testing.assert_allclose(shift.then(double).map_points([[1, 1]]), [[12, 2]])
    np.testing.assert_allclose(double.then(shift).map_points([[1, 1]]), [[7, 2]])
    assert shift.then(double).model == "similarity"
    assert shift.then(double).covariance is None


def test_two_that_do_not_meet_are_refused() -> None:
    small = Transform.from_matrix(np.eye(3), source_size=SIZE, target_size=(80, 60))
    with pytest.raises(ImageError, match="80x60 px, the second maps from one of 160x120"):
        small.then(small)
    assert small.then(small.inverse()).target_size == SIZE


def test_uncertainty_is_that_of_the_alignment() -> None:
    images = pair("affine", seed=2, noise=2.0 / 255.0)
    found = align(images.source, images.target, model="affine")
    assert found.uncertainty is not None
    again = Transform.from_matrix(
        found.source_to_target,
        source_size=found.source_size,
        target_size=found.target_size,
        covariance=found.uncertainty.covariance,
    )
    assert again.uncertainty is not None
    np.testing.assert_allclose(again.uncertainty.corners_px, found.uncertainty.corners_px)
    np.testing.assert_allclose(again.uncertainty.max_px, found.uncertainty.max_px)
    sigma = again.sigma_px(corners(found.source_size))
    np.testing.assert_allclose(sigma, found.uncertainty.corners_px)


@pytest.mark.parametrize("name", MODELS)
def test_the_smallest_model_and_the_model_from_points(name: str) -> None:
    model = MODELS[name]
    matrix = model.to_matrix(np.full(model.size, 0.03))
    matrix[:2, 2] *= 100
    matrix[2, :2] /= 100
    assert smallest_model(matrix) == name
    source = np.array([[0.0, 0.0], [150.0, 10.0], [130.0, 100.0], [5.0, 110.0]])
    source = source[: (model.size + 1) // 2] if name != "rigid" else source[:2]
    fitted = Transform.from_points(source, map_points(matrix, source))
    np.testing.assert_allclose(fitted.source_to_target, matrix, rtol=1e-9, atol=1e-10)


def test_points_on_a_line_fix_nothing() -> None:
    line = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    with pytest.raises(ImageError, match="singular"):
        Transform.from_points(line, line + 1.0)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.zeros((3, 3)), "last entry"),
        ([[1, 2, 0], [2, 4, 0], [0, 0, 1]], "singular"),
        ([[1, 0, np.nan], [0, 1, 0], [0, 0, 1]], "finite"),
        ([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1]], "horizon crosses the source"),
    ],
)
def test_what_is_no_transform(matrix: object, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        Transform.from_matrix(matrix, source_size=SIZE)  # type: ignore[arg-type]


def test_a_mirror_is_a_transform() -> None:
    mirror = Transform.from_matrix([[-1, 0, 159], [0, 1, 0], [0, 0, 1]], source_size=SIZE)
    image = np.arange(160.0 * 120).reshape(120, 160)
    assert (mirror.warp(image) == image[:, ::-1]).all()


def test_beyond_the_horizon_is_nowhere() -> None:
    tilted = Transform.from_matrix([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]])
    mapped = tilted.map_points([[50, 1], [100, 1], [150, 1]])
    np.testing.assert_allclose(mapped[0], [100, 2])
    assert np.isnan(mapped[1:]).all()


def test_a_target_that_the_horizon_crosses_is_refused() -> None:
    back = [[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]
    folded = Transform.from_matrix(np.linalg.inv(back), source_size=(40, 40), target_size=(150, 40))
    with pytest.raises(ImageError, match="horizon"):
        folded.warp(np.zeros((40, 40)))


@pytest.mark.parametrize("sizes", [((320, 240), (80, 60)), ((333, 117), (321, 77))])
def test_at_another_size_points_lie_where_resizing_puts_them(sizes: tuple) -> None:
    rng = np.random.default_rng(3)
    known = Transform.from_matrix(
        TILTED, source_size=SIZE, target_size=(150, 100), covariance=random_covariance(rng)
    )
    scaled = known.rescaled(*sizes)
    points = np.array([[0.0, 0.0], [159.0, 0.0], [80.0, 100.0]])

    def resized(points, size, other):
        return (points + 0.5) * np.array(other) / size - 0.5

    np.testing.assert_allclose(
        scaled.map_points(resized(points, SIZE, sizes[0])),
        resized(known.map_points(points), (150, 100), sizes[1]),
    )
    back = scaled.rescaled(SIZE, (150, 100))
    np.testing.assert_allclose(back.source_to_target, known.source_to_target, atol=1e-12)
    np.testing.assert_allclose(back.sigma_px(points), known.sigma_px(points), rtol=1e-6)


def test_twice_the_size_is_twice_as_unsure_in_pixels() -> None:
    known = Transform.from_matrix(
        TILTED,
        source_size=SIZE,
        target_size=SIZE,
        covariance=random_covariance(np.random.default_rng(4)),
    )
    double = known.rescaled((320, 240), (320, 240))
    points = np.array([[10.0, 20.0], [150.0, 90.0]])
    np.testing.assert_allclose(double.sigma_px(2 * points + 0.5), 2 * known.sigma_px(points))


def test_a_transform_shows_itself_in_a_line() -> None:
    shift = Transform.from_matrix([[1, 0, 5.12345], [0, 1, -3e7], [0, 0, 1]])
    assert repr(shift) == "<Transform translation: shift (5.123, -3e+07) px, ? -> ? px>"
    sized = Transform.from_matrix(
        np.eye(3), source_size=(40, 30), target_size=(20, 10), covariance=1e-4 * np.eye(8)
    )
    assert re.fullmatch(
        r"<Transform translation: shift \(0\.000, 0\.000\) px, \+-[\d.]+ px, 40x30 -> 20x10 px>",
        repr(sized),
    )


def test_points_are_mapped_back() -> None:
    tilted = Transform.from_matrix([[1, 0.1, 5], [0, 0.9, -3], [1e-3, 0, 1]])
    points = np.array([[10.0, 20.0], [30.0, 5.0]])
    np.testing.assert_allclose(tilted.map_points(tilted.map_points(points), inverse=True), points)
    # Beyond the horizon of the inverse lies no source pixel.
    assert np.isnan(tilted.map_points([[2000.0, 0.0]], inverse=True)).all()


SHIFT = Transform.from_matrix(
    [[1, 0, 5], [0, 1, -3], [0, 0, 1]], source_size=SIZE, target_size=SIZE
)


@pytest.mark.parametrize("points", [[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]], 7, [1, 2, 3, 4], "ab"])
def test_points_are_pairs(points: object) -> None:
    for use in (SHIFT.map_points, replace(SHIFT, covariance=np.eye(8)).sigma_px):
        with pytest.raises(ValueError, match=r"points must be numbers of shape \(n, 2\)"):
            use(points)  # type: ignore[arg-type]


@pytest.mark.parametrize(("points", "count"), [([], 0), ([1, 2], 1), (np.zeros((3, 1, 2)), 3)])
def test_one_point_none_and_those_of_opencv_are_points(points: object, count: int) -> None:
    assert SHIFT.map_points(points).shape == (count, 2)  # type: ignore[arg-type]


def test_only_transforms_are_composed() -> None:
    images = pair("translation", seed=4)
    found = align(images.source, images.target, model="translation")
    for second in (3, found, np.eye(3)):
        with pytest.raises(TypeError, match=r"expected a Transform, not \w+; .* found\.transform"):
            SHIFT.then(second)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("matrix", "cause"),
    [("x.json", "name of a file"), ([[1, 2], [3]], "(3, 3) matrix"), (None, "(3, 3) matrix")],
)
def test_what_is_no_matrix_is_refused(matrix: object, cause: str) -> None:
    with pytest.raises(ImageError, match=re.escape(cause)):
        Transform.from_matrix(matrix)  # type: ignore[arg-type]


def test_an_image_is_an_array() -> None:
    with pytest.raises(ImageError, match=r"got str; read the file first, .* imageio\.v3\.imread"):
        SHIFT.warp("a.png")  # type: ignore[arg-type]


def test_a_transform_tells_what_an_alignment_tells_of_its_transform() -> None:
    images = pair("affine", seed=4)
    found = align(images.source, images.target, model="affine")
    alone = found.transform
    assert (alone.overlap_polygon == found.overlap_polygon).all()
    assert alone.inner_rectangle == found.inner_rectangle
    assert alone.summary().startswith("affine, source ")
    unknown = Transform.from_matrix(found.source_to_target)
    with pytest.raises(ImageError, match="sizes of its source and target are unknown"):
        unknown.inner_rectangle  # noqa: B018
