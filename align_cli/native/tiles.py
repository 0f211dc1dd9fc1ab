"""Tiles of the target in the warped source: search windows, Gauss-Newton steps, selection."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.native.library import Output, Plane, call, output, packed, plane, round_to_lanes

CELL: Final = 4
"""Side of a cell in pixels, see ``structure_cells``."""


Values = NDArray[np.float32]
Corners = NDArray[np.int64]

_WINDOW: Final = np.dtype(
    [
        ("peak", np.float64),
        ("offset", np.int64, 2),
        ("positions", np.int64),
        ("tested", np.int64),
        ("stationary", np.int64),
        ("distinct", np.int64),
    ]
)
_TILE: Final = np.dtype(
    [
        ("moved", np.float64, 2),
        ("last", np.float64),
        ("correlation", np.float64),
        ("shared", np.float64, 3),
        ("squares", np.float64),
        ("cells", np.float64),
    ]
)


class _Windows(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("warped", Plane * 2),
        ("target", Plane * 2),
        ("whole", Plane),
        ("planes", ctypes.c_int64),
        ("side", ctypes.c_int64),
        ("reach", ctypes.c_int64),
        ("corner", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("displaced_x", ctypes.c_int64),
        ("displaced_y", ctypes.c_int64),
        ("stationary", ctypes.c_int64),
        ("peak_radius", ctypes.c_int64),
        ("fewest_positions", ctypes.c_int64),
        ("tie_margin", ctypes.c_double),
        ("distinct_margin", ctypes.c_double),
        ("least_correlation", ctypes.c_double),
        ("scratch", ctypes.c_void_p),
        ("found", ctypes.c_void_p),
    )


class _Tiles(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("source", Plane * 2),
        ("target", Plane * 2),
        ("planes", ctypes.c_int64),
        ("side", ctypes.c_int64),
        ("corner", ctypes.c_void_p),
        ("begin", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("warp", ctypes.c_double * 9),
        ("small", ctypes.c_double),
        ("reach", ctypes.c_double),
        ("singular", ctypes.c_double),
        ("found", ctypes.c_void_p),
    )


class _Suppress(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("place", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("reach", ctypes.c_int64),
        ("taken", Output),
        ("kept", ctypes.c_void_p),
    )


class _Cells(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("image", Plane),
        ("xx", Output),
        ("xy", Output),
        ("yy", Output),
        ("first", ctypes.c_int64),
        ("end", ctypes.c_int64),
        ("scratch", ctypes.c_void_p),
    )


class StepRules(NamedTuple):
    """Parameters of the steps of a tile.

    Attributes:
        steps: at most.
        small: a step whose longer component is below this is the last.
        reach: largest distance from the initial displacement, along an axis.
        singular: share of its trace that is added to A, see ``displaced_tiles``.
    """

    steps: int
    small: float
    reach: float
    singular: float


class WindowRules(NamedTuple):
    """Parameters of a window search, in pixels and ZNCC.

    Attributes:
        stationary: positions within this distance of the centre count as the centre.
        peak_radius: positions within this distance of the best belong to its peak.
        fewest_positions: windows with fewer are not searched.
        tie_margin: positions whose ZNCC differs by no more are tied.
        distinct_margin: an unambiguous peak exceeds every other position by more.
        least_correlation: least ZNCC of an unambiguous peak.
    """

    stationary: int
    peak_radius: int
    fewest_positions: int
    tie_margin: float
    distinct_margin: float
    least_correlation: float


def _corners(corner: Corners) -> Corners:
    """The corners as the core reads them.

    Raises:
        ValueError: if they are not (n, 2).
    """
    if corner.shape != (len(corner), 2):
        raise ValueError(f"expected corners of shape (n, 2), got {corner.shape}")
    return np.ascontiguousarray(corner, np.int64)


def search_windows(
    warped: Sequence[Values],
    target: Sequence[Values],
    whole: NDArray[np.bool_],
    corner: Corners,
    side: int,
    *,
    displaced: tuple[int, int],
    reach: int,
    rules: WindowRules,
) -> NDArray[Any]:
    """The best position of each tile in its window of the warped source, by ZNCC.

        ZNCC(x) = sum (T - mean T) S(x + .) / sqrt(sum (T - mean T)^2 sum (S(x + .) - mean S)^2)

    summed over the tile's pixels and over all planes.

    Args:
        warped: one or two planes of the source on the target's grid, (height, width) float32.
        target: as many of the target.
        whole: (height - side + 1, width - side + 1) bool, where a tile's top left corner may be.
        corner: (n, 2) int64, x and y of the tiles' top left pixels.
        side: of the tiles.
        displaced: x and y by which the windows are displaced from their tiles.
        reach: half side of a window, in positions.
        rules: parameters of the search.

    Returns:
        (n,) records: ``peak``, the ZNCC of the best position; ``offset``, x and y of that less the
        window's centre; ``positions``, how many there are; ``tested``, ``stationary`` and
        ``distinct``. All zero if a window was not searched.
    """
    corner = _corners(corner)
    warped, target = ([packed(each) for each in planes] for planes in (warped, target))
    found = np.zeros(len(corner), _WINDOW)
    down, across = (min(2 * reach + 1, extent) for extent in whole.shape)
    scratch = np.empty(5 * (across + 48) * (down + 16), np.float32)
    call(
        "windows",
        _Windows(
            _planes(warped),
            _planes(target),
            plane(whole, np.bool_),
            len(warped),
            side,
            reach,
            corner.ctypes.data,
            len(corner),
            *displaced,
            *rules,
            scratch.ctypes.data,
            found.ctypes.data,
        ),
    )
    return found


def displaced_tiles(
    source: Sequence[Values],
    target: Sequence[Values],
    warp: NDArray[np.float64],
    corner: Corners,
    side: int,
    begin: NDArray[np.float64],
    rules: StepRules,
) -> NDArray[Any]:
    """The displacement of each tile in the warped source, by Gauss-Newton steps of its own.

        d <- d - A^-1 sum g r,    r = S(W(x) + dW d) / a - T(x),    A = sum g g^T

    with S, T and the target's gradient g less their means over the tile, and the gain a the ratio
    of the standard deviations of S and T.

    Args:
        source: one or two planes, (h, w) float32, sampled linearly, their border replicated.
        target: as many, (height, width) float32.
        warp: (3, 3), target pixel -> source pixel.
        corner: (n, 2) int64, x and y of the tiles' top left pixels.
        side: of the tiles.
        begin: (n, 2) float64, initial displacements.
        rules: of the steps.

    Returns:
        (n,) records: ``moved``, the displacement; ``last``, the longer component of the last step;
        ``correlation``; ``shared``, xx, xy and yy of the sums of the products of both images'
        gradients, in the target's units; ``squares``, the sum of r^2; ``cells``, the sum of the
        squares of the means of r over cells of 4 by 4 pixels.
    """
    corner = _corners(corner)
    begin = np.ascontiguousarray(begin, np.float64)
    if begin.shape != corner.shape:
        raise ValueError("tiles: expected one displacement per tile")
    source, target = ([packed(each) for each in planes] for planes in (source, target))
    found = np.zeros(len(corner), _TILE)
    call(
        "tiles",
        _Tiles(
            _planes(source),
            _planes(target),
            len(source),
            side,
            corner.ctypes.data,
            begin.ctypes.data,
            len(corner),
            rules.steps,
            (ctypes.c_double * 9)(*warp.ravel().tolist()),
            rules.small,
            rules.reach,
            rules.singular,
            found.ctypes.data,
        ),
    )
    return found


def suppress_neighbours(place: Corners, reach: int) -> NDArray[np.bool_]:
    """(n,) bool: non-maximum suppression of positions (n, 2), x and y, best first.

    A position is kept if no kept one is within reach.
    """
    place = np.ascontiguousarray(place, np.int64)
    width, height = (int(side) + 1 for side in place.max(axis=0, initial=0))
    taken, kept = np.zeros((height, width), np.uint8), np.zeros(len(place), np.bool_)
    call(
        "suppress",
        _Suppress(place.ctypes.data, len(place), reach, output(taken, np.uint8), kept.ctypes.data),
    )
    return kept


def structure_cells(
    image: Values, out: tuple[Values, Values, Values], rows: slice | None = None
) -> None:
    """Write the structure tensor of an image, averaged over cells of ``CELL`` by ``CELL`` pixels.

    The central differences gx and gy are 0 in the first and the last row and column.

    Args:
        image: (height, width) float32.
        out: means of gx gx, gx gy and gy gy, (height // CELL, width // CELL) float32 each.
        rows: which rows of them; None for all.
    """
    image = packed(image)
    first, end, _ = (rows or slice(None)).indices(len(out[0]))
    scratch = np.empty(3 * round_to_lanes(image.shape[1]), np.float32)
    call(
        "cells",
        _Cells(
            plane(image, np.float32),
            *(output(each, np.float32) for each in out),
            first,
            end,
            scratch.ctypes.data,
        ),
    )


def _planes(planes: Sequence[Values]) -> Any:
    return (Plane * 2)(*(plane(each, np.float32) for each in planes))
