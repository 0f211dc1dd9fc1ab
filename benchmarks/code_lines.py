"""Code lines of the search and of what it rests on: ``python -m benchmarks.code_lines``.

A code line is one with a token on it that is neither a comment nor a docstring. Counted are the
initial transforms, the search, the displacement field, the verdict and ``check``.
"""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

from align_cli import engine
from benchmarks.goals import Goal, print_goals

COUNTED = ("starts", "search", "displacements", "verdict", "check.py")
MOST = 1900
BLANK = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(path: Path) -> int:
    """Of a file, or of all files of a folder."""
    if path.is_dir():
        return sum(code_lines(file) for file in path.rglob("*.py"))
    text = path.read_text(encoding="utf-8")
    said: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in BLANK:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - said)


def main() -> None:
    folder = Path(engine.__path__[0])
    counts = {name: code_lines(folder / name) for name in COUNTED}
    for name, count in counts.items():
        print(f"{name:16}{count:>6}")
    print_goals([Goal("code lines together", sum(counts.values()), MOST)])


if __name__ == "__main__":
    main()
