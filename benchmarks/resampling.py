"""How well and how fast images are resampled: ``python -m benchmarks.resampling``.

A photograph is turned twelve times by 30 degrees, each time from the last result, and compared
with itself within the circle that never leaves it: whatever is lost was lost twelve times. Beside
the interpolations of imalign stand those of cv2 and scipy. The second figure is the error on a
ramp that is warped once: 0 is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from align_cli.engine.geometry.coordinates import Size, inverse
from align_cli.engine.options import INTERPOLATION_NAMES
from align_cli.engine.result.warp import warp_image
from align_cli.files.images import read_image
from benchmarks.scenes import Floats
from benchmarks.timing import median_ms

PHOTOGRAPH = Path(__file__).resolve().parents[1] / "sample_data" / "poster_target.png"
TURNS, DEGREES = 12, 30.0
TIMED = 2048

Warp = Callable[[Floats, Floats, Size], Floats]
"""(image, target -> source, size) -> warped image."""


def by_imalign(name: str, image: Floats, warp: Floats, size: Size) -> Floats:
    own = image.shape[1], image.shape[0]
    return warp_image(image, warp, target_size=size, source_size=own, interpolation=name)


def by_cv2(flag: int, image: Floats, warp: Floats, size: Size) -> Floats:
    flags = flag | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(image, warp, size, flags=flags)


def by_scipy(image: Floats, warp: Floats, size: Size) -> Floats:
    swap = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return ndimage.affine_transform(image, swap @ warp @ swap, output_shape=size[::-1], order=3)


METHODS: dict[str, Warp] = {
    **{f"imalign {name}": partial(by_imalign, name) for name in INTERPOLATION_NAMES},
    "cv2 INTER_LINEAR": partial(by_cv2, cv2.INTER_LINEAR),
    "cv2 INTER_CUBIC": partial(by_cv2, cv2.INTER_CUBIC),
    "cv2 INTER_LANCZOS4": partial(by_cv2, cv2.INTER_LANCZOS4),
    "scipy cubic spline": by_scipy,
}


def turn(size: Size) -> Floats:
    """A turn about the centre of an image."""
    x, y = (0.5 * (side - 1.0) for side in size)
    c, s = np.cos(np.radians(DEGREES)), np.sin(np.radians(DEGREES))
    return np.array([[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y], [0.0, 0.0, 1.0]])


def circle(size: Size, margin: float) -> Floats:
    y, x = np.mgrid[: size[1], : size[0]]
    radius = 0.5 * min(size) - margin
    return np.hypot(x - 0.5 * (size[0] - 1), y - 0.5 * (size[1] - 1)) < radius


def main() -> None:
    pixels = read_image(PHOTOGRAPH).pixels
    image = (pixels if pixels.ndim == 2 else pixels[..., 1]).astype(np.float32) / np.float32(255)
    size = image.shape[1], image.shape[0]
    inside = circle(size, 20.0)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    ramp = 3.0 * x - 2.0 * y
    warp = inverse(turn(size))
    at_x, at_y = (row[0] * x + row[1] * y + row[2] for row in warp[:2].astype(np.float64))
    large = cv2.resize(image, (TIMED, TIMED))
    print(f"{'':22}{'12 turns, PSNR dB':>19}{'ramp, largest error':>21}{'ms / MP':>9}")
    for name, method in METHODS.items():
        turned = image
        for _ in range(TURNS):
            turned = method(turned, warp, size)
        noise = float(np.mean(np.square(turned - image, dtype=np.float64)[inside]))
        error = np.abs(method(ramp, warp, size) - (3.0 * at_x - 2.0 * at_y))[inside].max()
        ms = median_ms(lambda method=method: method(large, turn((TIMED, TIMED)), (TIMED, TIMED)))
        print(
            f"{name:22}{-10.0 * np.log10(noise):>19.2f}{error:>21.4f}"
            f"{ms / (TIMED * TIMED / 1e6):>9.1f}"
        )


if __name__ == "__main__":
    main()
