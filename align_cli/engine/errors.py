"""The engine's own exceptions. An alignment that fails is a result; to use it raises."""

from __future__ import annotations


class ImageError(ValueError):
    """An array that cannot be aligned, because of its shape, its dtype or its values.

    ``role`` is the name of the input: "source", "target", "source mask", "init" or the like.

    Example:
        >>> import numpy as np
        >>> from align_cli import ImageError, align
        >>> try:
        ...     align(np.zeros((80, 100)), np.zeros((4, 100)))
        ... except ImageError as error:
        ...     print(error.role)
        target
    """

    def __init__(self, cause: str, *, role: str = "image") -> None:
        super().__init__(f"{role}: {cause}")
        self.cause = cause
        self.role = role


class NotAlignedError(ValueError):
    """A failed or doubtful alignment was about to be used as if it were right.

    Attributes:
        sentence: why it is not aligned, and the next thing to try.
        verdict: "failed" or "doubtful".
        where: the file that holds the alignment; empty where none does.

    Example:
        >>> import numpy as np
        >>> from align_cli import NotAlignedError, align
        >>> one, other = np.random.default_rng(0).random((2, 80, 100))
        >>> found = align(one, other)
        >>> try:
        ...     found.warp(one)
        ... except NotAlignedError as error:
        ...     print(error.verdict)
        failed
        >>> found.warp(one, force=True).shape
        (80, 100)
    """

    def __init__(self, sentence: str, verdict: str, where: str = "") -> None:
        # All go to ValueError, so that the error survives pickling between processes.
        super().__init__(sentence, verdict, where)
        self.sentence, self.verdict, self.where = sentence, verdict, where

    def __str__(self) -> str:
        doubtful = self.verdict == "doubtful"
        what = "the alignment is doubtful" if doubtful else "the alignment failed"
        anyway = "accept_doubtful=True" if doubtful else "force=True"
        where = f"{self.where}: " if self.where else ""
        return f"{where}{what}: {self.sentence.rstrip('.')}; {anyway} uses it anyway"
