"""Transform parameter files of elastix (TransformParameters.0.txt), for transformix."""

from __future__ import annotations

import re

from align_cli.files.errors import ContentError
from align_cli.files.transform_formats import parametric
from align_cli.files.transform_formats.stored import StoredTransform, affine_rows, both

NAMES = ("transformparameters*.txt",)
_ENTRY = re.compile(r"^\s*\((\w+)\s+(.*?)\)\s*(?://.*)?$", re.MULTILINE)
_BY_NAME = {f"{way.elastix}Transform": way for way in parametric.PARAMETRISATIONS}
_FIRST = "NoInitialTransform"


def parse(text: str) -> StoredTransform:
    """Return the transform that a text contains."""
    entries = {key: value.replace('"', "").split() for key, value in _ENTRY.findall(text)}
    name = " ".join(entries["Transform"])
    way = _BY_NAME.get(name)
    if way is None or entries.get("FixedImageDimension", ["2"]) != ["2"]:
        raise parametric.unsupported(name or "transform without a name", _BY_NAME)
    for key in ("InitialTransformParameterFileName", "InitialTransformParametersFileName"):
        if entries.get(key, [_FIRST]) != [_FIRST]:
            raise ContentError(
                f"is only the last part of a transform that begins with {entries[key][0]}",
                "pass both to imalign compose, the other file first",
            )
    parameters = _numbers(entries, "TransformParameters")
    matrix = parametric.matrix_of(way, name, parameters, _numbers(entries, "CenterOfRotationPoint"))
    _check_pixels(entries)
    size = _numbers(entries, "Size")
    return StoredTransform(
        target_to_source=matrix,
        # Of the fixed image: the moving one's is not in the file.
        target_size=(int(size[0]), int(size[1])) if len(size) == 2 else None,
    )


def _numbers(entries: dict[str, list[str]], key: str) -> list[float]:
    return parametric.numbers(entries.get(key, []), key)


def _check_pixels(entries: dict[str, list[str]]) -> None:
    """Refuse physical units: the file does not say how large the moving image's pixels are."""
    plain = {"Spacing": [1.0, 1.0], "Origin": [0.0, 0.0], "Direction": [1.0, 0.0, 0.0, 1.0]}
    for key, expected in plain.items():
        found = _numbers(entries, key)
        if found and found != expected:
            raise ContentError(
                f"is in physical units ({key} {' '.join(entries[key])}), not in pixels",
                "register images of spacing 1 and origin 0",
            )


def recognises(text: str) -> bool:
    """Tell whether a text is of this format."""
    return any(key == "Transform" for key, _ in _ENTRY.findall(text))


def written(stored: StoredTransform, suffix: str) -> str:
    """Return the text of a transform."""
    way, parameters = parametric.parameters_of(
        affine_rows(both(stored)[1], "a 2-D elastix transform")
    )
    if stored.target_size is None:
        raise ContentError(
            "elastix requires the target's size, which is unknown", "give --size WxH"
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
