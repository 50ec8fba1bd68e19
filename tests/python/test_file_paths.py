"""Whatever a path can name: each is written and read as a careful program does, or refused."""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import mopse
from mopse import _files, files, labs
from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
)
from mopse.evaluate import _tables
from mopse.plot import Figure

KEY = bytes(32)
OWNER = mopse.Owner.from_insecure_seed(mopse.Schema(age=mopse.Field(0, 120)), 1)
PLAIN = b"chest X-ray" * 100_000

Write = Callable[[Path], object]


def encrypt(path: Path) -> None:
    files.encrypt(PLAIN, path, key=KEY)


def decrypt(path: Path) -> None:
    files.decrypt(files.encrypt(PLAIN, key=KEY), path, key=KEY)


def save(path: Path) -> None:
    OWNER.save(path, "password")


def draw(path: Path) -> None:
    Figure(x="x", y="y").dots([1, 2], [3, 4]).save(path)


def tabulate(path: Path) -> None:
    _tables.write(pl.DataFrame({"x": np.arange(1000)}), path)


WRITERS = {write.__name__: write for write in (encrypt, decrypt, save, draw, tabulate)}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Write:
    return WRITERS[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    left = [path.name for path in tmp_path.rglob("*") if path.name.startswith(".mopse.")]
    assert left == []


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Return a folder that others may enter and write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def starts_anew(path: Path) -> bool:
    """Say whether the old content is gone and something else is there."""
    content = path.read_bytes()
    return len(content) > 6 and not content.startswith(b"before")


def as_nobody(program: str, *arguments: object) -> str:
    """Return what a program prints, which runs without the rights of a superuser."""
    given = "import os, sys, mopse.files\nif os.geteuid() == 0:\n    os.setgid(65534)\n"
    given += "    os.setuid(65534)\n"
    run = [sys.executable, "-c", given + program, *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_new_files_have_the_mode_of_their_kind(folder, umask):
    for name, write in WRITERS.items():
        path = folder / f"{name}.png"
        write(path)
        assert mode(path) == (0o600 if name in ("decrypt", "save") else 0o640), name


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o664, 0o2750, 0o777])
def test_a_file_that_is_there_keeps_its_mode(folder, write, bits):
    path = folder / "file.png"
    path.write_bytes(b"before")
    path.chmod(bits)
    write(path)
    assert starts_anew(path)
    assert mode(path) == bits


def test_a_file_that_is_there_keeps_its_owner_and_group(folder, write):
    path = folder / "file.png"
    path.write_bytes(b"before")
    # Only a superuser gives files away; who is none gives it to one of its own groups.
    is_superuser = os.geteuid() == 0
    owner, group = (1234, 4321) if is_superuser else (os.getuid(), os.getgroups()[-1])
    os.chown(path, owner, group)
    path.chmod(0o6750)
    write(path)
    assert starts_anew(path)
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (owner, group, 0o6750)


def test_a_symbolic_link_stays_and_its_target_is_replaced(folder, write):
    (folder / "deep").mkdir()
    target = folder / "deep" / "target"
    target.write_bytes(b"before")
    target.chmod(0o640)
    (folder / "middle").symlink_to("deep/target")
    link = folder / "link.png"
    link.symlink_to(folder / "middle")
    write(link)
    assert link.is_symlink()
    assert (folder / "middle").is_symlink()
    assert starts_anew(target)
    assert mode(target) == 0o640


def test_a_dangling_link_gets_its_target(folder, write):
    link = folder / "link.png"
    link.symlink_to("target")
    write(link)
    assert link.is_symlink()
    assert (folder / "target").stat().st_size > 0


def test_a_dangling_link_into_no_folder_is_named(folder, write):
    link = folder / "link.png"
    link.symlink_to("nowhere/target")
    with pytest.raises(MissingFileError) as caught:
        write(link)
    assert caught.value.filename == str(link)
    assert list(folder.iterdir()) == [link]


