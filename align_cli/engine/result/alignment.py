"""The result of an alignment: transform, outcome, quality, uncertainty.

Everything here is plain data that other layers read; nothing here computes an alignment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from align_cli.engine.arrays import Image, Mask, Matrix, Points
from align_cli.engine.geometry.polygons import overlap_polygon
from align_cli.engine.options import INTENSITY
from align_cli.engine.result.canvas import Canvas, Rectangle, inner_rectangle, onto_target
from align_cli.engine.result.warp import warp_image
from align_cli.engine.sampling.bilinear import overlap_mask

if TYPE_CHECKING:
    from align_cli.engine.displacements.records import Displacements
from align_cli.engine.records import LevelRecord, ModelScore, Outcome, Quality, Uncertainty


@dataclass(frozen=True)
class Alignment:
    """The result of an alignment: ``source_to_target``, its verdict and its quality.

    Attributes:
        model: name of the motion model, a key of ``align_cli.engine.geometry.models.MODELS``.
        source_to_target: (3, 3) float64, maps homogeneous source pixels (x, y, 1) to target
            pixels, last entry 1. Pixel centres are at integers.
        target_to_source: its inverse, scaled in the same way.
        parameters: the transform in the model's own terms (degrees, pixels, ratios); see
            ``align_cli.engine.geometry.models.describe``.
        outcome: status and verdict. Check ``outcome.aligned`` before using the transform.
        quality: similarity before and after, and overlap.
        uncertainty: covariance and standard deviations of an aligned or doubtful transform; None
            if the alignment failed, or if there is too little texture to estimate them.
        gain, bias: illumination, ``source ~ gain * target + bias``; bias in units of full scale.
        levels: one record for each solve, in their order: the pyramid levels, coarsest first; with
            the preset "precise" full size once more.
        start: the initial transform: a name of ``align_cli.engine.starts.STARTS``, or "given".
        mirrored: whether it is the source's mirror image, left for right, that is aligned;
            ``parameters`` are then those of the mirror image, the matrices those of the source.
        source_size, target_size: (width, height) in pixels.
        model_scores: the information criterion of each motion model, from the fewest parameters to
            the most, with model "auto"; empty otherwise.
        similarity: the measure of the result, "intensity" or "gradient". With the latter each
            ``zncc`` is of edge orientations, and ``gain`` and ``bias`` are NaN.
        displacements: the displacements of tiles of the target that remain after alignment; None
            if no tile could be measured, or the solver found no transform.
    """

    model: str
    source_to_target: Matrix
    target_to_source: Matrix
    parameters: Mapping[str, float | tuple[float, float]]
    outcome: Outcome
    quality: Quality
    uncertainty: Uncertainty | None
    gain: float
    bias: float
    levels: tuple[LevelRecord, ...]
    start: str
    source_size: tuple[int, int]
    target_size: tuple[int, int]
    mirrored: bool = False
    model_scores: tuple[ModelScore, ...] = ()
    similarity: str = INTENSITY
    displacements: Displacements | None = None

    @property
    def overlap_polygon(self) -> Points:
        """(n, 2) corners, in target pixels, of the part of the target that the source covers."""
        return overlap_polygon(self.target_to_source, self.target_size, self.source_size)

    @property
    def inner_rectangle(self) -> Rectangle | None:
        """The largest rectangle of target pixels that the source covers: x, y, width, height."""
        return inner_rectangle(self.target_to_source, self.target_size, self.source_size)

    def valid_mask(self, canvas: Canvas | None = None) -> Mask:
        """(height, width) bool: which pixels of a canvas (None: the target) lie in the source."""
        canvas = onto_target(self.target_size) if canvas is None else canvas
        return overlap_mask(canvas.warp(self.target_to_source), canvas.size, self.source_size)

    def warp(
        self,
        image: Image,
        *,
        fill: float = 0.0,
        interpolation: str = "linear",
        canvas: Canvas | None = None,
    ) -> Image:
        """Resample ``image``, which lies on the source's grid, onto the target's grid.

        Args:
            image: (height, width) or (height, width, channels) of the source's size; uint8,
                uint16, float32 or float64. Any image that lies on the source's grid will do:
                another channel, a label map, a mask.
            fill: value of the pixels outside the source, in the image's own units.
            interpolation: see ``align_cli.engine.result.warp.warp_image``; "nearest" for labels.
            canvas: another extent of the output, see ``align_cli.engine.result.canvas``.

        Returns:
            An array of the canvas's height and width, with the image's dtype and channels.

        Raises:
            ImageError: if the image is not of the source's size.
        """
        canvas = onto_target(self.target_size) if canvas is None else canvas
        return warp_image(
            image,
            canvas.warp(self.target_to_source),
            target_size=canvas.size,
            source_size=self.source_size,
            fill=fill,
            interpolation=interpolation,
        )
