"""How large the package and its documents are: ``python -m benchmarks.structure``.

Rooms of the engine are the folders and files at its top; an arrow is a room that imports another; a
circle is a room that imports itself through others. A code line is one with a token on it that is
neither a comment nor a docstring. A long function has more than 60 of them; a wide one takes more
than 8 parameters (click's callbacks and the public functions excepted, which have one for each
option).
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from benchmarks.goals import Goal, print_goals

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "align_cli"
ENGINE = PACKAGE / "engine"

SEARCH = ("starts", "search", "displacements", "verdict", "check.py")
"""What the search consists of and rests on."""
MOST_LINES, MOST_PARAMETERS = 60, 8
FRONT_DOORS = ("commands.align.align", "commands.check.check", "engine.aligner.align")
FRONT_DOORS += ("engine.check.check",)
BLANK = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def files(path: Path) -> Iterator[Path]:
    """A Python file, or all below a folder."""
    yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def code_line_numbers(path: Path) -> set[int]:
    """The lines of a file with code on them."""
    text = path.read_text(encoding="utf-8")
    said: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in BLANK:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - said


def code_lines(path: Path) -> int:
    """Of a file, or of all files of a folder."""
    return sum(len(code_line_numbers(file)) for file in files(path))


def functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """Each function below a folder: its dotted name, code lines and parameters, self left out."""
    for file in files(path):
        lines = code_line_numbers(file)
        module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = sum(argument.arg not in ("self", "cls") for argument in given)
                length = len(lines & set(range(node.lineno, (node.end_lineno or 0) + 1)))
                yield f"{module}.{node.name}", length, count


def too_large() -> list[str]:
    """The functions that are long or wide."""
    return [
        f"{name}: {length} lines, {count} parameters"
        for name, length, count in functions(PACKAGE)
        if (length > MOST_LINES or count > MOST_PARAMETERS) and name not in FRONT_DOORS
    ]


def imported_rooms(path: Path) -> set[str]:
    """The rooms of the engine that a file imports from."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("align_cli.engine"):
            _, _, *rest = (node.module or "").split(".")
            found |= {rest[0]} if rest else {alias.name for alias in node.names}
    return found


def arrows() -> dict[str, set[str]]:
    """Which other rooms each room of the engine imports."""
    rooms = [path for path in ENGINE.iterdir() if not path.name.startswith("_")]
    return {
        room.stem: {each for file in files(room) for each in imported_rooms(file)} - {room.stem}
        for room in rooms
    }


def reached(graph: dict[str, set[str]], room: str) -> set[str]:
    """The rooms that one imports, itself or through others."""
    found: set[str] = set()
    todo = [room]
    while todo:
        new = graph.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def words(name: str) -> int:
    """Of a document."""
    return len((ROOT / name).read_text(encoding="utf-8").split())


def main() -> None:
    graph = arrows()
    for room in sorted(graph, key=lambda each: (len(reached(graph, each)), each)):
        path = ENGINE / room if (ENGINE / room).is_dir() else ENGINE / f"{room}.py"
        print(f"{room:16}{code_lines(path):>6} code lines, imports {len(graph[room]):>2} rooms")
    large = too_large()
    print("\nlong or wide functions:", "; ".join(large) or "none")
    print_goals(
        [
            Goal("rooms of the engine", len(graph), 19),
            Goal("arrows between them", sum(map(len, graph.values())), 120),
            Goal("circles", sum(room in reached(graph, room) for room in graph), 0),
            Goal("code lines, engine", code_lines(ENGINE), 5800),
            Goal("code lines, its search", sum(code_lines(ENGINE / each) for each in SEARCH), 1900),
            Goal("code lines, files", code_lines(PACKAGE / "files"), 2100),
            Goal("long or wide functions", len(large), 0),
            Goal("words, README.md", words("README.md"), 1200),
            Goal("words, docs/method.md", words("docs/method.md"), 10500),
        ]
    )


if __name__ == "__main__":
    main()
