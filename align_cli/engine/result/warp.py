"""Laying a finished alignment's source, or anything on its grid, over the target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Matrix
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.luma import ALPHA_CHANNELS, LARGEST_SIDE, check_kind
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS, STRIP_PIXELS
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import INTERPOLATION_NAMES
from align_cli.engine.sampling.bilinear import clear_outside, offset_origin, row_intervals, sample
from align_cli.engine.sampling.tiled import Part, sample_parts

if TYPE_CHECKING:
    from align_cli.engine.sampling.kernels import Kernel

TOGETHER: Final = (1, 3, 4)
"""Numbers of channels that cv2 samples exactly; with two it rounds to 1/32 px."""


def warp_image(
    image: Image,
    warp: Matrix,
    *,
    target_size: Size,
    source_size: Size,
    fill: float = 0.0,
    interpolation: str = "linear",
) -> Image:
    """Resample an image of any supported dtype and number of channels onto the target's grid.

    The values of a channel are clamped to its own range, so that nothing wraps around; integers are
    rounded to the nearest. An identity warp returns the image exactly. With two or four channels
    the last one is alpha, and 0 outside the image.

    Args:
        image: (height, width) or (height, width, channels); uint8, uint16, float32, float64.
        warp: (3, 3), target pixel -> source pixel.
        target_size: (width, height) of the result.
        source_size: (width, height) the image must have.
        fill: value of the pixels outside the image, in the image's own units; one that its dtype
            has. NaN only for floating-point images.
        interpolation: "nearest" (for labels: no new values), "linear", "cubic" (Keys,
            exact on ramps and parabolas) or "lanczos" (three lobes). An image too narrow for a
            kernel is sampled linearly.

    Raises:
        ImageError: if the image is not of the source's size, or a side is above 32766 px.
        TypeError: if ``fill`` is no number.
        ValueError: if the interpolation is unknown, or the dtype cannot represent ``fill``.
    """
    _check(image, source_size, fill, interpolation)
    if source_size == target_size and (warp == np.eye(3)).all():
        return image.copy()  # exact with NaN too: 0 * NaN would spread to the neighbours
    if max(*source_size, *target_size) > LARGEST_SIDE:
        raise ImageError(f"no side may exceed {LARGEST_SIDE} px")
    planes = np.atleast_3d(image)
    channels = planes.shape[2]
    target_width, target_height = target_size
    kernel = None if interpolation == "linear" else _kernel(interpolation, source_size)
    first, end = row_intervals(
        warp, np.arange(target_height, dtype=np.float64), target_width, source_size, 0.0
    )
    fills = _fills(fill, channels, image.dtype)
    warped = np.empty((target_height, target_width, channels), image.dtype)
    rows = max(1, LARGE_STRIP_PIXELS // target_width)
    group = channels if channels in TOGETHER else 1
    for channel in range(0, channels, group):
        together = np.s_[..., channel : channel + group]
        if kernel is not None:
            _warp_by_kernel(planes[together], warp, kernel, warped[together])
            continue
        if image.dtype == np.float64:
            warped[together] = _warped_float64(planes[together], warp, target_size)
            continue
        for top in range(0, target_height, rows):
            _warp_rows(planes[together], warp, top, out=warped[together][top : top + rows])
    # cv2 blends the border with a fill value over one pixel. Replicating it and filling by the
    # exact overlap afterwards avoids a dark rim.
    for top in range(0, target_height, rows):
        strip = slice(top, top + rows)
        clear_outside(warped[strip], first[strip], end[strip], fills)
    return warped.reshape(target_height, target_width, *image.shape[2:])


def _check(image: Image, source_size: Size, fill: float, interpolation: str) -> None:
    """Raise the exceptions of ``warp_image`` for invalid arguments."""
    if interpolation not in INTERPOLATION_NAMES:
        raise ValueError(
            f"unknown interpolation {interpolation!r}; choose one of "
            + ", ".join(INTERPOLATION_NAMES)
        )
    check_kind(image, "image")
    _check_fill(fill, image.dtype)
    height, width = image.shape[:2]
    if (width, height) != source_size:
        raise ImageError(
            f"the transform is for an image of {source_size[0]}x{source_size[1]} px, "
            f"this one has {width}x{height} px"
        )


def _check_fill(fill: float, dtype: np.dtype[Any]) -> None:
    """Raise for a fill value that a dtype does not have.

    Raises:
        TypeError: if it is no number.
        ValueError: if the dtype cannot represent it.
    """
    if not isinstance(fill, int | float | np.number):
        raise TypeError(f"fill must be a number, not {type(fill).__name__}")
    if dtype.kind == "u":
        if math.isnan(fill):
            raise ValueError(
                f"fill is NaN, which {dtype.name} does not have; choose a number, or convert the "
                "image to a floating-point one"
            )
        limits = np.iinfo(dtype)
        if not (limits.min <= fill <= limits.max and float(fill).is_integer()):
            raise ValueError(
                f"fill is {fill:g}, but {dtype.name} has integers from {limits.min} to "
                f"{limits.max}; choose one of them"
            )
    elif abs(float(fill)) > float(np.finfo(dtype).max):  # not so of NaN
        raise ValueError(
            f"fill is {fill:g}, but {dtype.name} has values up to {np.finfo(dtype).max:.3g}; "
            "choose a smaller one, or NaN"
        )


def _fills(fill: float, channels: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(channels,) values outside the image, in its dtype; 0 of alpha."""
    fills = np.full(channels, fill)
    if channels in ALPHA_CHANNELS:
        fills[-1] = 0.0
    return fills.astype(dtype)


