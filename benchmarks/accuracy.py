"""Accuracy against the Cramer-Rao bound: ``python -m benchmarks.accuracy [SEED] [PAIRS]``.

Photographs of 0.2 to 0.5 MP, random homographies whose corners move by up to 20 px, the source
rendered by order-5 splines, Gaussian noise of SIGMA grey levels on both images. Mean and largest
EPE (end-point error, mean over all pixels of a pair) of imalign and of OpenCV's
``findTransformECCMultiScale`` with its defaults, on the same pairs in one run, beside the bound:
the expected EPE of an estimate whose covariance is 2 sigma^2 (J^T J)^-1, J from the noise-free
target with a spectral gradient.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable

import cv2
import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.coordinates import Size, corners, endpoint_error, inverse, normalisation
from align_cli.engine.motion import MODELS, MONOMIALS
from align_cli.engine.sampling import overlap_mask
from benchmarks.scenes import Floats, photograph, render

PICTURES = ("camera.png", "coffee.png", "astronaut.png", "motorcycle_left.png")
SIZE: Size = (480, 380)  # 0.18 MP of each; the frame moves inside pictures of 0.24 MP and more
SIGMAS = (0, 5, 10, 30)
MOVE_PX = 20.0
MARGIN = 40  # of scene around the rendered frame, so that the spectral gradient has no seam

Method = Callable[[np.ndarray, np.ndarray], Floats]


def ecc(source: np.ndarray, target: np.ndarray) -> Floats:
    settings = cv2.ECCParameters()
    settings.motionType = cv2.MOTION_HOMOGRAPHY
    _, warp = cv2.findTransformECCMultiScale(target, source, np.eye(3, dtype=np.float32), settings)
    return inverse(np.asarray(warp, np.float64))


METHODS: dict[str, Method] = {
    "imalign": lambda s, t: align(s, t).source_to_target,
    "ECC": ecc,
}


def spectral_gradient(picture: Floats) -> tuple[Floats, Floats]:
    """d/dx and d/dy of a picture through its Fourier transform."""
    spectrum = np.fft.fft2(picture)
    height, width = picture.shape
    x = 2j * np.pi * np.fft.fftfreq(width)
    y = 2j * np.pi * np.fft.fftfreq(height)
    return np.fft.ifft2(spectrum * x).real, np.fft.ifft2(spectrum * y[:, None]).real


def bound(target: Floats, truth: Floats, sigma: float) -> float:
    """Expected EPE, px, of an efficient estimate; ``target`` has ``MARGIN`` pixels around it."""
    window = np.hanning(2 * MARGIN)
    taper = [np.ones(side) for side in target.shape]
    for line in taper:
        line[:MARGIN], line[-MARGIN:] = window[:MARGIN], window[MARGIN:]
    mean = target.mean()
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    gradients = spectral_gradient((target - mean) * taper[0][:, None] * taper[1])
    gradient_x, gradient_y = (gradient[inner] for gradient in gradients)
    model, to_normalised = MODELS["homography"], normalisation(SIZE)
    x = np.arange(SIZE[0]) * to_normalised[0, 0] + to_normalised[0, 2]
    y = np.arange(SIZE[1]) * to_normalised[1, 1] + to_normalised[1, 2]
    monomials = np.array([y[:, None] ** j * x**i for i, j in MONOMIALS])
    move_x, move_y = (
        np.tensordot(table, monomials, axes=1) / to_normalised[0, 0]
        for table in (model.jacobian_x, model.jacobian_y)
    )
    seen = overlap_mask(inverse(truth), SIZE, SIZE)
    jacobian = (move_x * gradient_x + move_y * gradient_y)[:, seen]
    covariance = 2.0 * sigma**2 * np.linalg.inv(jacobian @ jacobian.T)
    if sigma == 0:
        return 0.0
    draws = np.linalg.cholesky(covariance) @ np.random.default_rng(0).normal(size=(model.size, 200))
    moved_x = np.tensordot(draws.T, move_x[:, ::8, ::8], axes=1)
    moved_y = np.tensordot(draws.T, move_y[:, ::8, ::8], axes=1)
    return float(np.hypot(moved_x, moved_y).mean())


def main() -> None:
    rng = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    errors: dict[tuple[str, int, str], list[float]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    bounds: dict[tuple[str, int], list[float]] = defaultdict(list)
    for name in PICTURES:
        picture = photograph(name, blur=0.0)
        height, width = picture.shape
        left, top = (width - SIZE[0]) // 2, (height - SIZE[1]) // 2
        wide = np.pad(picture, MARGIN, mode="reflect")[
            top : top + SIZE[1] + 2 * MARGIN, left : left + SIZE[0] + 2 * MARGIN
        ]
        for _ in range(pairs):
            start = corners(SIZE)
            truth = MODELS["homography"].from_points(
                start, start + rng.uniform(-MOVE_PX, MOVE_PX, (4, 2))
            )
            place = np.array([[1.0, 0.0, left], [0.0, 1.0, top], [0.0, 0.0, 1.0]])
            clean = [render(picture, view, SIZE) for view in (place @ truth, place)]
            for sigma in SIGMAS:
                noisy = [image + rng.normal(0.0, sigma, image.shape) for image in clean]
                source, target = (image.astype(np.float32) for image in noisy)
                for method, run in METHODS.items():
                    begun = time.perf_counter()
                    found = run(source, target)
                    seconds[method] += time.perf_counter() - begun
                    error = endpoint_error(inverse(found), inverse(truth), SIZE).mean()
                    errors[method, sigma, name].append(float(error))
                bounds[name, sigma].append(bound(wide, truth, sigma))
    print(f"{'sigma':>5} {'photograph':14}{'bound':>9}", end="")
    print("".join(f"{method:>10}{'max':>9}{'/bound':>7}{'/ECC':>6}" for method in METHODS))
    for sigma in SIGMAS:
        for name in (*PICTURES, "mean"):
            chosen = PICTURES if name == "mean" else (name,)
            limit = float(np.mean([bounds[each, sigma] for each in chosen]))
            reference = np.mean([errors["ECC", sigma, each] for each in chosen])
            print(f"{sigma:>5} {name:14}{limit:>9.5f}", end="")
            for method in METHODS:
                values = np.concatenate([errors[method, sigma, each] for each in chosen])
                relative = values.mean() / limit if limit else float("nan")
                print(
                    f"{values.mean():>10.5f}{values.max():>9.4f}{relative:>7.2f}"
                    f"{values.mean() / reference:>6.2f}",
                    end="",
                )
            print()
    count = pairs * len(PICTURES) * len(SIGMAS)
    print(", ".join(f"{method} {seconds[method] / count * 1e3:.0f} ms" for method in METHODS))


if __name__ == "__main__":
    main()
