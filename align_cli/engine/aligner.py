"""Aligns two images: ``align``, and ``Aligner`` for many sources and one target.

An ``Aligner`` keeps everything that depends on the target alone (its luma, its pyramid, its
gradients), which saves most of that work for every further source.
"""

from __future__ import annotations

from copy import copy
from dataclasses import fields, replace
from functools import cached_property
from textwrap import shorten
from typing import Any

from align_cli.engine.arrays import Image, Mask, Matrix, Plane
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.geometry.models import LARGEST, MODELS
from align_cli.engine.images.grey_range import grey_levels
from align_cli.engine.images.luma import (
    check_image,
    luma_with_options,
)
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.malloc import keep_freed_memory
from align_cli.engine.numerics.threads import Threads, at_most
from align_cli.engine.options import (
    AUTO,
    CHANGED_ABOVE_LEVELS,
    DEFAULTS,
    GRADIENT,
    INTENSITY,
    LIMIT_RANGES,
    POSES,
    Options,
)
from align_cli.engine.records import ImageKind, ModelScore
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.result.changed import Changed
from align_cli.engine.search import quality
from align_cli.engine.search.answer import as_alignment, with_all_tiles
from align_cli.engine.search.automatic_model import by_simplest_model, scores_at
from align_cli.engine.search.changes import changes
from align_cli.engine.search.compared_planes import compared_planes, opacities
from align_cli.engine.search.gradient import Gradient
from align_cli.engine.search.intensity import Intensity
from align_cli.engine.search.loop import search
from align_cli.engine.search.mirror import allowing_flip
from align_cli.engine.search.sensor import realigned_without_pattern
from align_cli.engine.search.similarity import Similarity, Task
from align_cli.engine.solver.coarse_to_fine import Progress
from align_cli.engine.solver.orientation_levels import View
from align_cli.engine.starts.given import chosen_starts
from align_cli.engine.target.target import Target
from align_cli.engine.verdict.limits import within_limits


