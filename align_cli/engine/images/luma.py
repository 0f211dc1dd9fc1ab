"""Conversion of the user's image to the single float32 plane that is aligned.

Colour becomes luma, integers are divided by their full scale, and pixels without a measurement (not
finite, transparent) become invalid.
"""

from __future__ import annotations

import os
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Mask, Plane, Vector
from align_cli.engine.errors import ImageError
from align_cli.engine.images.masks import check_mask
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import ALL_CHANNELS, LUMA_CHANNEL, Options
from align_cli.native.filtered_image import FilteredImage

DTYPES: Final = ("uint8", "uint16", "float32", "float64")

# ITU-R BT.601, the weights of every JPEG and of cv2.cvtColor.
RED_GREEN_BLUE: Final = (0.299, 0.587, 0.114)

ALPHA_CHANNELS: Final = (2, 4)
"""Numbers of channels (grey or RGB and one more) of which the last is alpha."""

SMALLEST_SIDE: Final = 8
"""A smaller image has no interior beyond the reach of the filters."""

LARGEST_SIDE: Final = 32766
"""cv2 stores the coordinates of its warps in 16 bits."""

MOST_CV2_CHANNELS: Final = 4

LARGE_PIXELS: Final = 1 << 20
"""Integer images of more pixels are converted on demand."""


Part = tuple[slice | NDArray[np.intp], slice]
"""Rows, or their indices, and columns of an image."""

ONE: Final = np.ones(1, np.float32)
"""The weight of the channel of a plane."""

Weights = tuple[float, ...]
"""The weight of each channel."""


class Luma:
    """The plane of one image, as the solver uses it.

    Args:
        plane: (height, width) float32; value in full-scale units = ``offset + scale * plane``.
            Where ``valid`` is False it is 0.
        valid: (height, width) bool, or None where every pixel is valid.
        offset, scale: 0 and 1 for integer images. Floating-point images may have any range, so
            their mean and standard deviation are removed before float32 would round them away.
    """

    def __init__(self, plane: Plane, valid: Mask | None, offset: float, scale: float) -> None:
        self._plane, self.valid, self.offset, self.scale = plane, valid, offset, scale

    @property
    def plane(self) -> Plane:
        """(height, width) float32."""
        return self._plane

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.plane.shape
        return width, height

    def part(self, part: Part) -> Plane:
        """Some rows and columns of the plane."""
        return self.plane[part]

    def filtered(self, kernel: Vector) -> FilteredImage:
        """The plane, smoothed along both axes by a kernel of odd length."""
        return FilteredImage(self.plane, ONE, kernel)


