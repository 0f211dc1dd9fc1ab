"""Sentences for Python: what to try is told in keywords, where the command has options.

The engine words an outcome once, with the command's options. Here they become the keywords of
``align`` that they stand for.
"""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = r"([-+.\de]+)"

_IN_PYTHON: Final = (
    (
        rf"--init={_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}",
        r"a shift of (\1, \2) px, \3 degrees and scale \4",
    ),
    (r"run imalign SRC DST", "call align(source, target)"),
    (r"--roi, --source-mask, --target-mask", "source_mask, target_mask"),
    (r"--no-photometric", "photometric=False"),
    (r"--accept-residual PX", "accept_residual=PX"),
    (r"(?<![\w-])-m (\w+)", r'model="\1"'),
    (r"\(-m\)", "(model=...)"),
    (r"\(--init\)", "(init=...)"),
    (r"add --allow-flip", "add allow_flip=True"),
    (r"--similarity (\w+)", r'similarity="\1"'),
)
"""Patterns and what replaces them, in their order."""

_OPTION: Final = re.compile(r"--([a-z]+(?:-[a-z]+)*)")
"""Any other option: its keyword has underscores."""


def in_keywords(sentence: str) -> str:
    """The sentence with keywords of ``align`` in place of the command's options."""
    for pattern, python in _IN_PYTHON:
        sentence = re.sub(pattern, python, sentence)
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), sentence)