def test_a_loop_of_links_is_named(folder, write):
    (folder / "one.png").symlink_to("other.png")
    (folder / "other.png").symlink_to("one.png")
    with pytest.raises(FileAccessError) as caught:
        write(folder / "one.png")
    assert caught.value.errno == errno.ELOOP
    assert caught.value.filename == str(folder / "one.png")


def test_all_names_of_a_file_show_what_was_written(folder, write):
    path, other = folder / "file.png", folder / "other"
    path.write_bytes(b"before" * 1_000_000)
    os.link(path, other)
    write(path)
    assert path.samefile(other)
    assert starts_anew(other)
    assert path.read_bytes() == other.read_bytes()


def test_a_keyring_of_two_names_opens_under_the_new_password_by_both(folder):
    path, other = folder / "keyring", folder / "other"
    OWNER.save(path, "old")
    os.link(path, other)
    OWNER.save(path, "new")
    for name in (path, other):
        assert mopse.Owner.open(name, "new").public == OWNER.public
        with pytest.raises(mopse.errors.WrongPasswordError):
            mopse.Owner.open(name, "old")


def test_a_pipe_takes_the_bytes_and_stays_one(folder, write):
    path = folder / "pipe.png"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write(path)
    reader.join()
    assert stat.S_ISFIFO(path.stat().st_mode)
    plain = folder / "plain.png"
    write(plain)
    assert len(read[0]) == plain.stat().st_size


def test_a_pipe_is_a_source(folder):
    path = folder / "pipe"
    os.mkfifo(path)
    for read in (lambda: files.encrypt(path, key=KEY), lambda: files.content(path)):
        writer = threading.Thread(target=path.write_bytes, args=(PLAIN,))
        writer.start()
        got = read()
        writer.join()
        assert PLAIN in (got, got if got == PLAIN else files.decrypt(got, key=KEY))
    with pytest.raises(InvalidInputError, match="source and target"):
        files.encrypt(path, path, key=KEY)


def test_devices_take_the_bytes(folder, write):
    link = folder / "null.png"
    link.symlink_to(os.devnull)
    write(link)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_full_device_is_named(folder, write):
    link = folder / "full.png"
    link.symlink_to("/dev/full")
    with pytest.raises(FileAccessError) as caught:
        write(link)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(link))


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_to_whatever_it_is(folder, name):
    program = (
        "import sys, mopse\n"
        "print('first', flush=True)\n"
        "mopse.files.decrypt(sys.argv[2], sys.argv[1], key=bytes(32))\n"
        "print('last', flush=True)\n"
    )
    sealed, out = folder / "sealed", folder / "out"
    files.encrypt(b"scan\n", sealed, key=KEY)
    run = [sys.executable, "-c", program, name, str(sealed)]
    expected = b"first\nscan\nlast\n"
    assert subprocess.run(run, capture_output=True, check=True).stdout == expected
    with out.open("wb") as file:
        subprocess.run(run, stdout=file, check=True)
    assert out.read_bytes() == expected