class Aligner:
    """Aligns sources to one target.

    Args:
        target: (height, width) or (height, width, channels); uint8, uint16, float32 or float64.
            It is not changed. An integer image of more than 8 MP is not copied: do not change it
            while the aligner is used.
        mask: (height, width) bool, the pixels of the target to use; None for all.
        threads: number of threads; None for one per core, at most 4. Results do not depend on it.
            (OpenCV has its own: ``cv2.setNumThreads``.)
        options: the fields of ``align_cli.engine.options.Options``, by name.

    Raises:
        ImageError: if the target cannot be aligned (shape, dtype, size, flat, nothing finite),
            or has no such channel, or the mask has another size or no true pixel.
        TypeError: if an option is unknown.
        ValueError: if an option has an invalid value; the message lists the choices.

    Example:
        >>> import numpy as np
        >>> from align_cli import Aligner
        >>> y, x = np.mgrid[:80, :100]
        >>> frames = [np.sin((x + i) / 5) + np.cos(y / 7 + (x + i) / 20) for i in range(3)]
        >>> aligner = Aligner(frames[0], model="translation")
        >>> aligner
        <Aligner translation: target 100x80 px>
        >>> [round(aligner.align(frame).parameters["shift_px"][0], 1) for frame in frames[1:]]
        [1.0, 2.0]
    """

    def __repr__(self) -> str:
        """One line: the target's size, and the options that are not the default."""
        default = {field.name: field.default for field in fields(Options)}
        given = {name: getattr(self.options, name) for name in default if name != "model"}
        told = [f"target {self.target_size[0]}x{self.target_size[1]} px"]
        told += [f"{name}={value!r}" for name, value in given.items() if value != default[name]]
        line = shorten(", ".join(told), 250, placeholder=" ...")
        return f"<Aligner {self.options.model}: {line}>"

    def __init__(
        self,
        target: Image,
        *,
        mask: Mask | None = None,
        threads: int | None = None,
        **options: Any,
    ) -> None:
        self._prepare(target, mask, Options(**options), threads, copied=True)

    @classmethod
    def _for_one_use(
        cls, target: Image, mask: Mask | None, options: Options, threads: int | None
    ) -> Aligner:
        """An aligner for a single call, during which the target does not change."""
        aligner = cls.__new__(cls)
        aligner._prepare(target, mask, options, threads, copied=False)
        return aligner

    def _prepare(
        self,
        target: Image,
        mask: Mask | None,
        options: Options,
        threads: int | None,
        *,
        copied: bool,
    ) -> None:
        """``copied``: whether to copy the target, because the caller may change it later."""
        keep_freed_memory()
        self.options = options
        self.model = MODELS[LARGEST if options.model == AUTO else options.model]
        self.loss = LOSSES[options.loss]
        self.threads = threads
        with at_most(threads):
            image = luma_with_options(target, "target", mask, options)
            self._target_kind = ImageKind.of(target)
            self._target = (Target.copied if copied else Target)(image, options)

    @property
    def target_size(self) -> Size:
        """(width, height) of the target in pixels."""
        return self._target.size

    def align(
        self,
        source: Image,
        *,
        mask: Mask | None = None,
        init: str | Matrix = AUTO,
        allow_flip: bool = False,
        all_tiles: bool = False,
        progress: Progress | None = None,
    ) -> Alignment:
        """Align one source to the target.

        Args:
            source: like the target; size, dtype and channels may differ.
            mask: (height, width) bool, the pixels of the source to use; None for all.
            init: initial transform: "auto", a name of ``options.START_NAMES``, or a (3, 3)
                ``source_to_target``.
            allow_flip: if the source cannot be aligned, try its mirror image.
            all_tiles: measure the displacements of all tiles of the target, not only of as many
                as the verdict needs.
            progress: called with the record of each level when that level is finished.

        Returns:
            The alignment, whatever its outcome: check ``outcome.aligned``.

        Raises:
            ImageError: if the source cannot be aligned, its mask has another size or no true
                pixel, or ``init`` is not a transform.
        """
        with at_most(self.threads):
            alignment = self._aligned(source, mask, init, allow_flip, progress)
            if all_tiles:
                return with_all_tiles(
                    alignment, source, mask, self._target, self._orientation_view, self.options
                )
            return alignment

    def _aligned(
        self,
        source: Image,
        mask: Mask | None,
        init: str | Matrix,
        allow_flip: bool,
        progress: Progress | None,
    ) -> Alignment:
        if allow_flip:
            check_image(source, "source")
            return allowing_flip(
                lambda image, image_mask, start: self.align(
                    image, mask=image_mask, init=start, progress=progress
                ),
                source,
                mask,
                init,
            )
        if self.options.model == AUTO:
            return self._aligned_by_simplest_model(source, mask, init, progress)
        if isinstance(init, str) and init == POSES and self.options.similarity == INTENSITY:
            raise ValueError(
                f"init {POSES!r} compares edge orientations; choose similarity "
                f"{GRADIENT!r} or {AUTO!r} with it"
            )
        starts, initial_warp = chosen_starts(init, self.model, self.target_size)
        with Threads() as threads:
            pair = Pair(luma_with_options(source, "source", mask, self.options), self._target)
            similarities = self._similarities(pair, threads, progress)
            attempt = search(similarities, starts, initial_warp)
            attempt = realigned_without_pattern(attempt, starts, initial_warp)
        return replace(
            as_alignment(attempt),
            source_kind=ImageKind.of(source),
            target_kind=self._target_kind,
        )

    def _similarities(
        self, pair: Pair, threads: Threads, progress: Progress | None
    ) -> list[Similarity]:
        """The similarity measures of a pair, in order of preference."""
        task = Task(pair, self.model, self.loss, self.options, threads, progress)
        similarities: list[Similarity] = []
        if self.options.similarity != GRADIENT:
            similarities.append(Intensity(task))
        if self.options.similarity != INTENSITY:
            similarities.append(Gradient(task, self._orientation_view))
        return similarities

    @cached_property
    def _orientation_view(self) -> View:
        """The target's levels and edge orientations, for similarity "gradient"."""
        return View(self._target.image, self._target.levels)

    def _aligned_by_simplest_model(
        self, source: Image, mask: Mask | None, init: str | Matrix, progress: Progress | None
    ) -> Alignment:
        """Align by the simplest model that explains the images, then apply the limits.

        Limits do not influence the choice: another model might hide what exceeds them.
        """
        unlimited = self._with(**dict.fromkeys(LIMIT_RANGES))

        def align(model: str) -> Alignment:
            reported = progress if model == LARGEST else None
            aligner = unlimited._with_model(model)
            return aligner.align(source, mask=mask, init=init, progress=reported)

        def scores(warp: Matrix) -> tuple[ModelScore, ...]:
            pair = Pair(luma_with_options(source, "source", mask, self.options), self._target)
            return scores_at(pair, warp, self.options)

        chosen = by_simplest_model(align, scores)
        outcome = within_limits(chosen.outcome, self.options, chosen.parameters, chosen.quality)
        uncertainty = chosen.uncertainty if outcome.vouched else None
        return replace(chosen, outcome=outcome, uncertainty=uncertainty)

    def _with_model(self, name: str) -> Aligner:
        """The same aligner for another model, with the same target."""
        other = self._with(model=name)
        other.model = MODELS[name]
        return other

    def _with(self, **options: Any) -> Aligner:
        """The same aligner with other options, which must not affect the target."""
        other = copy(self)
        other.options = replace(self.options, **options)
        return other


