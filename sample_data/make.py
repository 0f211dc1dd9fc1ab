"""Make the sample pairs of this folder: `python sample_data/make.py` (needs the `bench` extra).

A pair is two pictures of one flat *scene*, a large image that is put together from photographs
shipped inside the scikit-image package (SOURCES.md names them). Both pictures are resampled from
the scene through known warps, the way a camera does it: the optics blur, the sensor samples, the
light acts, then noise and quantisation. So neither picture is a resampled copy of the other, and
``source_to_target`` is known exactly.

Pixel centres are at integers; x runs right, y runs down; every matrix maps (x, y, 1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
PHOTOGRAPHS = Path(skimage.__file__).resolve().parent / "data"

# The pictures are only reproducible from these very files.
SHA256 = {
    "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    "text.png": "bd84aa3a6e3c9887850d45d606c96b2e59433fbef50338570b63c319e668e6d1",
}

# Optical blur in pixels of the pictures: leaves a fifth of the contrast at the highest frequency
# that they can hold, hence no visible aliasing, and still looks sharp.
BLUR_PX = 0.6


@dataclass(frozen=True)
class Light:
    """What a picture's light does to the scene's values v in [0, 1].

    v becomes ``bias + gain * (v * (1 - vignetting * rho^2)) ** gamma``, where rho is the distance
    from the picture's centre, 1 in its corners.
    """

    gain: float = 1.0
    bias: float = 0.0
    gamma: float = 1.0
    vignetting: float = 0.0

    def __call__(self, picture: Array) -> Array:
        """Light a picture, (height, width, channels)."""
        height, width = picture.shape[:2]
        y, x = np.mgrid[0:height, 0:width]
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        rho2 = ((x - centre_x) ** 2 + (y - centre_y) ** 2) / (centre_x**2 + centre_y**2)
        falloff = (1 - self.vignetting * rho2)[..., np.newaxis]
        lit: Array = self.bias + self.gain * np.clip(picture * falloff, 0, 1) ** self.gamma
        return lit


@dataclass(frozen=True)
class Pair:
    """One pair, as it is to be photographed.

    ``size`` is the (width, height) of both pictures; ``scale`` and ``origin`` place the source's
    pixel (x, y) at ``scale * (x, y) + origin`` in the scene; ``noise`` is a standard deviation in
    units of full scale.
    """

    about: str
    model: str
    scene: Callable[[], Array]
    size: tuple[int, int]
    scale: float
    origin: tuple[float, float]
    source_to_target: Array
    noise: float
    seed: int
    source_light: Light = field(default_factory=Light)
    target_light: Light = field(default_factory=Light)
    dtype: type[np.unsignedinteger[Any]] = np.uint8


# ---- scenes: (height, width, channels) float64 in [0, 1], channels in the order R, G, B ----


def photograph(name: str) -> Array:
    """Read a photograph of the scikit-image package, refusing any other version of it."""
    path = PHOTOGRAPHS / name
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        raise SystemExit(f"{path} is not the file that the sample pictures are made from")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image.ndim == 2:
        image = image[..., np.newaxis]
    return image[..., 2::-1] / 255.0 if image.shape[2] >= 3 else image / 255.0


def enlarge(image: Array, factor: float) -> Array:
    """Enlarge by cubic splines, one channel at a time."""
    channels = [ndimage.zoom(image[..., c], factor, order=3) for c in range(image.shape[2])]
    return np.clip(np.stack(channels, axis=-1), 0, 1)


def paste(scene: Array, image: Array, x: int, y: int) -> None:
    """Put ``image`` into ``scene``, its top left corner at (x, y)."""
    scene[y : y + image.shape[0], x : x + image.shape[1]] = image


def shadow(
    scene: Array, x: int, y: int, size: tuple[int, int], *, depth: float, sigma: float
) -> None:
    """Darken ``scene`` around a (width, height) sheet of paper at (x, y), as its edges do."""
    sheet = np.zeros(scene.shape[:2])
    sheet[y : y + size[1], x : x + size[0]] = 1
    scene *= 1 - depth * ndimage.gaussian_filter(sheet, sigma)[..., np.newaxis]


def poster_on_a_wall() -> Array:
    """Hang a printed photograph with a white margin on a brick wall, 1100 x 900."""
    bricks = np.rot90(photograph("brick.png"), axes=(0, 1))
    wall = enlarge(bricks, 2.2)[100:1000, :1100]
    scene: Array = np.clip((wall - 0.08) * [1.18, 0.92, 0.80], 0, 1)
    print_ = enlarge(photograph("chelsea.png"), 1.5)
    height, width = print_.shape[:2]
    margin, x, y = 28, 196, 197
    sheet = (width + 2 * margin, height + 2 * margin)
    shadow(scene, x + 4, y + 6, sheet, depth=0.6, sigma=5)
    paste(scene, np.full((sheet[1], sheet[0], 3), 0.93), x, y)
    paste(scene, 0.04 + 0.89 * print_, x + margin, y + margin)
    return scene


def sheet_on_a_scanner() -> Array:
    """Lay a sheet with a photograph and a handwritten note on a scanner's light bed, 920 x 1080."""
    scene = np.full((1080, 920, 1), 0.97)
    x, y, size = 155, 135, (610, 810)
    shadow(scene, x, y, size, depth=0.45, sigma=4)
    paste(scene, np.full((size[1], size[0], 1), 0.89), x, y)
    paste(scene, 0.05 + 0.84 * photograph("camera.png"), x + 49, y + 45)
    note = enlarge(photograph("text.png"), 1.15)
    # Ink is what is much darker than the paper around it; the note's own grey paper goes.
    paper = ndimage.gaussian_filter(ndimage.grey_closing(note[..., 0], size=(29, 29)), 9)
    ink = np.clip((0.74 - note / paper[..., np.newaxis]) / 0.28, 0, 1)
    # The note's edges cut through its writing: let it fade out there instead.
    fade = np.pad(np.ones((ink.shape[0] - 24, ink.shape[1] - 24, 1)), ((12, 12), (12, 12), (0, 0)))
    ink *= ndimage.uniform_filter(fade, size=(25, 25, 1))
    paste(scene, 0.89 - 0.72 * ink, x + 45, y + 580)
    return scene


