"""From a file to a ``Transform`` and back; knows no click, so that Python users may have it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from align_cli.files.errors import PathLike, UnreadableError

if TYPE_CHECKING:
    from align_cli.engine.coordinates import Size
    from align_cli.engine.transform import Transform


def read_transform(path: PathLike, *, failed_too: bool = False) -> Transform:
    """Read a transform of any format in ``align_cli.files.transforms.FORMATS``.

    Args:
        path: the file; "/dev/stdin" is one.
        failed_too: whether the JSON of an alignment that failed will do.

    Raises:
        UnreadableError: if it cannot be read, holds no transform, one that is singular or folds
            the source, or the best guess of an alignment that failed.
    """
    from align_cli.engine.errors import ImageError  # noqa: PLC0415  (help stays quick)
    from align_cli.engine.motion import MODELS  # noqa: PLC0415
    from align_cli.engine.transform import Transform  # noqa: PLC0415
    from align_cli.files.transforms import read_stored  # noqa: PLC0415

    stored = read_stored(path)
    if stored.failure is not None and not failed_too:
        raise UnreadableError(
            path,
            f"is of an alignment that failed ({stored.failure.rstrip('.')})",
            "align the images again",
        )
    sizes = {"source_size": stored.source_size, "target_size": stored.target_size}
    try:
        if stored.source_to_target is None:
            pairs = stored.pairs
            assert pairs is not None
            return Transform.from_points(pairs[:, :2], pairs[:, 2:], **sizes)
        return Transform.from_matrix(
            stored.source_to_target,
            target_to_source=stored.target_to_source,
            model=stored.model if stored.model in MODELS else None,
            covariance=stored.covariance,
            **sizes,
        )
    except ImageError as error:
        raise UnreadableError(path, error.cause, "check its numbers") from error


def transform_text(path: PathLike, transform: Transform, to: str | None = None) -> str:
    """Return what a file at ``path`` would hold; ``to`` names the format if the path does not.

    Raises:
        UnwritableError: if the name of the file means no format, or the format cannot hold it.
    """
    from align_cli.files import transforms  # noqa: PLC0415
    from align_cli.files.transform_formats.stored import StoredTransform  # noqa: PLC0415
    from align_cli.report.document import parameters_record, uncertainty_record  # noqa: PLC0415

    stored = StoredTransform(
        source_to_target=transform.source_to_target,
        target_to_source=transform.target_to_source,
        model=transform.model,
        source_size=transform.source_size,
        target_size=transform.target_size,
        facts={
            "parameters": parameters_record(transform.parameters),
            "uncertainty": uncertainty_record(transform.uncertainty),
        },
    )
    return transforms.transform_text(path, stored, to)


def with_size(transform: Transform, size: Size | None) -> Transform:
    """The transform with this target size where it knows none."""
    from dataclasses import replace  # noqa: PLC0415

    known = transform.target_size is not None or size is None
    return transform if known else replace(transform, target_size=size)