def residual(
    source: Image,
    target: Image,
    alignment: Alignment,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
    options: Options = DEFAULTS,
    raw: bool = False,
) -> tuple[Plane, Mask]:
    """Residual ``corrected - target`` of the lumas, or of the aligned channel, on the overlap.

    ``corrected`` is the warped source after the alignment's illumination, also where that varies
    over the image.

    Args:
        source: the source of the alignment.
        target: its target.
        alignment: the alignment.
        source_mask: (height, width) bool, the pixels of the source to use; None for all.
        target_mask: the same for the target.
        options: those of the alignment; only ``channel`` and ``ignore_alpha`` have an effect.
        raw: whether the residual is ``warped - target``, before the illumination; it always is if
            edge orientations were compared.

    Returns:
        (height, width) float32 in units of full scale, 0 outside the overlap, and
        (height, width) bool, the overlap; both on the target's grid.
    """
    return quality.residual_image(
        luma_with_options(source, "source", source_mask, options),
        luma_with_options(target, "target", target_mask, options),
        alignment.target_to_source,
        None if raw else alignment.illumination,
    )


def changed(
    source: Image,
    target: Image,
    alignment: Alignment,
    *,
    above_levels: float = CHANGED_ABOVE_LEVELS,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
    options: Options = DEFAULTS,
) -> Changed | None:
    """Where the images differ although they are aligned: ``align_cli.engine.result.changed``.

    Args:
        source: the source of the alignment.
        target: its target.
        alignment: the alignment.
        above_levels: grey levels up to which a difference does not count, of 255 from black to
            white of the target; ``align_cli.engine.images.grey_range`` tells which these are.
        source_mask: (height, width) bool, the pixels of the source to use; None for all.
        target_mask: the same for the target.
        options: those of the alignment; only ``channel`` and ``ignore_alpha`` have an effect.

    Returns:
        Share and bounding boxes; None if the alignment failed, or compared edge orientations,
        because grey values then say nothing.
    """
    if alignment.illumination is None or not alignment.outcome.vouched:
        return None
    images = compared_planes(source, target, source_mask, target_mask, options)
    return changes(
        images,
        alignment.target_to_source,
        alignment.illumination,
        above_levels=above_levels,
        levels=grey_levels(source, target, images[0][1].valid),
        opacities=opacities(source, target, source_mask, target_mask, options),
    )