class LargeLuma(Luma):
    """A large integer image, converted on demand: its plane would be larger.

    Args:
        colours: (height, width, channels), without alpha.
        divisor: the value that becomes 1.
        weights: of the channels; their sum is 1.
    """

    def __init__(self, colours: Image, divisor: float, weights: Weights) -> None:
        self._colours, self._divisor, self._weights = colours, divisor, weights
        self.valid, self.offset, self.scale = None, 0.0, 1.0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self._colours.shape[:2]
        return width, height

    @property
    def plane(self) -> Plane:
        """The whole plane, computed anew every time."""
        return _converted(self._colours, self._divisor, self._weights)

    def part(self, part: Part) -> Plane:
        """Some rows and columns of the plane."""
        return _converted(self._colours[part], self._divisor, self._weights)

    def filtered(self, kernel: Vector) -> FilteredImage:
        """The plane, smoothed along both axes by a kernel of odd length."""
        weights = np.array(self._weights) / self._divisor
        return FilteredImage(self._colours, weights.astype(np.float32), kernel)

    def copied(self) -> LargeLuma:
        """The same of a copy of the image, which its owner may then change."""
        return LargeLuma(self._colours.copy(), self._divisor, self._weights)

    @property
    def flat(self) -> bool:
        """Whether every pixel has the same luma."""
        width, height = self.size
        rows = max(1, LARGE_STRIP_PIXELS // width)
        value = self.part(np.s_[:1, :1])[0, 0]
        strips = (self.part(np.s_[top : top + rows, :]) for top in range(0, height, rows))
        return all((strip == value).all() for strip in strips)


def is_colour(image: Image) -> bool:
    """Whether it is RGB, with or without alpha."""
    return image.ndim == len("hwc") and image.shape[2] - len(RED_GREEN_BLUE) in (0, 1)


def full_scale(image: Image) -> float:
    """The value that becomes 1.0: the largest integer of the dtype, 1 for floats."""
    return float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0


def check_kind(image: Image, role: str) -> None:
    """Check shape and dtype.

    Raises:
        ImageError: if the image is not (H, W) or (H, W, C) of a supported dtype.
    """
    if not isinstance(image, np.ndarray):
        raise _no_array(image, role)
    if image.dtype.name not in DTYPES:
        raise ImageError(
            f"dtype {image.dtype.name} is not supported; convert it to one of {', '.join(DTYPES)}",
            role=role,
        )
    if image.ndim not in (2, 3):
        raise ImageError(
            f"expected (height, width) or (height, width, channels), got shape {image.shape}",
            role=role,
        )
    if image.ndim == 3 and image.shape[2] == 0:
        raise ImageError("the image has no channels", role=role)


def _no_array(image: object, role: str) -> ImageError:
    name = isinstance(image, str | os.PathLike)
    advice = "; read the file first, for example by imageio.v3.imread" if name else ""
    return ImageError(f"expected a numpy array, got {type(image).__name__}{advice}", role=role)


def check_image(image: Image, role: str) -> None:
    """Check shape, dtype and size.

    Raises:
        ImageError: if the image is not (H, W) or (H, W, C) of a supported dtype and size.
    """
    check_kind(image, role)
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ImageError(
            f"{width}x{height} px is too small to align; each side needs {SMALLEST_SIDE} px",
            role=role,
        )
    if max(height, width) > LARGEST_SIDE:
        raise ImageError(
            f"{width}x{height} px is too large; no side may exceed {LARGEST_SIDE} px", role=role
        )


def luma(
    image: Image,
    role: str = "image",
    *,
    mask: Mask | None = None,
    channel: str | int = LUMA_CHANNEL,
    ignore_alpha: bool = False,
) -> Luma:
    """Convert an image to the plane that is aligned.

    Grey is used as it is, RGB becomes luma, any other number of channels their mean. With two or
    four channels the last one is alpha: fully transparent pixels become invalid. If all visible
    pixels have one colour, as in an icon whose shape is in its alpha, alpha is aligned instead.

    Args:
        image: (height, width) or (height, width, channels); uint8, uint16, float32, float64. It is
            not changed.
        role: "source" or "target", for messages.
        mask: (height, width) bool, False at invalid pixels, whose values do not matter. None for
            all pixels.
        channel: "luma"; "all" for the mean of all channels but alpha; or the number of one, from 0
            (also that of the last of four, which then is no alpha).
        ignore_alpha: whether transparent pixels are valid too; alpha is not used then.

    Raises:
        ImageError: if the shape or dtype is unsupported, no pixel is finite, or all are equal; if
            there is no such channel, or the mask has another size or marks nothing.
    """
    check_image(image, role)
    pixels = image.reshape(*image.shape[:2], -1)
    colours, alpha, weights = _channels(pixels, channel, role)
    alpha = None if ignore_alpha else alpha
    found = _of_channels(colours, weights, _valid(colours, alpha, mask, role))
    if found is None and alpha is not None and isinstance(channel, str):
        shape = alpha[:, :, None]
        found = _of_channels(shape, (1.0,), _valid(shape, None, mask, role))
    if found is None:
        raise _flat(mask, role)
    return found


def opacity(image: Image, mask: Mask | None = None) -> Luma | None:
    """The alpha of an image as a plane, 0 to 1; None if it has none, or is opaque everywhere.

    Args:
        image: (height, width) or (height, width, channels), of a kind that ``luma`` takes.
        mask: (height, width) bool, the valid pixels; None for all.
    """
    alpha = alpha_of(image)
    if alpha is None or not (alpha < full_scale(alpha)).any():
        return None
    shares = np.nan_to_num(alpha.astype(np.float32) / np.float32(full_scale(alpha)))
    return Luma(shares, mask, 0.0, 1.0)


def alpha_of(image: Image) -> Image | None:
    """(height, width), the last of two or four channels; None of other numbers."""
    return _split_alpha(image.reshape(*image.shape[:2], -1))[1]


def _of_channels(colours: Image, weights: Weights, valid: Mask | None) -> Luma | None:
    """The plane of some channels, (height, width, n); None if it is flat."""
    height, width, _ = colours.shape
    floating = colours.dtype.kind == "f"
    if valid is None and not floating and height * width > LARGE_PIXELS:
        # The native core reads native byte order.
        native = colours.astype(colours.dtype.newbyteorder("="), copy=False)
        large = LargeLuma(native, full_scale(colours), weights)
        return None if large.flat else large
    offset, scale = _spread(colours, valid) if floating else (0.0, 1.0)
    plane = _converted(colours, scale * full_scale(colours), weights, offset, valid)
    if valid is not None:
        plane[~valid] = 0.0
    inside = plane if valid is None else plane[valid]
    return None if inside.min() == inside.max() else Luma(plane, valid, offset, scale)


def luma_with_options(image: Image, role: str, mask: Mask | None, options: Options) -> Luma:
    """``luma`` of an image with the channel and alpha of the options."""
    return luma(image, role, mask=mask, channel=options.channel, ignore_alpha=options.ignore_alpha)


def _channels(pixels: Image, channel: str | int, role: str) -> tuple[Image, Image | None, Weights]:
    """The channels that are used, (height, width, n), alpha or None, and their weights."""
    colours, alpha = _split_alpha(pixels)
    count = pixels.shape[2]
    if not isinstance(channel, str):
        if channel >= count:
            available = (
                f"it has channels 0 to {count - 1}" if count > 1 else "it has only channel 0"
            )
            raise ImageError(
                f"there is no channel {channel}: {available}; choose one of them, "
                f"{LUMA_CHANNEL} or {ALL_CHANNELS}",
                role=role,
            )
        is_alpha = alpha is not None and channel == count - 1
        return pixels[:, :, channel : channel + 1], None if is_alpha else alpha, (1.0,)
    count = colours.shape[2]
    luma_of = channel == LUMA_CHANNEL and count == len(RED_GREEN_BLUE)
    return colours, alpha, RED_GREEN_BLUE if luma_of else (1.0 / count,) * count


def _valid(colours: Image, alpha: Image | None, mask: Mask | None, role: str) -> Mask | None:
    """(height, width) bool, the valid pixels; None if all are."""
    if mask is not None:
        check_mask(mask, colours.shape[:2], role)
    floating = colours.dtype.kind == "f"
    if not floating and alpha is None and mask is None:
        return None
    valid = np.ones(colours.shape[:2], np.bool_) if mask is None else mask.copy()
    if floating:
        valid &= np.isfinite(colours).all(axis=2)
    if alpha is not None:
        valid &= (alpha > 0) & np.isfinite(alpha)
    if valid.all():
        return None
    if not valid.any():
        raise ImageError(_why_none(colours, mask), role=role)
    return valid


def _why_none(colours: Image, mask: Mask | None) -> str:
    """Why no pixel is valid, and what to try."""
    where = "" if mask is None else " within the mask"
    inside = colours if mask is None else colours[mask]
    finite = np.isfinite(inside)
    if not finite.any():
        more = "enlarge the mask" if mask is not None else "check how the image was made"
        return f"no pixel is finite{where}, all are NaN, infinite or no data; {more}"
    if not finite.all(axis=-1).any():
        return (
            f"no pixel is finite in all channels{where}; choose a single channel by its number "
            "(--channel N)"
        )
    more = "use transparent pixels too (--ignore-alpha), or " + (
        "use another image" if mask is None else "enlarge the mask"
    )
    required = "opaque" if colours.dtype.kind == "u" else "both finite and opaque"
    return f"no pixel is {required}{where}; {more}"


def _flat(mask: Mask | None, role: str) -> ImageError:
    if mask is None:
        return ImageError(
            "the image is flat: every pixel has the same value; use an image with texture",
            role=role,
        )
    return ImageError(
        "the image is flat within its mask or region; enlarge the mask or region",
        role=role,
    )


def _split_alpha(pixels: Image) -> tuple[Image, Image | None]:
    if pixels.shape[2] in ALPHA_CHANNELS:
        return pixels[:, :, :-1], pixels[:, :, -1]
    return pixels, None


def _spread(colours: Image, valid: Mask | None) -> tuple[float, float]:
    """Mean and standard deviation of the valid values of a floating-point image; 1 for none."""
    # In C order whatever the layout in memory, so that sums round alike.
    values = (colours if valid is None else colours[valid]).astype(np.float64, order="C")
    # Scaled by the largest value first: the square of 1e200 is not finite.
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return 0.0, 1.0
    values /= largest
    spread = float(values.std()) * largest
    return float(values.mean()) * largest, spread if spread > 0.0 else 1.0


def _converted(
    colours: Image,
    divisor: float,
    weights: Weights,
    offset: float = 0.0,
    valid: Mask | None = None,
) -> Plane:
    """Weighted sum of the channels, less ``offset``, over ``divisor``; floats where valid only."""
    height, width, channels = colours.shape
    weights_row = np.array([[weight / divisor for weight in weights]])
    floating = colours.dtype.kind == "f"
    plane = np.empty((height, width), np.float32)
    rows = max(1, LARGE_STRIP_PIXELS // width)

    def convert(top: int) -> None:
        strip, out = colours[top : top + rows], plane[top : top + rows]
        if floating:
            # Before the sum: invalid values may be 1e300, or not finite.
            known = (
                strip
                if valid is None
                else np.where(valid[top : top + rows, :, None], strip, offset)
            )
            out[:] = (known - offset) @ weights_row[0]
        elif channels == 1:
            # First converted, then scaled: both at once takes numpy ten times as long.
            out[:] = strip[:, :, 0]
            out *= np.float32(weights_row[0, 0])
        elif channels <= MOST_CV2_CHANNELS:
            cv2.transform(strip.astype(np.float32), weights_row, dst=out)
        else:
            out[:] = strip @ weights_row[0]

    with Threads() as threads:
        threads.map(convert, range(0, height, rows))
    return plane
