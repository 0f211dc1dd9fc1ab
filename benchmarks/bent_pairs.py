"""Pairs that no motion model lays on one another, for ``benchmarks.sufficiency``.

Each kind is one function of the random numbers. The source is drawn, the target rendered from it
by order-5 splines, so that the truth is a formula: for every pixel of the target the pixel of the
source that shows the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from align_cli.engine.geometry.coordinates import Size, map_points
from align_cli.engine.geometry.models import MODELS
from benchmarks.scenes import LARGE_PHOTOGRAPHS, Floats, exposed, random_motion
from benchmarks.unrelated_pairs import FACES, page
from benchmarks.verdict_pairs import TEXTURES, Image, picture

SIGMA = 2.0
LEAST_MOVE_PX, MOST_MOVE_PX = 2.0, 20.0
LEAST_LENS, MOST_LENS = 0.02, 0.1
"""k1 of r (1 + k1 r^2), r in half diagonals: moves the corners of photographs by 7 to 45 px."""
LEAST_CURL_PX, MOST_CURL_PX = 2.0, 20.0
LEAST_BLUR, MOST_BLUR = 1.0, 4.0
BLURS = 5
LEAST_NEAR, MOST_NEAR = 0.2, 0.45
POSE_PX = 5.0
"""Up to which a homography moves the corners besides."""
EDGE_PX = 0.7
"""Standard deviation of the blur between near and far."""
PAGE: Size = (620, 480)
TILE, LEAST_TILES, MOST_TILES = 16, 5.0, 50.0
"""Side of a tile in pixels, and how many of them small images have room for."""
SMALL_MOVE_PX = 2

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class BentPair:
    """A pair, what it is to be solved as, and what is true of it.

    ``to_source`` is (height, width, 2): the x and y in the source of what each pixel of the target
    shows, NaN where the source hides it. ``near`` is (height, width): which pixels of the target
    show the nearer of two planes; None where there is one surface.
    """

    source: Image
    target: Image
    model: str
    to_source: Floats
    near: Mask | None = None
    parallax: tuple[float, float] = (0.0, 0.0)


Kind = Callable[[np.random.Generator], BentPair]
Bend = Callable[[Floats, Size, np.random.Generator], Floats]
"""(n, 2) pixels of an image of a size -> where they are once it is bent."""


def pixels(size: Size) -> Floats:
    """(height, width, 2): x and y of every pixel."""
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float64), np.arange(size[1], dtype=np.float64))
    return np.dstack([x, y])


def sampled(image: Floats, points: Floats) -> Floats:
    """The image at (height, width, 2) places, mirrored beyond its border."""
    rows_columns = np.moveaxis(points[..., ::-1], -1, 0)
    return ndimage.map_coordinates(image, rows_columns, order=5, mode="mirror")


def through(matrix: Floats, points: Floats) -> Floats:
    """``map_points`` for points of any shape (..., 2)."""
    return map_points(matrix, points.reshape(-1, 2)).reshape(points.shape)


def _size(image: Floats) -> Size:
    return image.shape[1], image.shape[0]


def _photograph(rng: np.random.Generator) -> Floats:
    return picture(LARGE_PHOTOGRAPHS[rng.integers(len(LARGE_PHOTOGRAPHS))])


def _log_uniform(least: float, most: float, rng: np.random.Generator) -> float:
    return float(least * (most / least) ** rng.uniform())


def _pose(size: Size, rng: np.random.Generator) -> Floats:
    """target_to_source of a small movement of the camera."""
    return random_motion("homography", size, POSE_PX, rng)


def _bent(scene: Floats, bend: Bend, model: str, rng: np.random.Generator) -> BentPair:
    """Two images of a scene, the second from elsewhere and bent."""
    size = _size(scene)
    to_source = bend(through(_pose(size, rng), pixels(size)), size, rng)
    target = sampled(scene, to_source)
    return BentPair(exposed(scene, SIGMA, rng), exposed(target, SIGMA, rng), model, to_source)


# One surface.


def too_simple(model: str) -> Kind:
    """A homography whose corners move by 2 to 20 px, solved as ``model``."""

    def bend(points: Floats, size: Size, rng: np.random.Generator) -> Floats:
        move_px = _log_uniform(LEAST_MOVE_PX, MOST_MOVE_PX, rng)
        return through(random_motion("homography", size, move_px, rng), points)

    return lambda rng: _bent(_photograph(rng), bend, model, rng)


def distorted(points: Floats, size: Size, k1: float) -> Floats:
    """By a lens: r -> r (1 + k1 r^2) about the centre, r in half diagonals."""
    centre = (np.array(size) - 1.0) / 2.0
    radius = (points - centre) / np.hypot(*centre)
    square = (radius**2).sum(axis=-1, keepdims=True)
    return centre + (points - centre) * (1.0 + k1 * square)


def lens(rng: np.random.Generator) -> BentPair:
    """A photograph by another lens, solved as a homography."""

    def bend(points: Floats, size: Size, rng: np.random.Generator) -> Floats:
        return distorted(points, size, rng.uniform(LEAST_LENS, MOST_LENS) * rng.choice([-1, 1]))

    return _bent(_photograph(rng), bend, "homography", rng)


def curled(points: Floats, size: Size, most_px: float, rng: np.random.Generator) -> Floats:
    """Paper that rises towards the camera along one direction, at most by a wave and a half.

    What rises by z moves away from the centre by z times its distance from there.
    """
    centre = (np.array(size) - 1.0) / 2.0
    radius = (points - centre) / np.hypot(*centre)
    angle = rng.uniform(0.0, np.pi)
    along = radius @ [np.cos(angle), np.sin(angle)]
    height = np.cos(np.pi * rng.uniform(0.5, 1.5) * along + rng.uniform(0.0, 2.0 * np.pi))
    bend = (height - height.mean())[..., None] * radius
    return points + most_px * bend / np.hypot(*np.moveaxis(bend, -1, 0)).max()


def paper(rng: np.random.Generator) -> BentPair:
    """A page of text that lies curled, solved as a homography."""
    scene = page(PAGE, str(rng.choice(FACES)), int(rng.integers(14, 25)), rng)

    def bend(points: Floats, size: Size, rng: np.random.Generator) -> Floats:
        return curled(points, size, _log_uniform(LEAST_CURL_PX, MOST_CURL_PX, rng), rng)

    return _bent(scene, bend, "homography", rng)


def defocused(image: Floats, rng: np.random.Generator) -> Floats:
    """Sharp along one line; the further from there the more blurred."""
    size = _size(image)
    angle, most = rng.uniform(0.0, 2.0 * np.pi), _log_uniform(LEAST_BLUR, MOST_BLUR, rng)
    along = pixels(size) @ [np.cos(angle), np.sin(angle)]
    far_share = np.abs(along - rng.uniform(along.min(), along.max()))
    place = far_share / far_share.max() * (BLURS - 1)
    stack = [ndimage.gaussian_filter(image, most * i / (BLURS - 1)) for i in range(BLURS)]
    shares = (np.clip(1.0 - np.abs(place - i), 0.0, 1.0) for i in range(BLURS))
    return np.sum([share * blur for share, blur in zip(shares, stack, strict=True)], axis=0)


def defocus(rng: np.random.Generator) -> BentPair:
    """A homography is all there is between them, but the source is focused elsewhere."""
    scene = _photograph(rng)
    to_source = through(_pose(_size(scene), rng), pixels(_size(scene)))
    source, target = defocused(scene, rng), sampled(scene, to_source)
    return BentPair(
        exposed(source, SIGMA, rng), exposed(target, SIGMA, rng), "homography", to_source
    )


# Two planes.


def _cover(size: Size, share: float, rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """How much of a pixel is near, 0 to 1, at any places: together ``share`` of an image.

    An ellipse about a random place, or all that lies on one side of a line.
    """
    centre, angle = rng.uniform(0.2, 0.8, 2) * size, rng.uniform(0.0, 2.0 * np.pi)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    axes[:, 1] *= rng.choice([0.0, rng.uniform(0.5, 1.0)])

    def distance(points: Floats) -> Floats:
        along, across = np.moveaxis((points - centre) @ axes, -1, 0)
        return np.hypot(along, across) if axes[:, 1].any() else along

    rim = np.quantile(distance(pixels(size)), share)
    return lambda points: special.ndtr((rim - distance(points)) / EDGE_PX)


def two_planes(parallax_px: float) -> Kind:
    """A texture before a photograph, a fifth to nearly half of the image."""

    def kind(rng: np.random.Generator) -> BentPair:
        scene, texture = _photograph(rng), picture(TEXTURES[rng.integers(len(TEXTURES))])
        size = _size(scene)
        cover = _cover(size, rng.uniform(LEAST_NEAR, MOST_NEAR), rng)
        angle = rng.uniform(0.0, 2.0 * np.pi)

        def image(far: Floats, near: Floats) -> Floats:
            """Of what lies at these places of the source."""
            share = cover(near)
            return (1.0 - share) * sampled(scene, far) + share * sampled(texture, near)

        grid = pixels(size)
        far = through(_pose(size, rng), grid)
        parallax = parallax_px * np.cos(angle), parallax_px * np.sin(angle)
        near = far + parallax
        front = cover(near) > 0.5
        to_source = np.where(front[..., None], near, far)
        to_source[~front & (cover(far) > 0.5)] = np.nan
        source, target = (
            exposed(image(*places), SIGMA, rng) for places in ((grid, grid), (far, near))
        )
        return BentPair(source, target, "homography", to_source, front, parallax)

    return kind


# Exact pairs with little to go by.


def small(model: str) -> Kind:
    """A few tiles of a photograph or a texture, moved by a member of the model."""

    def kind(rng: np.random.Generator) -> BentPair:
        names = (*LARGE_PHOTOGRAPHS, *TEXTURES)
        whole = picture(names[rng.integers(len(names))])
        tiles, aspect = _log_uniform(LEAST_TILES, MOST_TILES, rng), rng.uniform(0.7, 1.4)
        sides = TILE * np.sqrt(tiles) * np.array([aspect**0.5, aspect**-0.5])
        size = round(sides[0]), round(sides[1])
        room = np.array(_size(whole)) - size - 2 * SMALL_MOVE_PX
        corner = SMALL_MOVE_PX + rng.integers(room + 1)
        grid = pixels(size)
        to_source = through(random_motion(model, size, SMALL_MOVE_PX, rng), grid)
        source, target = (
            exposed(sampled(whole, corner + at), SIGMA, rng) for at in (grid, to_source)
        )
        return BentPair(source, target, model, to_source)

    return kind


def sunburst(rng: np.random.Generator) -> BentPair:
    """Rays from one point, which fix no scale, turned and shifted; solved as similarity."""
    side, rays = int(rng.integers(160, 321)), int(rng.integers(12, 31))
    grid = pixels((side, side))
    to_source = through(random_motion("rigid", (side, side), POSE_PX, rng), grid)

    def image(points: Floats) -> Floats:
        x, y = np.moveaxis(points - (side - 1.0) / 2.0, -1, 0)
        contrast = 100.0 * (1.0 - np.exp(-(x**2 + y**2) / (2.0 * rays**2)))
        return 128.0 + contrast * np.tanh(2.0 * np.sin(rays * np.arctan2(y, x)))

    source, target = (exposed(image(points), SIGMA, rng) for points in (grid, to_source))
    return BentPair(source, target, "similarity", to_source)


TOO_SIMPLE = tuple(MODELS)[1:-1]
"""Between translation and homography."""

INSUFFICIENT: dict[str, Kind] = {
    **{f"homography as {model}": too_simple(model) for model in TOO_SIMPLE},
    "lens": lens,
}
OTHERS: dict[str, Kind] = {"curled paper": paper, "defocus": defocus}
PLANES: dict[str, Kind] = {f"parallax {px:g} px": two_planes(px) for px in (5.0, 10.0, 20.0)}
EXACT: dict[str, Kind] = {
    **{f"5 to 50 tiles, {model}": small(model) for model in MODELS},
    "sunburst": sunburst,
}
