import contextlib
import logging
import os
import sys
import threading
import warnings

import pytest
from PIL import Image

from align_cli.files.quiet import (
    WhileAnyoneReads,
    no_libpng_on_stderr,
    no_pillow_limit,
    no_warnings,
)


def test_applied_by_the_first_and_undone_by_the_last():
    events = []

    @WhileAnyoneReads
    @contextlib.contextmanager
    def guard():
        events.append("apply")
        yield
        events.append("undo")

    inside, leave = threading.Event(), threading.Event()

    def other():
        with guard:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with guard:
        thread.start()
        assert inside.wait(10)
    assert events == ["apply"]  # the other thread is still inside
    leave.set()
    thread.join()
    assert events == ["apply", "undo"]


def test_undone_after_an_exception():
    before = Image.MAX_IMAGE_PIXELS
    during = []

    def fail():
        with no_pillow_limit:
            during.append(Image.MAX_IMAGE_PIXELS)
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert during == [None]
    assert before == Image.MAX_IMAGE_PIXELS


def test_warnings_are_ignored_inside_only(capfd):
    filters = list(warnings.filters)
    with no_warnings:
        warnings.warn("hidden", UserWarning, stacklevel=1)
        logging.getLogger("tifffile").warning("hidden")
    assert warnings.filters == filters
    assert not logging.getLogger("tifffile").disabled
    assert capfd.readouterr() == ("", "")
    with pytest.warns(UserWarning, match="shown"):
        warnings.warn("shown", UserWarning, stacklevel=1)


def test_libpng_is_held_back_and_nobody_else(capfd):
    with no_libpng_on_stderr:
        os.write(2, b"libpng warning: iCCP: too short\n")
        print("a line of another thread", file=sys.stderr, flush=True)
        os.write(2, b"libpng error: Read Error\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "a line of another thread\nafterwards\n"


def test_a_flood_does_not_block(capfd):
    line = b"libpng warning: again and again\n"
    with no_libpng_on_stderr, contextlib.suppress(BlockingIOError):
        while True:
            os.write(2, line)
    assert "libpng" not in capfd.readouterr().err


def test_a_closed_stderr_is_no_error(python):
    code = (
        "import os; os.close(2)\n"
        "from align_cli.files.quiet import no_libpng_on_stderr\n"
        "with no_libpng_on_stderr: print('fine')\n"
    )
    assert python(code).stdout == "fine\n"


def open_descriptors():
    found = set()
    for number in range(256):
        with contextlib.suppress(OSError):
            os.fstat(number)
            found.add(number)
    return found


def test_no_descriptor_is_left_open():
    before = open_descriptors()
    for _ in range(3):
        with no_libpng_on_stderr:
            pass
    assert open_descriptors() == before