def test_a_folder_and_a_socket_are_named(folder, write):
    (folder / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        before = Path.cwd()
        os.chdir(folder)  # a socket's path has 108 bytes
        try:
            bound.bind("socket.png")
        finally:
            os.chdir(before)
        for name in ("folder.png", "socket.png"):
            with pytest.raises(FileAccessError) as caught:
                write(folder / name)
            assert caught.value.filename == str(folder / name)
    with pytest.raises(FileAccessError):
        files.encrypt(folder / "socket.png", key=KEY)


def test_names_of_255_bytes_and_of_any_bytes_do(folder, write):
    names = ["x" * 251 + ".png", "ä" * 125 + "x.png", os.fsdecode(b"\xff\xfe.png"), "a\nb '\".png"]
    for name in names:
        write(folder / name)
        (folder / name).write_bytes(b"before")
        write(folder / name)
        assert starts_anew(folder / name)
    with pytest.raises(FileAccessError) as caught:
        write(folder / ("x" * 252 + ".png"))
    assert caught.value.errno == errno.ENAMETOOLONG
    assert "xxx" in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("name", ["", ".", "/", "folder/", "a\0b", "\ud800", b"bytes", 7])
def test_what_names_no_file_is_refused(folder, monkeypatch, name):
    monkeypatch.chdir(folder)
    for act in (*WRITERS.values(), lambda path: files.encrypt(path, key=KEY)):
        if act is tabulate or (act.__name__ == "<lambda>" and isinstance(name, bytes)):
            continue  # tables get paths that were checked; bytes are a source
        with pytest.raises(InvalidInputError, match=r"names no file|surrogate|must be"):
            act(name)
    assert list(folder.iterdir()) == []


def test_a_missing_folder_and_a_file_for_one_are_named(folder, write):
    (folder / "file").write_bytes(b"")
    for name, kind in (("nowhere/x.png", MissingFileError), ("file/x.png", FileAccessError)):
        with pytest.raises(kind) as caught:
            write(folder / name)
        assert caught.value.filename == str(folder / name)


PROGRAM = (
    "import mopse\n"
    "path = sys.argv[1]\n"
    "try:\n"
    "    mopse.files.decrypt(mopse.files.encrypt(b'scan', key=bytes(32)), path, key=bytes(32))\n"
    "    print('written')\n"
    "except mopse.errors.FileAccessError as error:\n"
    "    print(error.errno, error.filename == path)\n"
)


def test_a_file_in_a_folder_that_cannot_be_written_is_written_in_its_place(reachable):
    place = reachable / "read-only"
    place.mkdir()
    path = place / "file"
    path.write_bytes(b"before" * 100)
    path.chmod(0o666)
    place.chmod(0o555)
    before = path.stat().st_ino
    assert as_nobody(PROGRAM, path) == "written\n"
    assert (path.read_bytes(), path.stat().st_ino) == (b"scan", before)
    assert as_nobody(PROGRAM, place / "new") == f"{errno.EACCES} True\n"
    assert list(place.iterdir()) == [path]


def test_a_file_that_is_not_to_be_written_is_left(reachable):
    path = reachable / "file"
    path.write_bytes(b"before")
    path.chmod(0o444)
    assert as_nobody(PROGRAM, path) == f"{errno.EACCES} True\n"
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("names", [[], ["file"], ["file", "other"]])
def test_a_disk_that_fills_up_leaves_what_was_there(folder, names):
    program = (
        "import resource, signal, sys, mopse\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try:\n"
        "    mopse.files.encrypt(bytes(1 << 23), sys.argv[1], key=bytes(32))\n"
        "except mopse.errors.FileAccessError as error:\n"
        "    print(error.filename == sys.argv[1])\n"
    )
    path = folder / "file"
    if names:
        path.write_bytes(b"before")
        for other in names[1:]:
            os.link(path, folder / other)
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
    assert {left.name: left.read_bytes() for left in folder.iterdir()} == dict.fromkeys(
        names, b"before"
    )


def test_room_that_cannot_be_reserved_leaves_what_was_there(folder, monkeypatch):
    """The new bytes are there, beside, but the file of two names cannot grow."""
    path = folder / "file"
    path.write_bytes(b"before")
    os.link(path, folder / "other")

    def no_room(handle, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(FileAccessError, match="No space"):
        files.encrypt(PLAIN, path, key=KEY)
    assert path.read_bytes() == b"before"


def test_an_interrupt_while_a_file_is_overwritten_comes_when_it_is_whole(folder, monkeypatch):
    path = folder / "file"
    path.write_bytes(b"before")
    os.link(path, folder / "other")
    copy, times = os.write, []

    def interrupted(handle, part):
        if os.fstat(handle).st_ino == path.stat().st_ino and not times:
            times.append(handle)
            raise KeyboardInterrupt
        return copy(handle, part)

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.encrypt(PLAIN, path, key=KEY)
    assert len(times) == 1
    assert files.decrypt(path, key=KEY) == PLAIN


def _half_written(path: Path, error: type[BaseException] | BaseException) -> None:
    with _files.replacing(path, 0o600) as target:
        target.write(b"new")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, DecryptionError])
