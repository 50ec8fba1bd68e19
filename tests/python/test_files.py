"""Sealed files: every kind of source and target, and everything that can go wrong."""

import errno
import hashlib
import hmac
import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import aead
from hypothesis import given, settings
from hypothesis import strategies as st

import mopse
from mopse import files
from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
    WrongTypeError,
)

KEY = bytes(range(32))
SEGMENT = 1 << 16
HEAD = 69
LENGTHS = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, (1 << 22) + 5, 1 << 23]


def text(length: int) -> bytes:
    return np.random.default_rng(length).bytes(length)


def reference_seal(sealed: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Return a file sealed with the head of another, by an implementation of its own."""
    head = sealed[:HEAD]
    label = head + hashlib.sha256(aad).digest()
    message = b"mopse/v1" + b"".join(
        len(part).to_bytes(4, "big") + part for part in (b"file", label)
    )
    file_key = hmac.digest(KEY, message + bytes(4), "sha256")
    segments = [plaintext[at : at + SEGMENT] for at in range(0, len(plaintext), SEGMENT)] or [b""]
    for number, segment in enumerate(segments):
        nonce = bytes(7) + number.to_bytes(4, "big") + bytes([number == len(segments) - 1])
        head += aead.AESGCM(file_key).encrypt(nonce, segment, None)
    return head


@pytest.mark.parametrize("length", LENGTHS)
def test_another_implementation_makes_the_same_file(length):
    sealed = files.encrypt(text(length), key=KEY, aad=b"record 17")
    assert sealed[:9] == b"MOPSESTR\x01"
    assert sealed == reference_seal(sealed, text(length), b"record 17")


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("cipher", ["aes-256-gcm", "xchacha20-poly1305", "aes-128-gcm-siv"])
def test_every_way_in_and_out_gives_the_same_file(length, cipher, tmp_path):
    plaintext, path, target = text(length), tmp_path / "scan", tmp_path / "sealed"
    path.write_bytes(plaintext)
    options = {"key": KEY, "cipher": cipher, "aad": b"record 17"}
    for source in (plaintext, path, str(path), io.BytesIO(plaintext), bytearray(plaintext)):
        sealed = files.encrypt(source, **options)
        assert files.decrypt(sealed, key=KEY, aad=b"record 17") == plaintext
        for at in (source, io.BytesIO(plaintext))[:1]:
            if hasattr(at, "seek"):
                at.seek(0)
            assert files.encrypt(at, target, **options) == len(sealed) == target.stat().st_size
        opened = io.BytesIO()
        assert files.decrypt(target, opened, key=KEY, aad=b"record 17") == length
        assert opened.getvalue() == plaintext
        assert files.decrypt(target, tmp_path / "opened", key=KEY, aad=b"record 17") == length
        assert (tmp_path / "opened").read_bytes() == plaintext
    assert sorted(p.name for p in tmp_path.iterdir()) == ["opened", "scan", "sealed"]


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_short_reads_make_no_difference(plaintext, most):
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, most))

    sealed = files.encrypt(Trickle(plaintext), key=KEY)
    assert files.decrypt(Trickle(sealed), key=KEY) == plaintext


def test_a_pipe_is_read_to_its_end():
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        file.write(b"chest X-ray")
    with os.fdopen(read, "rb") as file:
        assert files.decrypt(files.encrypt(file, key=KEY), key=KEY) == b"chest X-ray"


def test_a_file_is_sealed_in_place(tmp_path):
    path = tmp_path / "scan"
    path.write_bytes(text(SEGMENT + 1))
    files.encrypt(path, path, key=KEY)
    files.decrypt(path, path, key=KEY)
    assert path.read_bytes() == text(SEGMENT + 1)


@given(st.integers(0, 3 * SEGMENT + 200), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_changed_bit_is_noticed_and_nothing_left_under_the_name(at, bit):
    sealed = bytearray(files.encrypt(text(3 * SEGMENT + 100), key=KEY))
    sealed[at] ^= 1 << bit
    with pytest.raises((DecryptionError, DamagedFileError, InvalidInputError)):
        files.decrypt(sealed, key=KEY)


@pytest.mark.parametrize("cut", [0, 1, 8, 68, 69, 70, 84, 85, 86, 69 + 16 + SEGMENT, -1, -17])
def test_a_cut_file_is_noticed(cut):
    sealed = files.encrypt(text(2 * SEGMENT), key=KEY)
    with pytest.raises((DecryptionError, DamagedFileError)):
        files.decrypt(sealed[:cut], key=KEY)


def test_an_extended_file_is_noticed():
    for length in (0, 5, SEGMENT, 1 << 22):
        sealed = files.encrypt(text(length), key=KEY)
        for more in (b"\0", bytes(16), sealed[HEAD:], bytes(SEGMENT + 16)):
            with pytest.raises(DecryptionError):
                files.decrypt(sealed + more, key=KEY)


def test_another_key_or_association_opens_nothing():
    sealed = files.encrypt(b"scan", key=KEY, aad=b"record 17")
    for options in ({"key": bytes(32), "aad": b"record 17"}, {"key": KEY, "aad": b"record 18"}):
        with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
            files.decrypt(sealed, **options)


def test_a_damaged_file_leaves_what_was_there(tmp_path):
    sealed = bytearray(files.encrypt(text(1 << 23), key=KEY))
    sealed[-1] ^= 1
    target = tmp_path / "opened"
    target.write_bytes(b"before")
    with pytest.raises(DecryptionError):
        files.decrypt(sealed, target, key=KEY)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_an_open_target_holds_a_genuine_beginning_of_a_damaged_file():
    sealed = bytearray(files.encrypt(text(3 << 22), key=KEY))
    sealed[-1] ^= 1
    opened = io.BytesIO()
    with pytest.raises(DecryptionError):
        files.decrypt(sealed, opened, key=KEY)
    assert opened.getvalue() == text(3 << 22)[: 2 << 22]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(errno.EIO, "I/O error")])
def test_whatever_stops_the_source_leaves_nothing(error, tmp_path):
    class Breaking(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 1 << 22:
                raise error
            return super().read(size)

    expected = FileAccessError if isinstance(error, OSError) else error
    with pytest.raises(expected):
        files.encrypt(Breaking(bytes(1 << 24)), tmp_path / "sealed", key=KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_that_names_the_file():
    if not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="space"):
        files.encrypt(bytes(1 << 20), full, key=KEY)


def test_memory_does_not_grow_with_the_file(tmp_path):
    program = (
        "import resource, sys, mopse\n"
        "source, target = sys.argv[1:]\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "mopse.files.encrypt(bytes(1 << 22), key=bytes(32))\n"
        "before = peak()\n"
        "mopse.files.encrypt(source, target, key=bytes(32))\n"
        "mopse.files.decrypt(target, source, key=bytes(32))\n"
        "print(peak() - before)\n"
    )
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(256 << 20)
    run = [sys.executable, "-c", program, str(source), str(tmp_path / "target")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 << 10  # KiB; the file has 256 MiB
    assert resource.RUSAGE_SELF == 0


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match="nothing"):
        files.encrypt(tmp_path / "nothing", key=KEY)
    with pytest.raises(FileAccessError, match="directory"):
        files.encrypt(tmp_path, key=KEY)
    with pytest.raises(FileAccessError, match="directory"):
        files.encrypt(b"scan", tmp_path, key=KEY)
    with pytest.raises(MissingFileError):
        files.encrypt(b"scan", tmp_path / "missing" / "sealed", key=KEY)
    for path in ("", "\0", "/"):
        with pytest.raises(InvalidInputError, match="names no file"):
            files.encrypt(b"scan", path, key=KEY)
    assert list(tmp_path.iterdir()) == []


def test_text_mode_is_refused():
    with pytest.raises(WrongTypeError, match="open it in binary mode"):
        files.encrypt(io.StringIO("scan"), key=KEY)
    with pytest.raises(WrongTypeError, match="open it in binary mode"):
        files.encrypt(b"scan", io.StringIO(), key=KEY)


def test_a_target_that_takes_nothing_is_refused():
    class Full(io.BytesIO):
        def write(self, part):
            return 0

    with pytest.raises(InvalidInputError, match="takes no more bytes"):
        files.encrypt(b"scan", Full(), key=KEY)


@pytest.mark.parametrize("wrong", [None, 7, [1], np.zeros(3)])
def test_a_source_of_another_type_is_refused(wrong):
    with pytest.raises(WrongTypeError):
        files.encrypt(wrong, key=KEY)


def test_keys_and_ciphers_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInputError, match="the key has 16 bytes, expected 32"):
        files.encrypt(b"scan", key=bytes(16))
    with pytest.raises(WrongTypeError, match="a key must be bytes"):
        files.encrypt(b"scan", key="0" * 32)
    for cipher in ("rot13", "des-cbc"):
        with pytest.raises(InvalidInputError, match="no cipher"):
            files.encrypt(b"scan", key=KEY, cipher=cipher)
    with pytest.raises(InvalidInputError, match="aes-256-ctr authenticates nothing"):
        files.encrypt(b"scan", key=KEY, cipher="aes-256-ctr")


def test_a_progress_bar_shows_on_request(capsys):
    files.encrypt(b"scan", key=KEY)
    assert capsys.readouterr().err == ""
    mopse.files.encrypt(b"scan", key=KEY, progress=True)
    assert "4.00/4.00" in capsys.readouterr().err
