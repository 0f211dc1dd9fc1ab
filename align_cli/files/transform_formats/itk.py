"""ITK's text files of transforms (.tfm), as itk::TransformFileWriter and SimpleITK write them."""

from __future__ import annotations

import numpy as np

from align_cli.files.errors import ContentError
from align_cli.files.transform_formats import parametric
from align_cli.files.transform_formats.stored import Matrix, StoredTransform, affine_rows, both

NAMES = ("*.tfm",)
_MAGIC = "#Insight Transform File"
_PLANE = "_2_2"
# Other classes with the parameters of one of ours.
_ALIASES = {"MatrixOffsetTransformBase": "AffineTransform", "Rigid2DTransform": "Euler2DTransform"}
_BY_NAME = {f"{way.itk}Transform": way for way in parametric.PARAMETRISATIONS}
_COMPOSITE, _IDENTITY = "CompositeTransform", "IdentityTransform"


def parse(text: str) -> StoredTransform:
    """Return the transform that a text contains."""
    target_to_source = np.eye(3)
    found = 0
    for block in text.split("Transform:")[1:]:
        lines = block.splitlines()
        name = lines[0].strip()
        if not name.startswith(_COMPOSITE):  # which lists its parts after itself
            # The last part is applied first.
            target_to_source = target_to_source @ _block(name, lines[1:])
        found += 1
    if not found:
        raise ContentError("contains no transform", "check that the file is complete")
    return StoredTransform(target_to_source=target_to_source)


def _block(name: str, lines: list[str]) -> Matrix:
    kind, _, rest = name.partition("_")
    way = _BY_NAME.get(_ALIASES.get(kind, kind))
    if not f"_{rest}".endswith(_PLANE) or (way is None and kind != _IDENTITY):
        raise parametric.unsupported(name, [*_BY_NAME, _COMPOSITE])
    if way is None:
        return np.eye(3)
    values = {}
    for line in lines:
        key, _, value = line.partition(":")
        values[key.strip()] = value.split()
    parameters, centre = (
        parametric.numbers(values.get(key, []), key) for key in ("Parameters", "FixedParameters")
    )
    return parametric.matrix_of(way, name, parameters, centre)


def recognises(text: str) -> bool:
    """Tell whether a text is of this format."""
    return text.startswith(_MAGIC)


def written(stored: StoredTransform, suffix: str) -> str:
    """Return the text of a transform."""
    way, parameters = parametric.parameters_of(affine_rows(both(stored)[1], "a 2-D ITK transform"))
    # ITK's translation has no centre.
    centre = "" if way is parametric.PARAMETRISATIONS[0] else " 0 0"
    return (
        f"{_MAGIC} V1.0\n#Transform 0\nTransform: {way.itk}Transform_double_2_2\n"
        f"Parameters: {' '.join(map(repr, parameters))}\nFixedParameters:{centre}\n"
    )
