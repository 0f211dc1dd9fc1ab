"""Which numbers were chosen, and on what grounds? ``python -m benchmarks.constants``.

Every numeric literal other than -1, 0, 1, 2 and 1/2 in the value of a module's or a class's name,
in a default argument, in a comparison, and in a call that clips (``clip``, ``min``, ``max`` and
their like); with it its measurement: the first sentence of the docstring that follows the name or
the names that it stands among. Left out are array indices, comparisons with an array's ``ndim`` or
``shape``, and what ``EXCEPTED`` names: what a unit, a type or a standard fixes. First the count of
each folder, then the list, then the goals.

``--table`` writes the table of ``docs/constants.md`` instead: a row for each of them, and for each
name that is one of the other five numbers, since those were chosen, too; beside it the benchmarks
or tests that show what it does, by ``MEASURED_BY``, and what ``benchmarks.sensitivity`` saw.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.constant_origins import EXCEPTED, MEASURED_BY
from benchmarks.goals import Goal, print_goals

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "align_cli"

FREE = frozenset({0, 1, 2, 0.5})
CLIPPING = frozenset({"clip", "min", "max", "minimum", "maximum", "fmin", "fmax"})
LAYOUT = frozenset({"ndim", "shape"})
PAGE = ROOT / "docs" / "constants.md"
HEAD = "| constant | value | what it is | measured by | half and double of it change |"
LONGEST_VALUE = 40
NOTICED_PX = 0.001
MOST_CONSTANTS = 150
FIXED = tuple(name for names in EXCEPTED.values() for name in names)


@dataclass(frozen=True)
class Constant:
    """The literals of one name, default or expression.

    Attributes:
        path: of the module.
        line: of the first of them.
        where: the name; or function and argument, or the function and what it compares or clips.
        literals: as they are written.
        measurement: the first sentence of the docstring; empty where there is none.
        nodes: the literals where they stand in the module.
        value: of a short one as the module has it, else the literals.
    """

    path: Path
    line: int
    where: str
    literals: tuple[str, ...]
    measurement: str = ""
    nodes: tuple[ast.Constant, ...] = field(default=(), compare=False, repr=False)
    value: str = ""

    @property
    def name(self) -> str:
        """With its module's, as ``engine.search.loop.PASS``."""
        return f"{module_name(self.path)}.{self.where}"


def numbers(node: ast.AST) -> Iterator[ast.Constant]:
    """The literals of an expression that count; those of an index do not."""
    if isinstance(node, ast.Constant):
        if type(node.value) in {int, float} and node.value not in FREE:
            yield node
    else:
        parts = [node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node)
        for part in parts:
            yield from numbers(part)


def of_layout(node: ast.expr) -> bool:
    """Whether an expression is an array's ``ndim`` or ``shape``, or a part of that."""
    node = node.value if isinstance(node, ast.Subscript) else node
    return isinstance(node, ast.Attribute) and node.attr in LAYOUT


def documented(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.Assign | ast.AnnAssign, str]]:
    """The names of a module or class, each with the docstring of the block it stands in.

    A block are names on consecutive lines; its docstring follows the last.
    """
    block: list[ast.Assign | ast.AnnAssign] = []
    for statement, following in pairwise([*body, ast.Pass(lineno=0, end_lineno=0)]):
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        block.append(statement)
        adjoins = following.lineno == (statement.end_lineno or 0) + 1
        if adjoins and isinstance(following, ast.Assign | ast.AnnAssign):
            continue
        yield from ((name, text_of(following) if adjoins else "") for name in block)
        block = []


