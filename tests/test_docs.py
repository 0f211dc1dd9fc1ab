"""The pages of docs/ name every command, option and outcome, and their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from align_cli.commands.group import cli
from align_cli.commands.transform_outputs import FORMAT_NAMES
from align_cli.engine.records import Status, Verdict
from align_cli.files.images import write_image
from tests.scenes import pair

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OPTIONS = (DOCS / "options.md").read_text("utf-8")
RESULTS = (DOCS / "results.md").read_text("utf-8")
FIGURES = (DOCS / "figures.md").read_text("utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), ROOT / "sample_data/SOURCES.md"]

# Those that the table has in their short form, and one that is the default.
SHORT = {"--quiet": "-q", "--verbose": "-v"}
UNNAMED = {"--photometric"}


def options_of(command: click.Command) -> set[str]:
    names = {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    return {name for name in names if name.startswith("--")}


def section(command: str) -> str:
    return OPTIONS.split(f"\n## imalign {command}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("command", cli.commands)
def test_the_section_of_a_command_has_its_options_and_no_other(command: str) -> None:
    options = options_of(cli.commands[command])
    cells = re.findall(r"^\| (`-.*?) \|", section(command), re.M)
    usage = section(command).split("```")[1]
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join([*cells, usage])))
    assert {SHORT.get(name, name) for name in options - UNNAMED} <= named
    assert named <= options | set(SHORT.values()) | {"-o", "-m"}


@pytest.mark.parametrize("command", cli.commands)
def test_the_table_of_commands_links_to_every_section(command: str) -> None:
    assert f"](#imalign-{command}) |" in OPTIONS


@pytest.mark.parametrize("page", ["options.md", "results.md", "python.md", "install.md"])
def test_no_page_names_an_option_that_is_not_there(page: str) -> None:
    known = {"--help", "--version", *(o for c in cli.commands.values() for o in options_of(c))}
    assert set(re.findall(r"--[a-z][a-z-]*", (DOCS / page).read_text("utf-8"))) <= known


def test_the_choices_of_an_option_are_in_its_row() -> None:
    for parameter in cli.commands["align"].params:
        if isinstance(parameter.type, click.Choice):
            row = next(
                r for r in OPTIONS.splitlines() if f"`--{parameter.name.replace('_', '-')}`" in r
            )
            assert all(f"`{choice}`" in row for choice in parameter.type.choices), row


def test_the_formats_of_transforms_are_in_their_table() -> None:
    assert re.findall(r"^\| `(\w+)` \| `", section("convert"), re.M) == list(FORMAT_NAMES)


@pytest.mark.parametrize("status", Status)
def test_every_outcome_is_explained(status: Status) -> None:
    assert f"\n| `{status.value}` | " in RESULTS


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_explained(verdict: Verdict) -> None:
    assert f"\n- **{verdict.value}**: " in RESULTS


(AGAIN,) = re.findall(r"## Use the transform again\n\n```sh\n(.*?)```", OPTIONS, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lines of options.md are run on."""
    folder = tmp_path_factory.mktemp("options")
    images = pair("rigid", seed=3, dtype="uint8")
    write_image(folder / "scan.png", images.source)
    write_image(folder / "original.png", images.target)
    for name in ("infrared.tif", "labels.png", "frames/1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_image(folder / name, images.source)
    (folder / "landmarks.csv").write_text("x,y\n10,20\n")
    np.savetxt(folder / "truth.txt", images.source_to_target)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(cli, ["scan.png", "original.png", "-q", "--no-error-map"])
    assert result.exit_code == 0, result.output
    for name in ("part_to_whole", "whole_to_map", "before", "after"):
        (folder / f"{name}.json").write_bytes((folder / "scan_aligned.json").read_bytes())
    return folder


@pytest.mark.parametrize("line", AGAIN.strip().splitlines())
def test_the_lines_of_options_can_be_pasted(
    folder: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(cli, shlex.split(line, comments=True)[1:])
    assert result.exit_code == 0, result.output


def test_the_python_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)
    images = pair("rigid", seed=3)
    names = {"source": images.source, "target": images.target, "frames": [images.source]}
    names["usable"] = np.ones(images.target.shape[:2], np.bool_)
    exec(block, names)
    assert images.error_px(names["found"].source_to_target) < 0.01
    assert np.isclose(names["shifts"][0], images.source_to_target[:2, 2], atol=0.01).all()
    assert (np.asarray(names["again"]) == names["warped"]).all()
    said = capsys.readouterr().out
    assert "\naligned 0.0" in said
    (shown,) = re.findall(r"^print\(repr\(found\)\)  # (.*?), \.\.\.>$", block, re.M)
    number = r"-?\d+\.\d+"  # whose last digit another numpy or OpenCV may round the other way
    assert re.sub(number, "#", said).startswith(re.sub(number, "#", shown))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_benchmark_that_a_page_names_is_there(page: Path) -> None:
    for name in re.findall(r"benchmarks\.([a-z_]+)", page.read_text("utf-8")):
        assert (ROOT / "benchmarks" / f"{name}.py").is_file(), name


def test_every_benchmark_of_the_makefile_is_in_figures() -> None:
    for name in re.findall(r"-m (benchmarks\.\w+)", (ROOT / "Makefile").read_text("utf-8")):
        assert name in FIGURES, name


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.M)
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        leads_to = (page.parent / path).resolve() if path else page
        assert leads_to.exists(), link
        assert not anchor or anchor in anchors(leads_to), link


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"](docs/{page.name})" in readme for page in DOCS.glob("*.md"))
