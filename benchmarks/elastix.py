"""elastix, the usual program for unlike images: mutual information, over four resolutions.

Its parameters are those that elastix itself proposes for affine transforms (Mattes' mutual
information of 2048 points chosen anew for each of 256 steps of stochastic gradient descent), or the
same with twice the steps and points. It knows no homography.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from align_cli.engine.geometry.coordinates import inverse
from benchmarks.methods import Method, peer
from benchmarks.scenes import Floats, Image

RESOLUTIONS = 4
MORE = {"MaximumNumberOfIterations": ["512"], "NumberOfSpatialSamples": ["4096"]}


def _register(source: Image, target: Image, changes: dict[str, list[str]]) -> Floats:
    import itk  # noqa: PLC0415

    settings = itk.ParameterObject.New()
    chosen = settings.GetDefaultParameterMap("affine", RESOLUTIONS)
    for name, value in ({"WriteResultImage": ["false"]} | changes).items():
        chosen[name] = value
    settings.AddParameterMap(chosen)
    still, moving = (
        itk.image_view_from_array(np.ascontiguousarray(image, np.float32))
        for image in (target, source)
    )
    _, found = itk.elastix_registration_method(
        still, moving, parameter_object=settings, log_to_console=False
    )
    entries, centre = (
        np.array([float(number) for number in found.GetParameterMap(0)[name]])
        for name in ("TransformParameters", "CenterOfRotationPoint")
    )
    warp = np.eye(3)  # target -> source: x -> A (x - centre) + shift + centre
    warp[:2, :2] = entries[:4].reshape(2, 2)
    warp[:2, 2] = entries[4:] + centre - warp[:2, :2] @ centre
    return inverse(warp)


ELASTIX: tuple[Method, ...] = (
    (
        peer("elastix", lambda source, target, _: _register(source, target, {}), ("affine",)),
        peer("elastix x2", lambda source, target, _: _register(source, target, MORE), ("affine",)),
    )
    if find_spec("itk") is not None
    else ()
)
"""Empty where itk-elastix is not installed."""
