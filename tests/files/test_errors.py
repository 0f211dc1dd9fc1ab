import errno
import pickle
from pathlib import Path

import pytest

from align_cli.files.errors import (
    FilesError,
    UnreadableError,
    UnwritableError,
    unreadable,
    unwritable,
)


def test_message_names_file_cause_and_advice():
    error = UnreadableError(Path("a") / "b.png", "is empty", "copy it again")
    assert str(error) == "a/b.png: is empty; copy it again"
    assert (error.path, error.cause, error.advice) == ("a/b.png", "is empty", "copy it again")
    assert isinstance(error, FilesError)


@pytest.mark.parametrize("name", ["two\nlines.png", "caf\udce9.png", "bell\a.png", "tab\t.png"])
def test_message_is_one_printable_line(name):
    message = str(UnreadableError(name, "is\nempty", "copy it again"))
    assert message.isprintable()
    message.encode("utf-8")


def test_readable_names_are_shown_as_they_are():
    assert str(UnreadableError("é 写真 .png", "x", "y")).startswith("é 写真 .png: ")


def test_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(UnwritableError("a.png", "b", "c")))
    assert type(error) is UnwritableError
    assert str(error) == "a.png: b; c"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_every_system_error_has_words(number, words):
    assert words in str(unwritable("a.png", OSError(number, "Input/output error")))


def test_a_folder_that_is_there_is_not_said_to_be_missing(tmp_path: Path) -> None:
    # As of /proc, which creates no file.
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert "cannot be created in this folder" in str(unwritable(tmp_path / "a.png", missing))
    assert "its folder does not exist" in str(unwritable(tmp_path / "b" / "a.png", missing))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("rigth.jpg", "right.jpg"),
        ("Right.JPG", "right.jpg"),
        ("right.png", None),
        ("b.jpg", None),
        ("nowhere.jpg", None),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest_of_its_folder(
    tmp_path: Path, name: str, near: str | None
) -> None:
    for each in ("right.jpg", "left.jpg", "right.json", "b.tif"):
        (tmp_path / each).touch()
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    advice = unreadable(tmp_path / name, missing).advice
    meant = "check the name and the folder" if near is None else f"did you mean {tmp_path / near}?"
    assert advice == meant
    assert "check the name" in unreadable(tmp_path / "no" / name, missing).advice
