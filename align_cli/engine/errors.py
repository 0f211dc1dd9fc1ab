"""The engine's own exceptions. An alignment that fails is a result; only bad input raises."""

from __future__ import annotations


class ImageError(ValueError):
    """An array that cannot be aligned: its shape, its dtype or what it holds.

    ``role`` says which input it is: "source", "target", "source mask", "init" or the like.
    """

    def __init__(self, cause: str, *, role: str = "image") -> None:
        super().__init__(f"{role}: {cause}")
        self.cause = cause
        self.role = role
