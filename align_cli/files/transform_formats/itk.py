"""ITK's text files of transforms (.tfm), as itk::TransformFileWriter and SimpleITK write them."""

from __future__ import annotations

import numpy as np

from align_cli.files.errors import PathLike, UnreadableError
from align_cli.files.transform_formats.parametric import (
    PARAMETRISATIONS,
    Parametrisation,
    matrix_of,
    parameters_of,
)
from align_cli.files.transform_formats.stored import (
    Matrix,
    StoredTransform,
    TransformFormat,
    affine_rows,
    both,
)

_MAGIC = "#Insight Transform File"
_PLANE = "_2_2"
# Other classes with the parameters of one of ours.
_ALIASES = {"MatrixOffsetTransformBase": "AffineTransform", "Rigid2DTransform": "Euler2DTransform"}
_BY_NAME: dict[str, Parametrisation] = {f"{way.itk}Transform": way for way in PARAMETRISATIONS}
_COMPOSITE, _IDENTITY = "CompositeTransform", "IdentityTransform"


def _parse(path: PathLike, text: str) -> StoredTransform:
    target_to_source = np.eye(3)
    found = 0
    for block in text.split("Transform:")[1:]:
        lines = block.splitlines()
        name = lines[0].strip()
        if not name.startswith(_COMPOSITE):  # which lists its parts after itself
            # The last part is applied first.
            target_to_source = target_to_source @ _block(path, name, lines[1:])
        found += 1
    if not found:
        raise UnreadableError(path, "contains no transform", "check that the file is complete")
    return StoredTransform(target_to_source=target_to_source)


def _block(path: PathLike, name: str, lines: list[str]) -> Matrix:
    kind, _, rest = name.partition("_")
    way = _BY_NAME.get(_ALIASES.get(kind, kind))
    if not f"_{rest}".endswith(_PLANE) or (way is None and kind != _IDENTITY):
        known = ", ".join([*_BY_NAME, _COMPOSITE])
        raise UnreadableError(
            path, f"contains a {name}, which is not supported", f"use one of these, in 2-D: {known}"
        )
    if way is None:
        return np.eye(3)
    values = {"Parameters": "", "FixedParameters": ""}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            values[key.strip()] = value
    try:
        parameters, centre = (
            [float(word) for word in values[key].split()]
            for key in ("Parameters", "FixedParameters")
        )
    except ValueError as error:
        raise UnreadableError(
            path, f"a parameter of its {name} is not a number", "write the file again"
        ) from error
    if len(parameters) != way.count or len(centre) not in (0, 2):
        raise UnreadableError(
            path,
            f"its {name} has {len(parameters)} parameters instead of {way.count}",
            "check that the file is complete",
        )
    return matrix_of(way, parameters, centre or (0.0, 0.0))


def _text(path: PathLike, stored: StoredTransform) -> str:
    way, parameters = parameters_of(affine_rows(path, both(stored)[1], "a 2-D ITK transform"))
    # ITK's translation has no centre.
    centre = "" if way is PARAMETRISATIONS[0] else " 0 0"
    return (
        f"{_MAGIC} V1.0\n#Transform 0\nTransform: {way.itk}Transform_double_2_2\n"
        f"Parameters: {' '.join(map(repr, parameters))}\nFixedParameters:{centre}\n"
    )


ITK = TransformFormat(
    name="itk",
    summary="ITK's text file, for sitk.ReadTransform",
    names=("*.tfm",),
    recognises=lambda text: text.startswith(_MAGIC),
    parse=_parse,
    text=_text,
)