def _warp_rows(planes: Image, warp: Matrix, top: int, *, out: Image) -> None:
    """Some rows of the warped planes, (rows, width, channels) from row ``top`` on."""
    height, width = planes.shape[:2]

    def part_of(part: Part) -> Image:
        return np.ascontiguousarray(planes[part]) if planes.shape[2] == 1 else planes[part]

    size = out.shape[1], out.shape[0]
    strip_warp = offset_origin(warp, 0.0, top)
    sample_parts(part_of, (width, height), strip_warp, size, out=out, replicate=True)


def _kernel(interpolation: str, source_size: Size) -> Kernel | None:
    """The kernel of a name; None if the image is too narrow for it."""
    from align_cli.engine.sampling.kernels import KERNELS  # noqa: PLC0415  (most are warped linearly)

    kernel = KERNELS[interpolation]
    return kernel if kernel.reach == 1 or min(source_size) >= 2 * kernel.reach else None


def _warp_by_kernel(planes: Image, warp: Matrix, kernel: Kernel, out: Image) -> None:
    """Warp by an interpolation other than linear, into ``out``, in strips of rows."""
    from align_cli.engine.sampling.kernels import padded, sample_kernel, sample_nearest  # noqa: PLC0415

    height, width = out.shape[:2]
    # The weights of every pixel of a strip are held at once.
    rows = max(1, STRIP_PIXELS // width)
    nearest = kernel.reach == 1
    each = [] if nearest else list(np.moveaxis(planes, 2, 0))
    limits = [_finite_range(plane) for plane in each]
    padded_channels = [padded(plane, kernel) for plane in each]

    def warp_strip(top: int) -> None:
        strip = out[top : top + rows]
        moved, size = offset_origin(warp, 0.0, top), (width, len(strip))
        if nearest:
            strip[...] = sample_nearest(planes, moved, size)
            return
        sampled = sample_kernel(padded_channels, moved, size, kernel)
        for channel, (values, (low, high)) in enumerate(zip(sampled, limits, strict=True)):
            if planes.dtype.kind == "u":
                np.rint(values, out=values)
            strip[..., channel] = np.clip(values, low, high, out=values)

    with Threads() as threads:
        threads.map(warp_strip, range(0, height, rows))


def _finite_range(plane: Image) -> tuple[float, float]:
    """Least and largest finite value of a channel."""
    if plane.dtype.kind == "u":
        return float(plane.min()), float(plane.max())
    finite = np.isfinite(plane)
    if not finite.any():
        return -np.inf, np.inf
    low, high = (
        float(extreme(plane, initial=start, where=finite))
        for extreme, start in ((np.min, np.inf), (np.max, -np.inf))
    )
    return low, high


def _warped_float64(planes: Image, warp: Matrix, size: Size) -> NDArray[np.float64]:
    """Warp float64 planes: leading and trailing bits as float32, at a scale in its range.

    cv2 samples at exact sub-pixel positions in float32 only.
    """
    channels = []
    for plane in np.moveaxis(planes, 2, 0):
        _, exponent = np.frexp(np.max(np.abs(plane), initial=0.0, where=np.isfinite(plane)))
        scaled = np.ldexp(plane, -exponent)
        leading = scaled.astype(np.float32)
        with np.errstate(invalid="ignore"):  # infinity less infinity
            trailing = (scaled - leading).astype(np.float32)
        low, high = (sample(part, warp, size, replicate=True) for part in (trailing, leading))
        channels.append(np.ldexp(high.astype(np.float64) + low, exponent))
    return np.stack(channels, axis=2)
