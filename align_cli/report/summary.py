"""The summary of an alignment in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from align_cli.engine.options import INTENSITY, MODELS_IN_WORDS
from align_cli.engine.result.words import plus_minus
from align_cli.files.errors import printable

if TYPE_CHECKING:
    from align_cli.engine.displacements.records import Displacements, FixedPattern, SecondMotion
    from align_cli.engine.records import Uncertainty
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.changed import Band, Changed
    from align_cli.engine.result.transform import Transform
    from align_cli.files.images import Picture

NOT_MEASURABLE: Final = "not measurable"
NO_MOTION: Final = "no motion"

SMALLEST_PERSPECTIVE: Final = 1e-7
"""Changes the scale by 1e-4, the last digit that is given of a scale, over 1000 pixels."""

WORTH_TELLING_PX: Final = 1.0
"""Residual displacement, in pixels, up to which it is not mentioned."""

PLAIN: Final = (1e-3, 1e6)
"""Measures from the first to below the second are given with four decimals."""

LEAST_PERCENT: Final = 0.1
"""Smaller shares of an image are only said to be smaller."""

LEAST_CHANGED_PERCENT: Final = 0.001
"""Smaller shares that changed likewise: a few pixels of millions."""

MOST_BANDS: Final = 3
"""So many rows and columns that only one image has are named; the JSON has all."""

MOST_DIGITS: Final = 17
"""Digits that tell any two floating-point numbers apart."""

Parameters = Mapping[str, "float | tuple[float, float]"]


def have_full_scale(source: Picture, target: Picture) -> bool:
    """Whether both have a full scale, which floating-point images do not."""
    return source.full_scale > 1.0 and target.full_scale > 1.0


def closing_line(
    alignment: Alignment,
    *,
    written: Sequence[str],
    pair: tuple[str, str] | None = None,
    accepted: bool = False,
    of_full_scale: bool = True,
    checked: bool = False,
) -> str:
    """The result of an alignment in a few lines.

    If it is aligned: the motion, the similarity, the displacements that remain, and the files; if
    it is doubtful and accepted, the objections too. Otherwise the reasons, and that no image was
    written; the motion is then omitted, because it is not reliable.

    Args:
        alignment: the finished alignment.
        written: paths of the files that were written, as displayed.
        pair: paths of the source and the target, printed first unless the pair is aligned, to
            identify it in the log of many runs.
        accepted: whether a doubtful result is accepted.
        of_full_scale: whether both images have a full scale, which floating-point images do not.
        checked: whether the transform was only checked, so that there is no image in any case.

    Returns:
        Lines without a newline at the end.
    """
    files, outcome, model = ", ".join(written), alignment.outcome, alignment.model
    who = "" if pair is None or outcome.aligned else f"{' -> '.join(map(printable, pair))}: "
    if not (outcome.aligned or (outcome.doubtful and accepted)):
        name = "doubtful" if outcome.doubtful else "not aligned"
        wrote = [f"wrote {files}"] if files else []
        ends = wrote if checked else ["; ".join(["no warped image was written", *wrote])]
        if outcome.doubtful:
            does = "accepts this result" if checked else "writes it anyway"
            ends.append(f"--accept-doubtful {does}")
        return "\n".join([f"{who}{name} ({model}): {outcome.sentence}", *ends])
    lines = _usable(alignment, who, of_full_scale=of_full_scale)
    if files:
        lines.append(f"wrote {files}")
    return "\n".join(lines)


def python_summary(alignment: Alignment, *, accept_doubtful: bool) -> str:
    """The same for Python, where nothing is written and a keyword accepts a doubtful result."""
    outcome = alignment.outcome
    kinds = (alignment.source_kind, alignment.target_kind)
    if outcome.aligned or (outcome.doubtful and accept_doubtful):
        floats = any(kind is not None and kind.dtype.startswith("float") for kind in kinds)
        return "\n".join(_usable(alignment, "", of_full_scale=not floats))
    name = "doubtful" if outcome.doubtful else "not aligned"
    line = f"{name} ({alignment.model}): {outcome.sentence}"
    return f"{line}\naccept_doubtful=True uses this result" if outcome.doubtful else line


def _usable(alignment: Alignment, who: str, *, of_full_scale: bool) -> list[str]:
    """The lines on an alignment that is aligned, or doubtful and accepted."""
    outcome = alignment.outcome
    lines = [
        f"{who}{outcome.verdict.value} ({alignment.model}): "
        + ("mirrored, " if alignment.mirrored else "")
        + motion_in_words(alignment.parameters)
        + uncertainty_in_words(alignment.uncertainty),
        agreement_in_words(alignment, of_full_scale=of_full_scale),
        *displacements_in_words(alignment),
    ]
    return lines if outcome.aligned else [*lines, outcome.sentence]


def uncertainty_in_words(uncertainty: Uncertainty | None) -> str:
    """The mean standard deviation of a mapped point: ", +-0.004 px"."""
    return "" if uncertainty is None else f", {plus_minus(uncertainty.mean_px)}"


def transform_in_words(transform: Transform) -> str:
    """Describe a transform: its parameters, the image sizes and its matrix."""
    sizes = [
        f"{size[0]}x{size[1]}" if size else "unknown size"
        for size in (transform.source_size, transform.target_size)
    ]
    about = "the centre of the source" if transform.source_size else "pixel (0, 0)"
    rows = [" ".join(f"{entry:.17g}" for entry in row) for row in transform.source_to_target]
    return "\n".join(
        [
            f"{transform.model}, source {sizes[0]}, target {sizes[1]}",
            f"about {about}: {motion_in_words(transform.parameters)}"
            + uncertainty_in_words(transform.uncertainty),
            "source_to_target:",
            *(f"  {row}" for row in rows),
        ]
    )


def level_table(alignment: Alignment, *, of_full_scale: bool = True) -> str:
    """Describe the solves, one line for each pyramid level, coarsest first."""
    lines = ["level       size  iterations  last step px      rmse  status"]
    for record in alignment.levels:
        size = f"{record.width}x{record.height}"
        rmse = f"{record.rmse:.5f}" if of_full_scale else any_measure(record.rmse)
        lines.append(
            f"{record.level:>5} {size:>10} {record.iterations:>11} {record.last_step_px:>13.5f} "
            f"{rmse:>9}  {record.status.value}"
        )
    if alignment.similarity == INTENSITY:
        unit = " of full scale" if of_full_scale else ""
        measure = number if of_full_scale else any_measure
        sign = "-" if alignment.bias < 0.0 else "+"
        bias = f"{sign if math.isfinite(alignment.bias) else ''}{measure(abs(alignment.bias))}"
        lines.append(f"gain {measure(alignment.gain)}, bias {bias}{unit}")
    return "\n".join(lines)


def motion_in_words(parameters: Parameters) -> str:
    """Put the transform's parameters into words.

    Reads ``shift_px`` ((x, y) in pixels, how the centre of the source moves), ``angle_deg``
    (positive from x towards y, which is clockwise on a screen, where y runs down), ``scale_x``
    and ``scale_y`` or ``scale`` (ratios), ``shear`` (a ratio) and ``perspective`` (two numbers
    per pixel, zero where parallel lines stay parallel). What is absent, or too small to show in
    the digits that are given, is not said.
    """
    phrases = [
        _shift(parameters.get("shift_px")),
        _turn(parameters.get("angle_deg")),
        _scale(parameters),
        _shear(parameters.get("shear")),
        _perspective(parameters.get("perspective")),
    ]
    return ", ".join(phrase for phrase in phrases if phrase) or NO_MOTION


def agreement_in_words(alignment: Alignment, *, of_full_scale: bool = True) -> str:
    """The similarity before and after alignment, and the overlap.

    RMSE is after the illumination; if none is solved for, that is said.
    """
    raw = "" if alignment.illumination is not None else " (no illumination is solved for)"
    measure, unit = (number, " of full scale") if of_full_scale else (any_measure, "")
    quality = alignment.quality
    before, after = quality.before, quality.after
    return (
        f"ZNCC {number(before.zncc)} -> {number(after.zncc)}, "
        f"RMSE {measure(before.rmse)} -> {measure(after.rmse)}{unit}{raw}, "
        f"overlap {percent(quality.overlap)}"
    )


def displacements_in_words(alignment: Alignment) -> list[str]:
    """One line each: the model, the number of inliers, and what remains displaced."""
    told = alignment.displacements
    if told is None:
        return []
    model = simpler_model(alignment)
    lines = [model, _near(told), *unexplained_in_words(told, alignment)]
    return [line for line in lines if line]


def unexplained_in_words(
    told: Displacements, alignment: Alignment, *, second_motion: bool = True
) -> list[str]:
    """One line each: what of the images the transform does not explain.

    ``second_motion``: whether a second motion is told, which an objection may tell already.
    """
    lines = [
        _systematic(told, alignment),
        _second_motion(told.second_motion) if second_motion else "",
        _fixed_pattern(told.fixed_pattern),
    ]
    return [line for line in lines if line]


def changes_in_words(changes: Changed) -> str:
    """What changed: its share, where the largest area is, and what only one image has."""
    borders = _bands_in_words([each for each in changes.bands if each.border])
    beyond = f"; beyond the overlap: {borders}" if borders else ""
    bands = _bands_in_words(changes.inner_bands)
    if not changes.boxes and not bands:
        return f"no change found above {changes.above_levels:g} grey levels{beyond}"
    return (
        f"{_changed_share(changes.share)} of the overlap changed: "
        f"{'; '.join(filter(None, [bands, _areas_in_words(changes)]))}{beyond}"
    )


def _changed_share(share: float) -> str:
    """A share that changed in per cent with three digits, without an exponent."""
    per_cent = 100.0 * share
    if per_cent < LEAST_CHANGED_PERCENT:
        return f"less than {LEAST_CHANGED_PERCENT:g} %"
    return f"{per_cent:.3g} %"


def exceeds_in_words(changes: Changed, most: float) -> str:
    """That more changed than the share that may have: both, in digits that tell them apart."""
    from decimal import Decimal  # noqa: PLC0415  (few have a limit)

    digits = 3
    while digits < MOST_DIGITS and float(f"{changes.share:.{digits}g}") <= most:
        digits += 1
    share, limit = (
        f"{Decimal(f'{100 * each:.{digits}g}').normalize():f}" for each in (changes.share, most)
    )
    return f"{share} % of the overlap changed; at most {limit} % is allowed (--max-changed)"


def _areas_in_words(changes: Changed) -> str:
    if not changes.boxes:
        return ""
    largest, many = changes.boxes[0], changes.areas
    where = f"{largest.width}x{largest.height} px at ({largest.x}, {largest.y})"
    return where if many == 1 else f"{many} areas, the largest {where}"


def _bands_in_words(bands: Sequence[Band]) -> str:
    named = [band_in_words(each) for each in bands[:MOST_BANDS]]
    more = len(bands) - len(named)
    return "; ".join([*named, f"and {more} more"] if more > 0 else named)


def band_in_words(band: Band) -> str:
    """What a band is, how many rows or columns it has, and where."""
    along = "y" if band.of_rows else "x"
    return f"{band.kind.replace('_', ' ')}: {band.count} at {along}={band.at}"


def displacement_figures(alignment: Alignment) -> str:
    """The measures of the displacement field in one or two lines; empty if there are none."""
    told = alignment.displacements
    if told is None:
        return ""
    matched, asked = told.matched, told.searched
    lines = [
        f"evidence: {told.tiles} textured tiles, {told.sampled} tested, {told.stationary} "
        f"stationary, log10 of the number of false alarms {_figure(told.log10_false_alarms)}"
    ]
    if matched:
        shares = (told.within_half_px, told.within_1_px, told.within_2_px)
        lines.append(
            f"displacements of the {matched} of {asked} tiles that match: median "
            f"{_figure(told.median_px)} px, 95th percentile {_figure(told.p95_px)} px, largest "
            f"{_figure(told.largest_px)} px at {_point(told.largest_at_px)}; within 0.5, 1, 2 px "
            f"{', '.join(map(percent, shares))}"
        )
    return "\n".join(lines)


def simpler_model(alignment: Alignment) -> str:
    """The reason for a model with fewer parameters than requested; empty otherwise."""
    _, _, rest = alignment.outcome.sentence.partition("; ")
    return rest if alignment.outcome.aligned else ""


def _near(told: Displacements) -> str:
    matched, asked = told.matched, told.searched
    if not (matched and math.isfinite(told.within_1_px)):
        return ""
    near = round(told.within_1_px * matched)
    line = (
        f"{near} of {matched} matched tiles are displaced by at most 1 px "
        f"(median {told.median_px:.2f} px)"
    )
    none = asked - matched
    return f"{line}; {none} of {asked} textured tiles have no match" if none > matched else line


def _systematic(told: Displacements, alignment: Alignment) -> str:
    if not told.systematic_px > WORTH_TELLING_PX:
        return ""
    import numpy as np  # noqa: PLC0415  (help stays quick)

    from align_cli.engine.displacements.second_motion import region_in_words  # noqa: PLC0415

    where = region_in_words(np.array([told.systematic_at_px]), alignment.target_size)
    off = f"systematic displacement of up to {told.systematic_px:.1f} px {where}"
    if told.explained_by is None:
        return f"{off}, which no homography explains (lens distortion, curled paper)"
    article, name = MODELS_IN_WORDS[told.explained_by].split(maxsplit=1)
    if told.explained_by == alignment.model:
        article = "another"
    return f"{off}, which {article} {name} explains"


def _second_motion(motion: SecondMotion | None) -> str:
    if motion is None:
        return ""
    where = f", {motion.where}," if motion.where else ""
    # On average a motion about its own middle leads nowhere.
    shift = ", ".join(_directions(motion.shift_px, 1))
    words = f"{_share(motion.share)} of the texture{where} has a second motion"
    return f"{words} ({shift})" if shift else words


def _fixed_pattern(pattern: FixedPattern | None) -> str:
    if pattern is None:
        return ""
    return (
        f"{_share(pattern.share)} of the image is a fixed pattern of the sensor "
        f"({', '.join(pattern.kinds)}) and was excluded; --keep-fixed-pattern includes it"
    )


def _shift(shift: float | tuple[float, float] | None) -> str:
    if not isinstance(shift, Sequence):
        return ""
    x, y = shift
    if not (math.isfinite(x) and math.isfinite(y)):
        return f"shift {NOT_MEASURABLE}"
    parts = _directions((x, y), 2)
    return "shifted " + " and ".join(parts) if parts else ""


def _directions(shift: tuple[float, float], digits: int) -> list[str]:
    """A shift along x and y, without components that are zero in the given digits."""
    return [
        f"{abs(size):.{digits}f} px {positive if size > 0 else negative}"
        for size, (positive, negative) in zip(
            shift, (("right", "left"), ("down", "up")), strict=True
        )
        if float(f"{size:.{digits}f}")
    ]


def _turn(angle: float | tuple[float, float] | None) -> str:
    if not isinstance(angle, float | int):
        return ""
    if not math.isfinite(angle):
        return f"rotation {NOT_MEASURABLE}"
    size = f"{abs(angle):.2f}"
    direction = "clockwise" if angle > 0 else "counter-clockwise"
    return f"rotated {size} degrees {direction}" if float(size) else ""


def _scale(parameters: Parameters) -> str:
    x, y = parameters.get("scale_x"), parameters.get("scale_y")
    both = parameters.get("scale")
    if isinstance(x, float | int) and isinstance(y, float | int):
        if _ratio(x) != _ratio(y):
            return f"scaled {_ratio(x)} in x and {_ratio(y)} in y"
        both = x
    if not isinstance(both, float | int) or _ratio(both) == _ratio(1.0):
        return ""
    return f"scaled {_ratio(both)}" if math.isfinite(both) else f"scale {NOT_MEASURABLE}"


def _shear(shear: float | tuple[float, float] | None) -> str:
    if not isinstance(shear, float | int):
        return ""
    if not math.isfinite(shear):
        return f"shear {NOT_MEASURABLE}"
    size = f"{shear:.4f}"
    return f"sheared by {size}" if float(size) else ""


def _perspective(perspective: float | tuple[float, float] | None) -> str:
    if not isinstance(perspective, Sequence):
        return ""
    if not all(map(math.isfinite, perspective)):
        return f"perspective {NOT_MEASURABLE}"
    return "with perspective" if max(map(abs, perspective)) >= SMALLEST_PERSPECTIVE else ""


def _ratio(scale: float) -> str:
    return f"x{scale:.4f}" if math.isfinite(scale) else NOT_MEASURABLE


def number(value: float) -> str:
    """A number in four decimals."""
    return f"{value:.4f}" if math.isfinite(value) else NOT_MEASURABLE


def any_measure(value: float) -> str:
    """A grey value, of any magnitude for images without a full scale."""
    usual = value == 0.0 or PLAIN[0] <= abs(value) < PLAIN[1] or not math.isfinite(value)
    return number(value) if usual else f"{value:.4g}"


def _figure(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else NOT_MEASURABLE


def _point(point: tuple[float, float]) -> str:
    return f"({point[0]:.0f}, {point[1]:.0f})" if all(map(math.isfinite, point)) else NOT_MEASURABLE


def _share(share: float) -> str:
    """A share in per cent with about two digits: "18 %", "0.3 %", "less than 0.1 %"."""
    per_cent = 100.0 * share
    if per_cent < LEAST_PERCENT:
        return f"less than {LEAST_PERCENT:g} %"
    return f"{per_cent:.0f} %" if per_cent >= 1.0 else f"{per_cent:.1g} %"


def percent(share: float) -> str:
    """A share in per cent: "89.2 %"."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else NOT_MEASURABLE
