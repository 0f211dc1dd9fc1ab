"""The result of an alignment: transform, outcome, quality, uncertainty.

Everything here is plain data that other layers read; nothing here computes an alignment. What needs
words, files or pictures for people is asked of ``align_cli.handover``, the one way up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from align_cli.engine.arrays import Image, Mask, Matrix, Points
from align_cli.engine.errors import NotAlignedError
from align_cli.engine.geometry.polygons import overlap_polygon
from align_cli.engine.options import CHANGED_ABOVE_LEVELS, INTENSITY, LUMA_CHANNEL
from align_cli.engine.result.canvas import Canvas, Rectangle, chosen, inner_rectangle
from align_cli.engine.result.changed import Changed
from align_cli.engine.result.keywords import in_keywords
from align_cli.engine.result.transform import Transform
from align_cli.engine.result.warp import warp_image
from align_cli.engine.result.words import plus_minus, shift, sizes
from align_cli.engine.sampling.bilinear import overlap_mask

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes

    from align_cli.engine.displacements.records import Displacements
from align_cli.engine.records import (
    IlluminationRecord,
    ImageKind,
    LevelRecord,
    ModelScore,
    Outcome,
    Quality,
    SearchedTransform,
    Uncertainty,
)


@dataclass(frozen=True, eq=False)
class Alignment:
    """The result of an alignment: ``source_to_target``, its verdict and its quality.

    Two results are equal if they are one object. Every result is true in a condition, a failed one
    too: ask ``found.outcome.aligned``.

    What uses the transform (``warp``, ``map_points``, and ``save`` in a format that holds no
    verdict) raises ``NotAlignedError`` unless the images are aligned. ``accept_doubtful=True`` is
    what ``--accept-doubtful`` is to the command; ``force=True`` uses a failed one too.

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
        gain, bias: illumination at the centre of the target, ``source ~ gain * target + bias``;
            bias in units of full scale. NaN where ``illumination`` is None.
        illumination: the illumination over the whole target, between grey values in units of full
            scale: ``target ~ factor(u, v) * warped + offset(u, v)``, see
            ``align_cli.engine.records.IlluminationRecord``. Factor 1 and offset 0 with
            ``photometric=False``; None if edge orientations were compared, or the alignment failed.
        levels: one record for each solve, in their order: the pyramid levels, coarsest first; with
            the preset "precise" full size once more.
        start: the initial transform: a name of ``align_cli.engine.starts.STARTS``, or "given".
        mirrored: whether it is the source's mirror image, left for right, that is aligned;
            ``parameters`` are then those of the mirror image, the matrices those of the source.
        source_size, target_size: (width, height) in pixels.
        model_scores: the information criterion of each motion model, from the fewest parameters to
            the most, with model "auto"; empty otherwise.
        similarity: the measure of the result, "intensity" or "gradient". With the latter each
            ``zncc`` is of edge orientations, ``gain`` and ``bias`` are NaN, and ``rmse`` and
            ``mae`` are before any illumination, because none is solved for.
        displacements: the displacements of tiles of the target that remain after alignment; None
            if no tile could be measured, or the solver found no transform.
        source_kind, target_kind: channels and dtype of the images; None if unknown.
        path: (3, 3) each, ``source_to_target`` of the initial transform and after each of
            ``levels``; empty where nothing was solved.
        searched: the candidates of the search for an initial transform, if the alignment failed.
        changes: what ``changed`` found, where it is to be in the JSON and on the page; None if
            nobody has looked.

    Example:
        >>> import numpy as np
        >>> from align_cli import align
        >>> y, x = np.mgrid[:80, :100]
        >>> target = np.sin(x / 5) + np.cos(y / 7 + x / 20)
        >>> source = np.sin((x + 1) / 5) + np.cos(y / 7 + (x + 1) / 20)
        >>> found = align(source, target, model="translation")
        >>> found
        <Alignment aligned: translation, shift (1.000, 0.000) px, +-0.0001 px, 100x80 -> 100x80 px>
        >>> found.map_points([[10, 20]]).round(1)
        array([[11., 20.]])
        >>> warped = found.warp(source)
        >>> found.save("pair.json")  # for imalign apply, points, convert, and load
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
    illumination: IlluminationRecord | None = None
    source_kind: ImageKind | None = None
    target_kind: ImageKind | None = None
    path: tuple[Matrix, ...] = ()
    searched: tuple[SearchedTransform, ...] = ()
    changes: Changed | None = None

    def __repr__(self) -> str:
        """One line; of a transform that failed not its numbers: somebody might believe them."""
        outcome = self.outcome
        status = "" if outcome.aligned else f" ({outcome.status.value})"
        told = [self.model]
        if self.mirrored:
            told.append("mirrored")
        if outcome.vouched:
            told.append(shift(self.parameters))
            if self.uncertainty is not None:
                told.append(plus_minus(self.uncertainty.mean_px))
        told.append(sizes(self.source_size, self.target_size))
        return f"<Alignment {outcome.verdict.value}{status}: {', '.join(told)}>"

    @property
    def corrects_illumination(self) -> bool:
        """Whether ``rmse``, ``mae`` and the residual are after a change of illumination."""
        return self.illumination is not None and self.illumination.changes

    @property
    def transform(self) -> Transform:
        """The transform alone, to invert, compose or rescale; it knows no verdict any more.

        Raises:
            ImageError: of a failed alignment, if its best guess is singular or folds the source.
        """
        return Transform.from_matrix(
            self.source_to_target,
            target_to_source=self.target_to_source,
            model=self.model,
            source_size=self.source_size,
            target_size=self.target_size,
            covariance=None if self.uncertainty is None else self.uncertainty.covariance,
        )

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
        canvas = chosen(canvas, self.target_size)
        return overlap_mask(canvas.warp(self.target_to_source), canvas.size, self.source_size)

    def warp(
        self,
        image: Image,
        *,
        fill: float = 0.0,
        interpolation: str = "linear",
        canvas: Canvas | None = None,
        accept_doubtful: bool = False,
        force: bool = False,
    ) -> Image:
        """Resample ``image``, which lies on the source's grid, onto the target's grid.

        Args:
            image: (height, width) or (height, width, channels) of the source's size; uint8,
                uint16, float32 or float64. Any image that lies on the source's grid will do:
                another channel, a label map, a mask.
            fill: value of the pixels outside the source, in the image's own units.
            interpolation: see ``align_cli.engine.result.warp.warp_image``; "nearest" for labels.
            canvas: another extent of the output, see ``align_cli.engine.result.canvas``.
            accept_doubtful: warp by a doubtful transform too.
            force: warp by a failed one too.

        Returns:
            An array of the canvas's height and width, with the image's dtype and channels.

        Raises:
            NotAlignedError: if the alignment failed, unless forced; if it is doubtful, unless that
                is accepted.
            ImageError: if the image is not of the source's size.
            TypeError: if ``fill`` is no number, or ``canvas`` no canvas.
            ValueError: if the interpolation is unknown, or the dtype cannot represent ``fill``.
        """
        self.require(accept_doubtful=accept_doubtful, force=force)
        canvas = chosen(canvas, self.target_size)
        return warp_image(
            image,
            canvas.warp(self.target_to_source),
            target_size=canvas.size,
            source_size=self.source_size,
            fill=fill,
            interpolation=interpolation,
        )

    def map_points(
        self,
        points: ArrayLike,
        inverse: bool = False,
        *,
        accept_doubtful: bool = False,
        force: bool = False,
    ) -> Points:
        """Target points of source points; with ``inverse`` source points of target points.

        Args:
            points: (n, 2), x and y in pixels; pixel centres are at integers.
            inverse: map from the target to the source.
            accept_doubtful: map by a doubtful transform too.
            force: map by a failed one too.

        Returns:
            (n, 2) float64; NaN beyond the horizon.

        Raises:
            NotAlignedError: as ``warp``.
            ValueError: if the points have another shape.
        """
        self.require(accept_doubtful=accept_doubtful, force=force)
        return self.transform.map_points(points, inverse)

    def changed(
        self,
        source: Image,
        target: Image,
        *,
        above_levels: float = CHANGED_ABOVE_LEVELS,
        source_mask: Mask | None = None,
        target_mask: Mask | None = None,
        channel: str | int = LUMA_CHANNEL,
        ignore_alpha: bool = False,
    ) -> Changed | None:
        """Where the images differ although they are aligned, after the illumination.

        Noise does not count, nor specks of fewer than 20 pixels, nor edges that are off by a pixel:
        text at another sub-pixel position has not changed. ``align_cli.engine.result.changed`` has
        the formula.

        Args:
            source: the source of the alignment, as it was given to ``align``.
            target: its target.
            above_levels: grey levels up to which a difference does not count: 255ths of full scale
                (1.0 of floating-point images), or of the target's own range if it is darker than
                a quarter of that or lies elsewhere.
            source_mask: (height, width) bool, the pixels of the source to use; None for all.
            target_mask: the same for the target.
            channel: the channel to compare, as in ``align``.
            ignore_alpha: whether to compare transparent pixels too; what is opaque in one image and
                transparent in the other has changed otherwise.

        Returns:
            Share of the overlap and bounding boxes in target pixels, the largest first; None if
            the alignment failed, or compared edge orientations: grey values then say nothing.

        Raises:
            ImageError: if an image is not of its size or cannot be used.
            ValueError: if ``above_levels`` is not a number of 0 or more.

        Example:
            >>> import numpy as np
            >>> from align_cli import align
            >>> y, x = np.mgrid[:80, :100]
            >>> target = 0.5 + 0.2 * (np.sin(x / 5) + np.cos(y / 7 + x / 20))
            >>> source = target.copy()
            >>> source[30:50, 60:80] = 1.0
            >>> found = align(source, target, model="translation")
            >>> found.changed(source, target).areas
            1
        """
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        return handover.changed(
            self,
            (source, target),
            (source_mask, target_mask),
            above_levels=above_levels,
            channel=channel,
            ignore_alpha=ignore_alpha,
        )

    def require(self, *, accept_doubtful: bool = False, force: bool = False) -> None:
        """Check that the transform may be used.

        Raises:
            NotAlignedError: if the alignment failed, unless forced; if it is doubtful, unless that
                is accepted, or forced.
        """
        outcome = self.outcome
        if not (outcome.aligned or force or (accept_doubtful and outcome.doubtful)):
            raise NotAlignedError(in_keywords(outcome.sentence), outcome.verdict.value)

    def summary(self, *, accept_doubtful: bool = False) -> str:
        """What the command says at its end of the same pair, without the files: a few lines.

        Of an aligned pair its motion and "+-", its agreement, and what still differs in place; of
        another one why it is not aligned. ``accept_doubtful`` has a doubtful one told in full.
        """
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        return handover.summary(self, accept_doubtful=accept_doubtful)

    def save(
        self, path: str | os.PathLike[str], *, accept_doubtful: bool = False, force: bool = False
    ) -> None:
        """Write the alignment for ``load`` and for ``imalign apply``, ``points``, ``convert``.

        The file is complete or absent. The name of ``path`` decides its format, as for ``imalign
        convert``. ``*.json`` holds all that the command's JSON holds, but for what only the command
        knows (names of files, its options), and whatever the verdict: who reads it refuses it
        accordingly. The other formats hold the transform only.

        Args:
            path: the file.
            accept_doubtful: save a doubtful transform so that whoever reads the file may use it.
            force: write a failed one, in a format that cannot say so.

        Raises:
            NotAlignedError: as ``warp``, in formats other than JSON.
            UnwritableError: if the name means no format, the format cannot hold the transform, or
                the file cannot be written.
        """
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        handover.save(self, path, accept_doubtful=accept_doubtful, force=force)

    def plot(
        self, target: Image | None = None, source: Image | None = None, *, axes: Axes | None = None
    ) -> Axes:
        """Draw the displacements that remain, and the outline of the source on the target.

        Needs Matplotlib: ``pip install 'align-cli[plot]'``.

        Args:
            target: the target, to be drawn below; (height, width) or (height, width, channels).
            source: the source: target and warped source are then drawn in red and cyan, grey where
                they agree. Of a failed alignment nothing but the target is drawn.
            axes: where to draw; None for a new figure.

        Returns:
            The axes; ``axes.figure.savefig(path)`` writes them.

        Raises:
            ImportError: if Matplotlib is not installed.
            ImageError: if an image is not of its size, or a source is given without a target.
        """
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        return handover.plot(self, target, source, axes=axes)

    def report(
        self,
        path: str | os.PathLike[str],
        source: Image,
        target: Image,
        *,
        lossless: bool = False,
        source_mask: Mask | None = None,
        target_mask: Mask | None = None,
        channel: str | int = LUMA_CHANNEL,
    ) -> None:
        """Write a page to look at, as the command's ``--report`` does: one file of HTML.

        Args:
            path: the file.
            source: the source of the alignment, as it was given to ``align``.
            target: its target.
            lossless: whether every pixel is put in, without loss.
            source_mask: (height, width) bool, the pixels of the source to compare; None for all.
            target_mask: the same for the target.
            channel: the channel to compare, as in ``align``.

        Raises:
            ImageError: if an image is not of its size.
            UnwritableError: if the file is not named ``*.html``, or cannot be written.
        """
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        masks = source_mask, target_mask
        handover.report(self, path, (source, target), masks, lossless=lossless, channel=channel)

    def _repr_html_(self) -> str:
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        return handover.html(self)