def coffee_table() -> Array:
    """Show a cup of coffee on a table, 600 x 400."""
    return photograph("coffee.png")


def fundus() -> Array:
    """Show the back of an eye in the green light in which its vessels are darkest, 1411 x 1411."""
    green = photograph("retina.jpg")[..., 1:2]
    return np.clip(1.5 * green, 0, 1)


# ---- warps ----


def turned_about_centre(
    size: tuple[int, int], degrees: float, shift: tuple[float, float], scale: float = 1.0
) -> Array:
    """Turn and scale about the picture's centre, then move by ``shift`` pixels."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(size) - 1) / 2
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = centre + shift - turn @ centre
    return matrix


def corners_moved(size: tuple[int, int], moves: list[tuple[float, float]]) -> Array:
    """Move the corners (clockwise from the top left) by ``moves`` pixels: a homography."""
    right, bottom = size[0] - 1, size[1] - 1
    corners = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32)
    # float32 is OpenCV's demand, and harmless: the matrix itself is the truth.
    matrix: Array = cv2.getPerspectiveTransform(corners, corners + np.array(moves, np.float32))
    return matrix


def camera_turned(size: tuple[int, int], focal_px: float, degrees: tuple[float, ...]) -> Array:
    """Turn the camera by ``degrees`` about its x, y and z axes: a homography."""
    lens = np.array([[focal_px, 0, (size[0] - 1) / 2], [0, focal_px, (size[1] - 1) / 2], [0, 0, 1]])
    turn, _ = cv2.Rodrigues(np.deg2rad(np.array(degrees)))
    matrix: Array = lens @ turn @ np.linalg.inv(lens)
    return matrix / matrix[2, 2]


PAIRS: Mapping[str, Pair] = {
    "poster": Pair(
        about="Two views of a poster on a wall: a homography, corners moved by 10 to 25 px.",
        model="homography",
        scene=poster_on_a_wall,
        size=(480, 360),
        scale=2.05,
        origin=(60.3, 84.6),
        source_to_target=corners_moved((480, 360), [(13, 9), (-17, 12), (9, -8), (18, -16)]),
        noise=2 / 255,
        seed=1,
    ),
    "scan": Pair(
        about="A sheet that was scanned twice and laid down differently: a rigid motion.",
        model="rigid",
        scene=sheet_on_a_scanner,
        size=(480, 580),
        scale=1.6,
        origin=(76.2, 75.7),
        source_to_target=turned_about_centre((480, 580), 3.4, (9.3, -6.7)),
        noise=2 / 255,
        seed=2,
    ),
    "exposure": Pair(
        about="One view in two lights from a camera that was turned a little in between: a "
        "homography; the source is darker, flatter, and its corners fall off.",
        model="homography",
        scene=coffee_table,
        size=(456, 296),
        scale=1.25,
        origin=(20.4, 8.3),
        source_to_target=camera_turned((456, 296), 620, (-0.1, 0.7, 1.2)),
        noise=2 / 255,
        seed=3,
        source_light=Light(gain=0.62, bias=0.03, gamma=1.2, vignetting=0.35),
    ),
    "fundus": Pair(
        about="The back of one eye on two visits, 16-bit grey: a similarity, a little more light "
        "in the target.",
        model="similarity",
        scene=fundus,
        size=(420, 350),
        scale=2.1,
        origin=(282.4, 331.9),
        source_to_target=turned_about_centre((420, 350), -5.5, (-13.6, 8.2), scale=1.025),
        noise=1 / 255,
        seed=4,
        target_light=Light(gain=1.12, bias=0.02),
        dtype=np.uint16,
    ),
}


# ---- pictures ----


def photographed(
    scene: Array, picture_to_scene: Array, size: tuple[int, int], mean_scale: float
) -> Array:
    """Blur by the optics, then sample: (height, width, channels) float64.

    ``mean_scale`` is the length of a picture's pixel in the scene. Both pictures of a pair must
    be given the same, or the truth would hold but their sharpness differ.
    """
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    points = picture_to_scene @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    rows_columns = (points[:2] / points[2])[::-1]
    last = np.array(scene.shape[:2])[:, np.newaxis] - 1
    if (rows_columns < 0).any() or (rows_columns > last).any():
        raise ValueError("a picture reaches beyond its scene: it would show invented pixels")
    channels = []
    for c in range(scene.shape[2]):
        blurred = ndimage.gaussian_filter(scene[..., c], BLUR_PX * mean_scale, mode="nearest")
        samples = ndimage.map_coordinates(blurred, rows_columns, order=5, mode="nearest")
        channels.append(samples.reshape(size[1], size[0]))
    return np.stack(channels, axis=-1)


def quantised(picture: Array, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """Round [0, 1] to the whole range of ``dtype``."""
    white = np.iinfo(dtype).max
    return np.rint(np.clip(picture, 0, 1) * white).astype(dtype)


def render(pair: Pair) -> tuple[NDArray[Any], NDArray[Any]]:
    """Photograph the source and the target of a pair, (height, width, channels) of its dtype."""
    scene = pair.scene()
    source_to_scene = np.array(
        [[pair.scale, 0, pair.origin[0]], [0, pair.scale, pair.origin[1]], [0, 0, 1]]
    )
    target_to_scene = source_to_scene @ np.linalg.inv(pair.source_to_target)
    random = np.random.default_rng(pair.seed)
    pictures = []
    for to_scene, light in (
        (source_to_scene, pair.source_light),
        (target_to_scene, pair.target_light),
    ):
        picture = light(photographed(scene, to_scene, pair.size, pair.scale))
        picture += random.normal(0, pair.noise, picture.shape)
        pictures.append(quantised(picture, pair.dtype))
    return pictures[0], pictures[1]


def truth(pair: Pair) -> dict[str, Any]:
    """Gather what is written beside the pictures."""
    return {
        "about": pair.about,
        "model": pair.model,
        "source_to_target": pair.source_to_target.tolist(),
        "light": {
            "formula": "bias + gain * (v * (1 - vignetting * rho^2))^gamma, v in [0, 1], "
            "rho = distance from the picture's centre, 1 in its corners",
            "source": vars(pair.source_light),
            "target": vars(pair.target_light),
        },
        "noise_sigma": pair.noise,
    }


def write(name: str, pair: Pair) -> None:
    """Write the two pictures and the truth of one pair."""
    for role, picture in zip(("source", "target"), render(pair), strict=True):
        path = HERE / f"{name}_{role}.png"
        cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(f"{path.name}: {picture.shape}, {picture.dtype}, {path.stat().st_size} bytes")
    text = json.dumps(truth(pair), indent=2) + "\n"
    (HERE / f"{name}_truth.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Write every pair."""
    for name, pair in PAIRS.items():
        write(name, pair)


if __name__ == "__main__":
    main()
