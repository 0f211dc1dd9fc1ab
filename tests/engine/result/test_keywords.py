from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

from align_cli import align
from align_cli.engine.options import Options
from align_cli.engine.result.keywords import in_keywords
from align_cli.engine.verdict import messages


@pytest.mark.parametrize(
    ("command", "python"),
    [
        ("use a simpler motion model (-m)", "use a simpler motion model (model=...)"),
        ("use -m affine", 'use model="affine"'),
        (
            "the best is --init=-3,4,0.5,1.1, at which 20% correlate",
            "the best is a shift of (-3, 4) px, 0.5 degrees and scale 1.1, at which 20% correlate",
        ),
        ("mask it (--roi, --source-mask, --target-mask)", "mask it (source_mask, target_mask)"),
        ("accept it (--accept-residual PX)", "accept it (accept_residual=PX)"),
        ("x --keep-fixed-pattern includes it", "x keep_fixed_pattern includes it"),
        ("shift +-0.5 px, -m", "shift +-0.5 px, -m"),
    ],
)
def test_options_become_keywords(command: str, python: str) -> None:
    assert in_keywords(command) == python


def test_the_keywords_of_every_advice_are_those_of_align() -> None:
    texts = [messages.ADVICE, messages.MASKS, messages.SOLVE, messages.MORE_TEXTURE]
    texts += [*messages._ADVICE.values(), *messages._WITHOUT_SIMPLER.values()]
    texts += [" ".join(pair) for pair in messages._SENTENCES.values()]
    known = {*inspect.signature(align).parameters, *(each.name for each in fields(Options))}
    for text in texts:
        said = in_keywords(text)
        assert "--" not in said
        assert "SRC" not in said
        for words in re.findall(r"\(([a-z_, ]+)\)", re.sub(r"=(PX|\.\.\.)", "", said)):
            if "_" in words or words in ("model", "init"):
                assert set(words.split(", ")) <= known
