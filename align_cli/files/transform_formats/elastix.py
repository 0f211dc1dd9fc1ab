"""Transform parameter files of elastix (TransformParameters.0.txt), for transformix."""

from __future__ import annotations

import re

from align_cli.files.errors import PathLike, UnreadableError, UnwritableError
from align_cli.files.transform_formats.parametric import (
    PARAMETRISATIONS,
    Parametrisation,
    matrix_of,
    parameters_of,
)
from align_cli.files.transform_formats.stored import (
    StoredTransform,
    TransformFormat,
    affine_rows,
    both,
)

_ENTRY = re.compile(r"^\s*\((\w+)\s+(.*?)\)\s*(?://.*)?$", re.MULTILINE)
_BY_NAME: dict[str, Parametrisation] = {f"{way.elastix}Transform": way for way in PARAMETRISATIONS}
_FIRST = "NoInitialTransform"


def _parse(path: PathLike, text: str) -> StoredTransform:
    entries = {key: value.replace('"', "").split() for key, value in _ENTRY.findall(text)}
    name = " ".join(entries["Transform"])
    way = _BY_NAME.get(name)
    if way is None or entries.get("FixedImageDimension", ["2"]) != ["2"]:
        raise UnreadableError(
            path,
            f"contains a {name or 'transform without a name'}, which is not supported",
            f"use one of these, in 2-D: {', '.join(_BY_NAME)}",
        )
    for key in ("InitialTransformParameterFileName", "InitialTransformParametersFileName"):
        if entries.get(key, [_FIRST]) != [_FIRST]:
            raise UnreadableError(
                path,
                f"is only the last part of a transform that begins with {entries[key][0]}",
                "pass both to imalign compose, the other file first",
            )
    parameters = _numbers(path, entries, "TransformParameters")
    if len(parameters) != way.count:
        raise UnreadableError(
            path,
            f"its {name} has {len(parameters)} parameters instead of {way.count}",
            "check that the file is complete",
        )
    _check_pixels(path, entries)
    centre = _numbers(path, entries, "CenterOfRotationPoint") or [0.0, 0.0]
    size = _numbers(path, entries, "Size")
    return StoredTransform(
        target_to_source=matrix_of(way, parameters, centre),
        # Of the fixed image: the moving one's is not in the file.
        target_size=(int(size[0]), int(size[1])) if len(size) == 2 else None,
    )


def _numbers(path: PathLike, entries: dict[str, list[str]], key: str) -> list[float]:
    try:
        return [float(word) for word in entries.get(key, [])]
    except ValueError as error:
        raise UnreadableError(
            path, f"its {key} are not numbers", "check that the file is complete"
        ) from error


def _check_pixels(path: PathLike, entries: dict[str, list[str]]) -> None:
    """Refuse physical units: the file does not say how large the moving image's pixels are."""
    plain = {"Spacing": [1.0, 1.0], "Origin": [0.0, 0.0], "Direction": [1.0, 0.0, 0.0, 1.0]}
    for key, expected in plain.items():
        found = _numbers(path, entries, key)
        if found and found != expected:
            raise UnreadableError(
                path,
                f"is in physical units ({key} {' '.join(entries[key])}), not in pixels",
                "register images of spacing 1 and origin 0",
            )


def _text(path: PathLike, stored: StoredTransform) -> str:
    way, parameters = parameters_of(affine_rows(path, both(stored)[1], "a 2-D elastix transform"))
    if stored.target_size is None:
        raise UnwritableError(
            path, "elastix requires the target's size, which is unknown", "give --size WxH"
        )
    width, height = stored.target_size
    return f"""(Transform "{way.elastix}Transform")
(NumberOfParameters {way.count})
(TransformParameters {" ".join(map(repr, parameters))})
(InitialTransformParameterFileName "{_FIRST}")
(UseBinaryFormatForTransformationParameters "false")
(HowToCombineTransforms "Compose")
(FixedImageDimension 2)
(MovingImageDimension 2)
(FixedInternalImagePixelType "float")
(MovingInternalImagePixelType "float")
(Size {width} {height})
(Index 0 0)
(Spacing 1 1)
(Origin 0 0)
(Direction 1 0 0 1)
(UseDirectionCosines "true")
(CenterOfRotationPoint 0 0)
(ResampleInterpolator "FinalLinearInterpolator")
(Resampler "DefaultResampler")
(DefaultPixelValue 0)
(ResultImageFormat "tif")
(ResultImagePixelType "float")
(CompressResultImage "false")
"""


ELASTIX = TransformFormat(
    name="elastix",
    summary="elastix' parameter file, for transformix",
    names=("transformparameters*.txt",),
    recognises=lambda text: any(key == "Transform" for key, _ in _ENTRY.findall(text)),
    parse=_parse,
    text=_text,
)