def names_of(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    """What is assigned to, the parts of a tuple one by one."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    parts = (part.elts if isinstance(part, ast.Tuple) else [part] for part in targets)
    return [ast.unparse(name) for part in parts for name in part]


def text_of(statement: ast.stmt) -> str:
    """The first sentence of a docstring; empty where the statement is none."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return ""
    return re.split(r"(?<=[.!?])\s", " ".join(value.value.split()), maxsplit=1)[0]


def excepted(name: str) -> bool:
    """Whether ``EXCEPTED`` names it, or what it stands in."""
    return any(f"{name}.".startswith(f"{fixed}.") for fixed in FIXED)


class Reader(ast.NodeVisitor):
    """Collects the constants of one module, each literal once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.module = module_name(path)
        self.found: list[Constant] = []
        self._scope: list[str] = []
        self._taken: set[ast.Constant] = set()

    def _add(self, nodes: Sequence[ast.AST], names: Sequence[str], measurement: str = "") -> None:
        """The literals of ``nodes``, unless all ``names`` that they have together are excepted."""
        literals = [n for node in nodes for n in numbers(node) if n not in self._taken]
        scope = "".join(f"{name}." for name in self._scope)
        if not literals or all(excepted(f"{self.module}.{scope}{name}") for name in names):
            return
        self._taken.update(literals)
        where, written = scope + ", ".join(names), tuple(map(ast.unparse, literals))
        line = literals[0].lineno
        value = ast.unparse(nodes[0]) if len(nodes) == 1 else ""
        short = value if 0 < len(value) <= LONGEST_VALUE else ", ".join(written)
        self.found.append(
            Constant(self.path, line, where, written, measurement, tuple(literals), short)
        )

    def _names(self, body: Sequence[ast.stmt]) -> None:
        for statement, measurement in documented(body):
            if statement.value is not None:
                self._add([statement.value], names_of(statement), measurement)

    def visit_Module(self, node: ast.Module) -> None:
        self._names(node.body)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.append(node.name)
        self._names(node.body)
        self.generic_visit(node)
        self._scope.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._scope.append(node.name)
        every = node.args
        positional = [*every.posonlyargs, *every.args]
        last = positional[len(positional) - len(every.defaults) :]
        for argument, default in [
            *zip(last, every.defaults, strict=True),
            *zip(every.kwonlyargs, every.kw_defaults, strict=True),
        ]:
            if default is not None:
                self._add([default], [f"{argument.arg}="])
        self.generic_visit(node)
        self._scope.pop()

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        if not any(map(of_layout, sides)):
            self._add(sides, [ast.unparse(node)])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if name in CLIPPING:
            self._add([*node.args, *node.keywords], [ast.unparse(node)])
        self.generic_visit(node)


def module_name(path: Path) -> str:
    """As ``engine.luma``: from the package downwards."""
    inside = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else Path(path.name)
    return ".".join(inside.with_suffix("").parts)


def constants(path: Path) -> list[Constant]:
    """Of a module, or of all modules below a folder."""
    found: list[Constant] = []
    for module in [path] if path.is_file() else sorted(path.rglob("*.py")):
        reader = Reader(module)
        reader.visit(ast.parse(module.read_text("utf-8")))
        found += sorted(reader.found, key=lambda constant: constant.line)
    return found


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


@dataclass(frozen=True)
class Row:
    """Of the table.

    Attributes:
        name, value, text: of the constant, as in ``Constant``; ``text`` is its measurement.
        measured_by: benchmarks and tests, as ``MEASURED_BY`` has them.
    """

    name: str
    value: str
    text: str
    measured_by: tuple[str, ...]

    def cells(self, change: str) -> tuple[str, ...]:
        """As the page has them."""
        sources = ", ".join(f"`{source}`" for source in self.measured_by)
        value, text = (
            part.replace("|", r"\|").replace("``", "`") for part in (self.value, self.text)
        )
        return f"`{self.name.replace('|', '')}`", value, text, sources, change


def plain(path: Path) -> Iterator[tuple[str, str, str]]:
    """Names of a module that are 0, 1, 2 or 1/2 and nothing else: name, value, first sentence."""
    for statement, text in documented(ast.parse(path.read_text("utf-8")).body):
        try:
            value = ast.literal_eval(statement.value) if statement.value else None
        except ValueError:
            continue
        parts = value if isinstance(value, tuple) else (value,)
        if all(type(part) in {int, float} and abs(part) in FREE for part in parts):
            for name in [", ".join(names_of(statement))]:
                if not excepted(f"{module_name(path)}.{name.partition(',')[0]}"):
                    yield f"{module_name(path)}.{name}", ast.unparse(statement.value), text


def measured_by(name: str) -> tuple[str, ...]:
    """Of the longest key of ``MEASURED_BY`` that a name lies within."""
    within = [key for key in MEASURED_BY if f"{name}.".startswith(f"{key}.")]
    return MEASURED_BY[max(within, key=len)] if within else ()


def rows(path: Path = PACKAGE) -> list[Row]:
    """Of the table, in the order of their names."""
    found = {each.name: (each.value, each.measurement) for each in constants(path)}
    for module in sorted(path.rglob("*.py")):
        found |= {name: (value, text) for name, value, text in plain(module)}
    return [Row(name, *found[name], measured_by(name)) for name in sorted(found)]


def page_rows(page: str) -> list[tuple[str, ...]]:
    """The cells of the page's table."""
    lines = page.partition(HEAD)[2].splitlines()[2:]
    return [
        tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        for line in lines
        if line.startswith("|")
    ]


def changes(record: Path) -> dict[str, str]:
    """What ``benchmarks.sensitivity`` wrote of each constant, in a few words."""
    seen: dict[str, list[dict[str, Any]]] = {}
    for line in record.read_text("utf-8").splitlines():
        each = json.loads(line)
        seen.setdefault(each["name"], []).append(each)
    return {name: in_words(found) for name, found in seen.items()}


def in_words(found: Sequence[dict[str, Any]]) -> str:
    """The gravest that any of the changed copies did."""
    moved = max(each["moved_px"] for each in found)
    if any(each["failed"] for each in found):
        return "all: no answer"
    if verdicts := max(each["verdicts"] for each in found):
        return f"{verdicts} verdict{'s' * (verdicts > 1)}"
    if moved > NOTICED_PX:
        return f"a corner by {moved:.2g} px"
    if any(each["iterations"] != 1.0 for each in found):
        return "iterations"
    return "digits" if any(each["bits"] for each in found) else "nothing"


def write_table(page: Path, record: Path | None) -> None:
    """Renew the table of the page; without a record what its last column says stays."""
    text = page.read_text("utf-8")
    noticed = changes(record) if record else {}
    before = {(cells[0], cells[1]): cells[4] for cells in page_rows(text)}
    lines = [HEAD, "| --- | --: | --- | --- | --- |"]
    for row in rows():
        name, value, *_ = row.cells("")
        change = noticed.get(row.name) or before.get((name, value)) or "not asked"
        lines.append(f"| {' | '.join(row.cells(change))} |")
    page.write_text(text.partition(HEAD)[0] + "\n".join(lines) + "\n", "utf-8")


def print_counts(found: Sequence[Constant]) -> None:
    literals: Counter[str] = Counter()
    unmeasured: Counter[str] = Counter()
    for constant in found:
        for group in (shown(constant.path.parent), "together"):
            literals[group] += len(constant.literals)
            unmeasured[group] += 0 if constant.measurement else len(constant.literals)
    print(f"{'':44}{'literals':>10}{'not measured':>14}")
    for group in [*sorted(literals.keys() - {"together"}), "together"]:
        print(f"{group:44}{literals[group]:>10}{unmeasured[group]:>14}")


def print_list(found: Sequence[Constant]) -> None:
    for constant in found:
        where = f"{shown(constant.path)}:{constant.line}"
        print(f"\n{where}  {constant.where}: {', '.join(constant.literals)}")
        print(f"    {constant.measurement or 'no measurement'}")


def goals(found: Sequence[Constant]) -> list[Goal]:
    """Names with a chosen number, literals, and names without a measurement."""
    unmeasured = [constant for constant in found if not constant.measurement]
    return [
        Goal("chosen constants", len(found), MOST_CONSTANTS),
        Goal("their literals", sum(len(constant.literals) for constant in found), MOST_CONSTANTS),
        Goal("without a measurement", len(unmeasured), 0),
    ]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--of", type=Path, default=PACKAGE, metavar="PATH", help="a folder or module (align_cli)"
    )
    options.add_argument("--table", action="store_true", help=f"write that of {shown(PAGE)}")
    options.add_argument(
        "--seen", type=Path, metavar="FILE", help="its last column: a --record of the sensitivities"
    )
    arguments = options.parse_args()
    if arguments.table:
        write_table(PAGE, arguments.seen)
        return
    found = constants(arguments.of.resolve())
    print_counts(found)
    print_list(found)
    print_goals(goals(found))


if __name__ == "__main__":
    main()
