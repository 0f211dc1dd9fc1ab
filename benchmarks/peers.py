"""Other libraries that align images, each as its manual does it; whatever is not installed rests.

SimpleITK and pystackreg know no homography. scikit-image knows shifts (phase correlation) and a
dense flow, which is given the motion model for free here: the member nearest to the flow.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

import cv2
import numpy as np

from align_cli.engine.geometry.coordinates import corners, inverse
from align_cli.engine.geometry.models import MODELS
from benchmarks.methods import peer
from benchmarks.scenes import Floats, Image, shift

UPSAMPLING = 100  # of the phase correlation: shifts to 1/100 px


def _simple_itk(source: Image, target: Image, model: str) -> Floats:
    """Mean squares and gradient descent over three levels: the manual's first choice.

    The images of these pairs have the same light, so no metric could suit them better.
    """
    import SimpleITK as sitk  # noqa: PLC0415, N813

    height, width = target.shape
    if model == "translation":
        transform = sitk.TranslationTransform(2)
    else:
        kinds = {"rigid": sitk.Euler2DTransform, "affine": lambda: sitk.AffineTransform(2)}
        transform = kinds[model]()
        transform.SetCenter([(width - 1) / 2.0, (height - 1) / 2.0])
    registration = sitk.ImageRegistrationMethod()
    registration.SetMetricAsMeanSquares()
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200)
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.SetShrinkFactorsPerLevel([4, 2, 1])
    registration.SetSmoothingSigmasPerLevel([2, 1, 0])
    registration.SetInitialTransform(transform, inPlace=True)
    found = registration.Execute(
        *(sitk.GetImageFromArray(image.astype(np.float32)) for image in (target, source))
    )
    start = corners((width, height))
    end = np.array([found.TransformPoint(point) for point in start.tolist()])
    return inverse(MODELS[model].from_points(start, end))


_STACKREG_KINDS = {
    "translation": "TRANSLATION",
    "rigid": "RIGID_BODY",
    "similarity": "SCALED_ROTATION",
    "affine": "AFFINE",
}


def _pystackreg(source: Image, target: Image, model: str) -> Floats:
    from pystackreg import StackReg  # noqa: PLC0415

    kind = getattr(StackReg, _STACKREG_KINDS[model])
    return inverse(StackReg(kind).register(target, source))


def _scikit_image(source: Image, target: Image, model: str) -> Floats:
    from skimage import registration  # noqa: PLC0415

    if model == "translation":
        found, _, _ = registration.phase_cross_correlation(
            target, source, upsample_factor=UPSAMPLING
        )
        return shift(found[1], found[0])
    along_y, along_x = registration.optical_flow_ilk(target / 255.0, source / 255.0)
    y, x = np.indices(target.shape, dtype=np.float64)
    start = np.column_stack([x.ravel(), y.ravel()])
    flow = np.column_stack([along_x.ravel(), along_y.ravel()])
    return inverse(MODELS[model].from_points(start, start + flow))


SIFT_RATIO = 0.8  # Lowe's
MAGSAC_PX = 3.0  # OpenCV's default threshold


def _features(source: Image, target: Image, model: str) -> Floats:
    """SIFT at full size, the ratio test, MAGSAC; then least squares over the inliers."""
    sift = cv2.SIFT_create()
    (points, descriptors), (target_points, target_descriptors) = (
        sift.detectAndCompute(image, None) for image in (source, target)
    )
    matches = cv2.BFMatcher().knnMatch(descriptors, target_descriptors, k=2)
    good = [best for best, second in matches if best.distance < SIFT_RATIO * second.distance]
    start = np.array([points[match.queryIdx].pt for match in good])
    end = np.array([target_points[match.trainIdx].pt for match in good])
    found, inliers = cv2.findHomography(start, end, cv2.USAC_MAGSAC, MAGSAC_PX)
    if found is None:
        raise RuntimeError("no homography")
    if model == "homography":
        return found
    picked = inliers.ravel() > 0
    return MODELS[model].from_points(start[picked], end[picked])


FEATURES = peer("features", _features, MODELS)


def _where_installed(module: str, models: Iterable[str]) -> Iterable[str]:
    return models if find_spec(module) else ()


PEERS = (
    peer(
        "SimpleITK", _simple_itk, _where_installed("SimpleITK", ("translation", "rigid", "affine"))
    ),
    peer("pystackreg", _pystackreg, _where_installed("pystackreg", _STACKREG_KINDS)),
    peer("skimage", _scikit_image, ("translation", "affine")),
)