def test_whatever_happens_in_the_middle_leaves_what_was_there(folder, error):
    for before in (None, b"before"):
        path = folder / "file"
        if before is not None:
            path.write_bytes(before)
        with pytest.raises(error):
            _half_written(path, error)
        assert (path.read_bytes() if path.exists() else None) == before


def test_an_error_in_the_middle_is_not_taken_for_the_file_s(folder):
    with pytest.raises(OSError, match="elsewhere") as caught:
        _half_written(folder / "file", OSError("elsewhere"))
    assert not isinstance(caught.value, FileAccessError)


def test_a_mounted_file_is_overwritten(folder, monkeypatch):
    """A file that is mounted into a container cannot be replaced."""
    path = folder / "file"
    path.write_bytes(b"before")
    number = path.stat().st_ino

    def busy(one, other):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "replace", busy)
    files.encrypt(PLAIN, path, key=KEY)
    assert path.stat().st_ino == number
    assert files.decrypt(path, key=KEY) == PLAIN


def test_writers_at_once_leave_one_whole_file(folder):
    path = folder / "file"
    contents = [bytes([letter]) * 3_000_000 for letter in b"abcd"]

    def work(content: bytes) -> None:
        for _ in range(5):
            _files.write_whole(path, content, 0o600)

    threads = [threading.Thread(target=work, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert path.read_bytes() in contents
    assert path.read_bytes() in contents


@pytest.mark.parametrize("change", ["shrinks", "grows", "is written"])
def test_a_file_that_changes_while_it_is_read_is_refused(folder, change):
    path = folder / "file"
    path.write_bytes(bytes(1 << 22))
    os.utime(path, ns=(0, 0))
    changes = {
        "shrinks": lambda: os.truncate(path, 1 << 21),
        "grows": lambda: os.truncate(path, 1 << 23),
        "is written": lambda: path.write_bytes(bytes(1 << 22)),
    }
    with _files.reading(path) as source:
        source.read(1 << 20)
        changes[change]()
        with pytest.raises(FileAccessError, match="was changed while it was read") as caught:
            list(iter(lambda: source.read(1 << 20), b""))
    assert caught.value.filename == str(path)


def test_what_never_ends_is_no_keyring():
    with pytest.raises(DamagedFileError, match="longer than any such file"):
        _files.read_whole(Path("/dev/zero"), most=1 << 20)


def test_files_of_the_system_without_a_size_are_read():
    assert files.content("/proc/self/status").startswith(b"Name:")


def test_a_table_is_neither_a_pipe_nor_a_folder(folder):
    (folder / "table").mkdir()
    with pytest.raises(FileAccessError):
        _tables.written(folder / "table")
    with pytest.raises(FileAccessError):
        _tables.written(folder / ("x" * 300))
    assert _tables.written(folder / "nothing").is_empty()


def test_labs_leave_a_pipe_and_write_through_links(folder):
    (solution,) = labs.solutions()[:1]
    out = folder / "out"
    out.mkdir()
    os.mkfifo(out / solution.name)
    with pytest.raises(InvalidInputError, match="is no file like others"):
        labs.make([solution], out)
    (out / solution.name).unlink()
    (out / solution.name).symlink_to(folder / "target")
    labs.make([solution], out)
    assert (out / solution.name).is_symlink()
    assert (folder / "target").stat().st_size > 0


def test_a_pipe_without_a_reader_does_not_keep_ctrl_c_waiting(folder):
    os.mkfifo(folder / "pipe")
    program = (
        "import sys, mopse\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    mopse.files.encrypt(b'scan', sys.argv[1], key=bytes(32))\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped')\n"
    )
    run = [sys.executable, "-c", program, str(folder / "pipe")]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                continue
        assert process.stdout.read() in ("stopped\n", "")
        assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)