def align(
    source: Image,
    target: Image,
    *,
    model: str = DEFAULTS.model,
    preset: str = DEFAULTS.preset,
    loss: str = DEFAULTS.loss,
    photometric: bool = DEFAULTS.photometric,
    similarity: str = DEFAULTS.similarity,
    levels: int | None = DEFAULTS.levels,
    max_iterations: int = DEFAULTS.max_iterations,
    tolerance: float | None = DEFAULTS.tolerance,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
    channel: str | int = DEFAULTS.channel,
    ignore_alpha: bool = DEFAULTS.ignore_alpha,
    init: str | Matrix = AUTO,
    allow_flip: bool = False,
    threads: int | None = None,
    **limits: Any,
) -> Alignment:
    """Estimate the transform that aligns ``source`` to ``target``.

    Args:
        source: the image to warp, (height, width) or (height, width, channels); uint8,
            uint16, float32 or float64. Neither image is changed.
        target: the image whose pixel grid is that of the result; size, dtype and channels may
            differ from the source's.
        model: motion model: "translation", "rigid", "similarity", "affine" or "homography"; or
            "auto", the simplest model that explains the images.
        preset: "fast", "balanced" or "precise".
        loss: "tukey", "huber", "lorentzian", "geman-mcclure" or "l2".
        photometric: whether to estimate illumination gain and bias.
        similarity: similarity measure: "intensity", grey values; "gradient", edge orientations,
            invariant to sign and contrast; "auto", both, and the result with more inliers.
        levels: number of pyramid levels; None for as many as both image sizes allow.
        max_iterations: iteration limit of each solve of a level.
        tolerance: convergence threshold: the largest displacement of a corner by the next step,
            in pixels; None for the preset's.
        source_mask: (height, width) bool, the pixels of the source to use; None for all. The
            values of other pixels have no effect.
        target_mask: the same for the target.
        channel: the channel to align by: "luma", "all" (the mean of all channels), or the number
            of a channel, from 0.
        ignore_alpha: whether to use transparent pixels too.
        init: initial transform: "auto", a name of ``options.START_NAMES``, or a (3, 3)
            ``source_to_target``.
        allow_flip: if the source cannot be aligned, try its mirror image.
        threads: number of threads; None for one per core, at most 4. Results do not depend on it.
            (OpenCV has its own: ``cv2.setNumThreads``.)
        limits: limits of the result, by name: max_shift (pixels), max_rotation (degrees),
            max_scale (a factor), max_shear, min_overlap (a share), min_score (a ZNCC),
            accept_residual (pixels); and keep_fixed_pattern.

    Returns:
        The alignment, whatever its outcome: check ``outcome.aligned``.

    Raises:
        ImageError: if an image cannot be aligned or has no such channel, a mask has another size
            than its image or no true pixel, or ``init`` is not a transform.
        TypeError: if a limit is unknown.
        ValueError: if an option has an invalid value; the message lists the choices.

    Example:
        >>> import numpy as np
        >>> from align_cli import align
        >>> y, x = np.mgrid[:80, :100]
        >>> target = np.sin(x / 5) + np.cos(y / 7 + x / 20)
        >>> source = np.sin((x + 1) / 5) + np.cos(y / 7 + (x + 1) / 20)
        >>> found = align(source, target, model="translation")
        >>> found.outcome.aligned, found.source_to_target[:2, 2].round(1) + 0.0
        (True, array([1., 0.]))
    """
    options = Options(
        model=model,
        preset=preset,
        loss=loss,
        photometric=photometric,
        similarity=similarity,
        levels=levels,
        max_iterations=max_iterations,
        tolerance=tolerance,
        channel=channel,
        ignore_alpha=ignore_alpha,
        **limits,
    )
    aligner = Aligner._for_one_use(target, target_mask, options, threads)
    return aligner.align(source, mask=source_mask, init=init, allow_flip=allow_flip)
