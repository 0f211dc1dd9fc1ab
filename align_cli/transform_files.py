"""A ``Transform`` from a file, with the verdict that the file holds, and a file's text of one.

Beside ``files``, which knows no ``Transform``: the commands and ``handover`` come here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from align_cli.files.errors import PathLike, UnreadableError

if TYPE_CHECKING:
    from align_cli.engine.geometry.coordinates import Size
    from align_cli.engine.result.transform import Transform
    from align_cli.files.transform_formats.stored import StoredTransform

ACCEPT: Final = "to use it anyway, align the images again with --accept-doubtful"


def read_transform(path: PathLike) -> Transform:
    """Read a transform of any format in ``align_cli.files.transforms.FORMATS``.

    As the commands do, for which a failed alignment is an unusable file; see ``align_cli.load``.

    Args:
        path: the file; "/dev/stdin" is one.

    Raises:
        UnreadableError: if it cannot be read, has no transform, one that is singular or whose
            horizon crosses the source, or that of an alignment that failed, or is doubtful and was
            not accepted.

    Example:
        >>> from align_cli import Transform, read_transform
        >>> Transform.from_matrix([[1, 0, 5], [0, 1, -3], [0, 0, 1]]).save("shift.json")
        >>> read_transform("shift.json").model
        'translation'
    """
    transform, verdict = read_guess(path)
    if verdict is None or verdict.usable:
        return transform
    why = verdict.sentence.rstrip(".")
    if verdict.doubtful:
        raise UnreadableError(path, f"is from a doubtful alignment ({why})", ACCEPT)
    raise _failed(path, why)


class Objection(NamedTuple):
    """The objections to the alignment of a file.

    ``usable``: whether it is doubtful and was accepted.
    """

    sentence: str
    doubtful: bool
    usable: bool

    @property
    def words(self) -> str:
        """All objections in one line, after the name of the file."""
        if not self.doubtful:
            return f"not aligned: {self.sentence}"
        return f"doubtful: {self.sentence}; " + ("it was accepted" if self.usable else ACCEPT)


def read_guess(path: PathLike) -> tuple[Transform, Objection | None]:
    """Read a transform despite objections; second are the objections, or None.

    Raises:
        UnreadableError: as ``read_transform``.
    """
    from align_cli.files.transforms import read_stored  # noqa: PLC0415  (help stays quick)

    stored = read_stored(path)
    return _transform(path, stored), _objection(stored)


def read_with_model(path: PathLike) -> tuple[Transform, str | None]:
    """Read a transform despite objections; second is the motion model that the file names.

    It is None if the file names none.

    Raises:
        UnreadableError: as ``read_transform``.
    """
    from align_cli.engine.geometry.models import MODELS  # noqa: PLC0415  (help stays quick)
    from align_cli.files.transforms import read_stored  # noqa: PLC0415

    stored = read_stored(path)
    return _transform(path, stored), stored.model if stored.model in MODELS else None


def _transform(path: PathLike, stored: StoredTransform) -> Transform:
    from align_cli.engine.errors import ImageError  # noqa: PLC0415  (help stays quick)
    from align_cli.engine.geometry.models import MODELS  # noqa: PLC0415
    from align_cli.engine.result.transform import Transform  # noqa: PLC0415

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
        if stored.failure is not None and stored.doubt is None:
            raise _failed(path, stored.failure) from error
        raise UnreadableError(path, error.cause, "check its matrix") from error


def _failed(path: PathLike, why: str) -> UnreadableError:
    what = f"is from a failed alignment ({why.rstrip('.')})"
    return UnreadableError(path, what, "align the images again")


def _objection(stored: StoredTransform) -> Objection | None:
    if stored.doubt is not None:
        return Objection(stored.doubt, doubtful=True, usable=stored.failure is None)
    if stored.failure is not None:
        return Objection(stored.failure, doubtful=False, usable=False)
    return None


def transform_text(path: PathLike, transform: Transform, to: str | None = None) -> str:
    """The content of a file at ``path``; ``to`` is the format if the suffix does not tell it.

    Raises:
        UnwritableError: if the format is unknown, or cannot represent the transform.
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
    """The transform with this target size, if it has none."""
    from dataclasses import replace  # noqa: PLC0415

    known = transform.target_size is not None or size is None
    return transform if known else replace(transform, target_size=size)
