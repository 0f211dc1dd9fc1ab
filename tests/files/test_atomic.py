import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from align_cli.files.atomic import atomic_write, ensure_writable, same_file, write_bytes
from align_cli.files.errors import UnwritableError

ROOT = Path(__file__).parents[2]
as_root = hasattr(os, "geteuid") and os.geteuid() == 0
not_as_root = pytest.mark.skipif(as_root, reason="root may write everywhere")


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_new_content_replaces_old(old):
    write_bytes(old, b"new")
    assert old.read_bytes() == b"new"
    assert names(old.parent) == ["out.bin"]


def test_name_holds_the_old_content_until_the_end(old):
    with atomic_write(old) as handle:
        handle.write(b"new")
        handle.flush()
        assert old.read_bytes() == b"old"
        (temporary,) = set(names(old.parent)) - {"out.bin"}
        assert temporary.startswith(".")
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_any_exception_leaves_the_old_file_and_nothing_else(old, error):
    def fail():
        with atomic_write(old) as handle:
            handle.write(b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["out.bin"]


def test_a_full_disk_is_an_unwritable_error(old):
    with pytest.raises(UnwritableError, match="no space is left") as caught, atomic_write(old):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.path == str(old)
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["out.bin"]


def test_a_device_without_space(device):
    full = device("full")
    with pytest.raises(UnwritableError, match="full: no space is left"):
        write_bytes(full, b"x" * 100_000)


def test_a_killed_writer_leaves_the_old_file_complete(old):
    code = (
        "import sys, time\n"
        "from align_cli.files.atomic import atomic_write\n"
        "with atomic_write(sys.argv[1]) as handle:\n"
        "    handle.write(b'half' * 100_000); handle.flush()\n"
        "    print('writing', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(old)], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"writing\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert old.read_bytes() == b"old"


def test_readers_see_old_or_new_but_never_half(old):
    contents = [bytes([n]) * 200_000 for n in range(1, 20)]
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            seen.append(old.read_bytes())
            time.sleep(0)

    reader = threading.Thread(target=read)
    reader.start()
    for content in contents:
        write_bytes(old, content)
    done.set()
    reader.join()
    assert set(seen) <= {b"old", *contents}


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_of_a_plain_open(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "atomic", b"")
        (tmp_path / "plain").open("wb").close()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("atomic", "plain")]
    assert modes[0] == modes[1]


def test_a_replaced_file_keeps_its_permissions(old):
    old.chmod(0o640)
    write_bytes(old, b"new")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path, old):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to("../out.bin")
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert old.read_bytes() == b"new"
    assert names(tmp_path / "folder") == ["link"]


def test_a_dangling_link_gets_its_target(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("target")
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_link_to_itself_is_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("link")
    with pytest.raises(UnwritableError, match="circular symbolic link"):
        write_bytes(link, b"new")


def test_the_null_device_is_written_and_stays(device):
    null = device("null")
    for _ in range(2):
        write_bytes(null, b"new")
        assert stat.S_ISCHR(null.stat().st_mode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_written_straight(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    write_bytes(fifo, b"new")
    reader.join()
    assert got == [b"new"]
    assert names(tmp_path) == ["fifo"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_standard_output_that_is_a_file_is_written_not_replaced(tmp_path):
    out = tmp_path / "out"
    code = "from align_cli.files.atomic import write_bytes; write_bytes('/proc/self/fd/1', b'new')"
    with out.open("wb") as file:
        number = out.stat().st_ino
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=file, check=True)
    assert out.read_bytes() == b"new"
    assert out.stat().st_ino == number


def test_the_longest_possible_name(tmp_path):
    name = "n" * 251 + ".bin"
    write_bytes(tmp_path / name, b"new")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("check", [ensure_writable, lambda path: write_bytes(path, b"")])
@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("missing/out.png", "its folder does not exist"),
        ("file/out.png", "not a folder"),
        ("folder", "is a folder"),
        ("folder/", "is the name of a folder"),
        ("new/", "is the name of a folder"),
        ("n" * 300, "the name is too long"),
        ("nul\0.png", "not a valid file name"),
    ],
)
def test_impossible_names_say_why(tmp_path, check, name, cause):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableError, match=cause):
        check(f"{tmp_path}/{name}")
    assert names(tmp_path) == ["file", "folder"]


def test_no_name_at_all():
    with pytest.raises(UnwritableError, match="the name is empty"):
        ensure_writable("")


@not_as_root
def test_a_read_only_folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o555)
    try:
        for check in (ensure_writable, lambda path: write_bytes(path, b"")):
            with pytest.raises(UnwritableError, match="not writable"):
                check(folder / "out.png")
    finally:
        folder.chmod(0o755)


@not_as_root
def test_a_write_protected_file_is_not_replaced(old):
    old.chmod(0o444)
    with pytest.raises(UnwritableError, match="write-protected"):
        write_bytes(old, b"new")
    assert old.read_bytes() == b"old"


def test_the_check_writes_nothing(old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (old, tmp_path / "new", "relative"):
        ensure_writable(name)
    assert names(tmp_path) == ["out.bin"]
    assert old.read_bytes() == b"old"


def test_same_file_sees_through_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    file = tmp_path / "a.png"
    file.write_bytes(b"a")
    (tmp_path / "other.png").write_bytes(b"a")
    (tmp_path / "soft.png").symlink_to("a.png")
    os.link(file, tmp_path / "hard.png")
    for name in ("a.png", "./a.png", "folder/../a.png", "soft.png", "hard.png", file):
        assert same_file(file, name), name
        assert same_file(name, file), name
    for name in ("other.png", "missing.png", "folder"):
        assert not same_file(file, name), name
        assert not same_file(name, file), name


def test_same_file_before_it_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "soft").symlink_to(tmp_path)
    (tmp_path / "dangling.png").symlink_to("new.png")
    for name in ("new.png", "./new.png", "soft/new.png", tmp_path / "new.png", "dangling.png"):
        assert same_file("new.png", name), name
    assert not same_file("new.png", "newer.png")


def test_same_file_follows_the_case_of_the_file_system(tmp_path):
    (tmp_path / "a.png").touch()
    ignores_case = (tmp_path / "A.PNG").exists()
    assert same_file(tmp_path / "a.png", tmp_path / "A.PNG") == ignores_case


def test_devices_are_never_the_same_file():
    assert not same_file(os.devnull, os.devnull)
