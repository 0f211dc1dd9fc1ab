"""cv2.FileStorage, YAML or XML: matrices under names."""

from __future__ import annotations

from typing import Any

import numpy as np

from align_cli.files.errors import ContentError
from align_cli.files.quiet import silent_opencv
from align_cli.files.transform_formats.stored import Matrix, Size, StoredTransform, both

NAMES = ("*.yml", "*.yaml", "*.xml")
_FORWARD, _BACKWARD = "source_to_target", "target_to_source"
_SOURCE_SIZE, _TARGET_SIZE = "source_size", "target_size"


def recognises(text: str) -> bool:
    """Tell whether a text is of this format."""
    return text.startswith("%YAML") or "<opencv_storage>" in text[:200]


def parse(text: str) -> StoredTransform:
    """Return the transform that a text contains."""
    matrices, sizes = _content(text)
    if _FORWARD in matrices or _BACKWARD in matrices:
        forward, backward = matrices.get(_FORWARD), matrices.get(_BACKWARD)
    elif len(matrices) == 1:  # what cv2.findHomography(source, target) or its like returned
        forward, backward = next(iter(matrices.values())), None
    else:
        named = f"several 3x3 matrices ({', '.join(matrices)})" if matrices else "no 3x3 matrix"
        raise ContentError(f"contains {named}", f"name the source-to-target matrix {_FORWARD}")
    return StoredTransform(
        source_to_target=forward,
        target_to_source=backward,
        source_size=sizes.get(_SOURCE_SIZE),
        target_size=sizes.get(_TARGET_SIZE),
    )


def _content(text: str) -> tuple[dict[str, Matrix], dict[str, Size]]:
    """Return the 3x3 (or 2x3, completed) matrices and the pairs of whole numbers, by name."""
    import cv2  # noqa: PLC0415

    matrices: dict[str, Matrix] = {}
    sizes: dict[str, Size] = {}
    try:
        with silent_opencv:
            storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
            root = storage.root()
            for name in root.keys():  # noqa: SIM118  (a node is no dict)
                node = root.getNode(name)
                matrix = node.mat() if node.isMap() else None
                if matrix is not None and matrix.shape in ((3, 3), (2, 3)):
                    rows = matrix.astype(np.float64)
                    matrices[name] = np.vstack([rows, [0.0, 0.0, 1.0]])[:3]
                elif node.isSeq() and node.size() == 2:
                    sizes[name] = int(node.at(0).real()), int(node.at(1).real())
            storage.release()
    except (cv2.error, SystemError, ValueError) as error:
        raise ContentError(
            "is not a valid OpenCV FileStorage", "check that the file is complete"
        ) from error
    return matrices, sizes


def written(stored: StoredTransform, suffix: str) -> str:
    """Return the text of a transform; XML for the suffix .xml."""
    import cv2  # noqa: PLC0415

    storage: Any = cv2.FileStorage(
        ".xml" if suffix == ".xml" else ".yml", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY
    )
    for name, matrix in zip((_FORWARD, _BACKWARD), both(stored), strict=True):
        storage.write(name, np.ascontiguousarray(matrix))
    sizes = ((_SOURCE_SIZE, stored.source_size), (_TARGET_SIZE, stored.target_size))
    for name, size in sizes:
        if size is not None:
            storage.startWriteStruct(name, cv2.FileNode_SEQ | cv2.FileNode_FLOW)
            for side in size:
                storage.write("", side)
            storage.endWriteStruct()
    return str(storage.releaseAndGetString())
