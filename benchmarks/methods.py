"""What is measured: imalign's presets, and OpenCV's ECC on the same pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.options import PRESET_NAMES
from benchmarks.scenes import Floats, Image


@dataclass(frozen=True)
class Found:
    """A method's answer, and whether the method itself says that it is none."""

    source_to_target: Floats
    refused: bool = False


@dataclass(frozen=True)
class Method:
    """A way to align two grey images: ``run(source, target, model)``."""

    name: str
    run: Callable[[Image, Image, str], Found]
    models: frozenset[str] = frozenset(MODELS)


def imalign(preset: str) -> Method:
    def run(source: Image, target: Image, model: str) -> Found:
        found = align(source, target, model=model, preset=preset)
        return Found(found.source_to_target, refused=not found.outcome.aligned)

    return Method(preset, run)


def peer(name: str, run: Callable[[Image, Image, str], Floats], models: Iterable[str]) -> Method:
    """A library that returns ``source_to_target``, or raises.

    One that gives up leaves the images as they lie: its answer is identity, refused.
    """

    def run_or_refuse(source: Image, target: Image, model: str) -> Found:
        try:
            return Found(run(source, target, model))
        except (cv2.error, RuntimeError, np.linalg.LinAlgError):
            return Found(np.eye(3), refused=True)

    return Method(name, run_or_refuse, frozenset(models))


_ECC_MOTIONS = {
    "translation": cv2.MOTION_TRANSLATION,
    "rigid": cv2.MOTION_EUCLIDEAN,
    "affine": cv2.MOTION_AFFINE,
    "homography": cv2.MOTION_HOMOGRAPHY,
}


def _ecc(source: Image, target: Image, model: str) -> Floats:
    """``findTransformECCMultiScale`` with its defaults, from identity."""
    settings = cv2.ECCParameters()
    settings.motionType = _ECC_MOTIONS[model]
    warp = np.eye(3, dtype=np.float32)
    rows = 3 if model == "homography" else 2
    _, found = cv2.findTransformECCMultiScale(target, source, warp[:rows], settings)
    warp[:rows] = found
    return inverse(warp.astype(np.float64))


ECC = peer("ECC", _ecc, _ECC_MOTIONS)
IMALIGN = tuple(imalign(preset) for preset in PRESET_NAMES)
