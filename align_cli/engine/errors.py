"""The engine's exceptions. A failed alignment is a result; only invalid input raises."""

from __future__ import annotations


class ImageError(ValueError):
    """An array that cannot be aligned, because of its shape, its dtype or its values.

    ``role`` is the name of the input: "source", "target", "source mask", "init" or the like.
    """

    def __init__(self, cause: str, *, role: str = "image") -> None:
        super().__init__(f"{role}: {cause}")
        self.cause = cause
        self.role = role
