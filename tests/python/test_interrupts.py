"""Ctrl-C ends every long call within a second, and leaves a package that can be used."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import mopse
from mopse import _checks
from mopse.errors import InvalidInputError

TRIES = 3
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

SEEDED = "rng = np.random.default_rng(1)\n"
PARTIES = (
    "i = np.arange(500_000)\n"
    "table = {'id': i, 'age': i % 121, 'note': pl.Series(['some words'] * len(i)), 'w': i * 0.5}\n"
    "schema = mopse.Schema(age=mopse.Field(0, 120))\n"
    "owner = mopse.Owner.from_insecure_seed(schema, 1)\n"
    "hospital, cloud = owner.authorize('hospital'), mopse.Cloud()\n"
    "cloud.enroll(owner.public)\n"
    "encrypt = lambda: hospital.encrypt(table, id='id')\n"
)
STORED = PARTIES + "cloud.receive(encrypt())\nquery = owner.query(age=(0, 120))\n"
BUFFER = "text = np.ones(1 << 29, dtype=np.uint8)\ncipher = mopse.ciphers.Cipher({!r}, bytes(32))\n"

CALLS = {
    "search_des_key": ("", "legacy.search_des_key(bytes(16), 5, bytes(8), 40)"),
    "LewiWu.encrypt": (
        "x, scheme = np.arange(1 << 21), mopse.LewiWu(bytes(32), 1 << 32)\n",
        "scheme.encrypt(x)",
    ),
    "LewiWu.decrypt": (
        "scheme = mopse.LewiWu(bytes(32), 1 << 32)\nc = scheme.encrypt(np.arange(1 << 16))\n"
        "c = np.tile(c, (20, 1))\n",
        "[scheme.decrypt(c) for _ in range(50)]",
    ),
    "Clww.encrypt": (
        "x, scheme = np.arange(1 << 26), mopse.Clww(bytes(32), 1 << 32)\n",
        "[scheme.encrypt(x) for _ in range(50)]",
    ),
    "Opse.encrypt": (
        SEEDED + "x = rng.integers(0, 1 << 32, 10_000_000)\no = mopse.Opse(bytes(32), 1 << 32)\n",
        "[o.encrypt(x) for _ in range(50)]",
    ),
    "Opse.decrypt": (
        SEEDED + "x = rng.integers(0, 1 << 32, 300_000)\no = mopse.Opse(bytes(32), 1 << 32)\n"
        "c = np.tile(o.encrypt(x), 20)\n",
        "[o.decrypt(c) for _ in range(50)]",
    ),
    "merge": (
        SEEDED + "runs = [np.sort(rng.integers(0, 1 << 62, 1_000_000)) for _ in range(30)]\n",
        "[mopse.merge(runs) for _ in range(50)]",
    ),
    "leakage_report": (
        "n = 1 << 20\nschema = mopse.Schema(x=mopse.Field(0, n - 1, cell=1))\n"
        "table = {'x': np.arange(1 << 21) % n}\n",
        "[mopse.leakage_report(table, schema) for _ in range(99)]",
    ),
    "assignment": (
        SEEDED + "costs = np.outer(np.arange(4000.0), np.arange(4000.0))\n",
        "[_mopse.attack.assign(costs) for _ in range(99)]",
    ),
    "Provider.encrypt": (PARTIES, "[encrypt() for _ in range(50)]"),
    "Provider.update": (STORED, "[hospital.update(table, id='id', cloud=cloud) for _ in range(9)]"),
    "Provider.grant": (PARTIES, "[hospital.grant(i) for _ in range(200)]"),
    "Owner.ask": (STORED, "[owner.ask(cloud, age=(0, 120)) for _ in range(50)]"),
    "passwords": ("", "[passwords.hash('a password') for _ in range(999)]"),
    "pbe_encrypt": (
        "",
        "[legacy.pbe_encrypt('a password', b'x', iterations=10_000_000) for _ in range(99)]",
    ),
    "rsa": ("", "[rsa.PrivateKey.generate(3072) for _ in range(999)]"),
    "secret_sharing": (
        "keys = [bytes([n]) * 32 for n in range(255)]\n",
        "[secret_sharing.split(bytes(1 << 20), 255, keys) for _ in range(99)]",
    ),
    "ciphers, SIV": (BUFFER.format("aes-256-gcm-siv"), "[cipher.encrypt(text) for _ in range(50)]"),
    "ciphers, GCM": (BUFFER.format("aes-256-gcm"), "[cipher.encrypt(text) for _ in range(50)]"),
    "ciphers, CBC": (BUFFER.format("aes-256-cbc"), "[cipher.encrypt(text) for _ in range(50)]"),
    "ciphers, ChaCha20": (
        BUFFER.format("xchacha20-poly1305"),
        "[cipher.encrypt(text) for _ in range(50)]",
    ),
    "files": (
        "source = open('source', 'wb')\nsource.truncate(1 << 36)\nsource.close()\n",
        "mopse.files.encrypt('source', 'target', key=bytes(32))",
    ),
    "plot": (
        "x = np.arange(1_000_000.)\nfigure = mopse.plot.Figure(x='x', y='y').dots(x, np.sin(x))\n",
        "[figure.png() for _ in range(99)]",
    ),
    "plot, a line": (
        "x = np.arange(1_000_000.)\nfigure = mopse.plot.Figure(x='x', y='y').line(x, np.sin(x))\n",
        "[figure.png() for _ in range(99)]",
    ),
    "synthetic": ("", "[mopse.datasets.synthetic(100_000_000) for _ in range(9)]"),
    "specimens": ("", "mopse.specimens.image(1 << 29, 1)"),
    "evaluate": ("", "mopse.evaluate.security.snapshots()"),
}

PROGRAM = """
import sys, time, warnings
import numpy as np, polars as pl
import mopse, mopse.plot, mopse.files, mopse.ciphers, mopse.datasets, mopse.specimens
from mopse import _mopse, passwords, rsa, secret_sharing
from mopse.ciphers import legacy
warnings.simplefilter("ignore")
{setup}
expected = mopse.Opse(bytes(32), 121).encrypt(np.arange(121))
print("ready", time.process_time(), flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("stopped", time.process_time(), flush=True)
else:
    print("done", time.process_time(), flush=True)
    raise SystemExit
opse = mopse.Opse(bytes(32), 1 << 20)
assert (mopse.Opse(bytes(32), 121).encrypt(np.arange(121)) == expected).all()
assert (opse.decrypt(opse.encrypt(np.arange(1 << 20))) == np.arange(1 << 20)).all()
{after}
print("usable", flush=True)
"""


def cpu_s(process: int) -> float | None:
    """Return how long a process kept processors busy, where the system tells."""
    try:
        told = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def reaction(folder: Path, setup: str, call: str, after: str = "") -> float:
    """Return how many seconds of all processors a call takes from an interrupt to its end.

    It is sent when the call has kept a processor busy for a while. On a busy machine the clock goes
    on while others compute, and this does not.
    """
    program = PROGRAM.format(setup=setup, call=call, after=after)
    run = [sys.executable, "-c", program]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        said, begun = process.stdout.readline().split()
        assert said == "ready"
        since = time.monotonic()
        while (cpu_s(process.pid) or 0.0) < float(begun) + 0.5 and time.monotonic() < since + 5:
            time.sleep(0.02)
        sent, at = cpu_s(process.pid), time.monotonic()
        process.send_signal(signal.SIGINT)
        said, stopped = process.stdout.readline().split()
        waited = time.monotonic() - at
        assert said == "stopped", "the call was done before it could be stopped"
        assert process.stdout.read() == "usable\n"
    assert process.returncode == 0
    return waited if sent is None else (float(stopped) - sent) / CORES


@pytest.mark.parametrize("name", CALLS)
def test_a_long_call_ends_within_a_second_of_ctrl_c(tmp_path, name):
    setup, call = CALLS[name]
    took = []
    for _ in range(TRIES):
        took.append(reaction(tmp_path, setup, call))
        left = [path.name for path in tmp_path.iterdir()]
        assert set(left) <= {"source"}
        if took[-1] < 1:
            return
    pytest.fail(f"{name} went on for {took} seconds")


def test_what_is_stopped_is_whole_or_not_there(tmp_path):
    setup = (
        "schema = mopse.Schema(age=mopse.Field(0, 120))\n"
        "owner = mopse.Owner.from_insecure_seed(schema, 1)\n"
        "hospital, cloud = owner.authorize('hospital'), mopse.Cloud()\n"
        "cloud.enroll(owner.public)\n"
        "rows = 20_000\n"
        "def table(number):\n"
        "    i = np.arange(number * rows, (number + 1) * rows)\n"
        "    return {'id': i, 'age': i % 121}\n"
        "uploads = [hospital.encrypt(table(number), id='id') for number in range(150)]\n"
    )
    after = (
        "query = owner.query(age=(0, 120))\n"
        "assert cloud.count(query) % rows == 0\n"
        "for upload in uploads:\n"
        "    cloud.receive(upload)\n"
        "assert cloud.count(query) == rows * len(uploads)\n"
    )
    call = "[cloud.receive(upload) for upload in uploads + uploads * 99]"
    assert reaction(tmp_path, setup, call, after) < 10


def seen_on_a_terminal(program: str, seconds: float) -> bytes:
    """Return what a program shows on a terminal of its own until it ends or is ended."""
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    run = [sys.executable, "-c", program]
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        shown, until = b"", time.monotonic() + seconds
        while time.monotonic() < until and b"|" not in shown:
            if select.select([control], [], [], 0.1)[0]:
                try:
                    shown += os.read(control, 4096)
                except OSError:  # the program has ended
                    break
        process.send_signal(signal.SIGKILL)
    os.close(control)
    return shown


SEARCH = "legacy.search_des_key(bytes(16), 5, bytes(8), 40)"


def test_what_lasts_shows_on_a_terminal_how_far_it_is():
    program = f"from mopse.ciphers import legacy\n{SEARCH}"
    shown = seen_on_a_terminal(program, 60)
    assert b"mopse:   0%|" in shown


def test_where_there_is_no_terminal_nothing_is_shown(tmp_path):
    program = f"from mopse.ciphers import legacy\nprint(flush=True)\n{SEARCH}"
    run = [sys.executable, "-c", program]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        time.sleep(4)
        process.send_signal(signal.SIGKILL)
        assert process.stderr.read() == b""


def test_what_no_machine_has_the_memory_for_is_refused_before_anything_is_done(monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 1 << 12)  # 4,096 pages of 4,096 bytes
    with pytest.raises(InvalidInputError, match="the array of ciphertexts would take"):
        mopse.LewiWu(bytes(32), 1 << 32).encrypt(range(100_000))
    with pytest.raises(InvalidInputError, match="the table would take"):
        mopse.datasets.synthetic(10**7)
    _checks.require_memory(1 << 24, "as much as there is")


@pytest.mark.parametrize("cells", [1 << 21, 1 << 32, 1 << 40])
def test_a_report_on_more_cells_than_there_can_be_is_refused(cells):
    with pytest.raises(InvalidInputError, match=r"cells|domain|plaintexts|values|grid points"):
        mopse.leakage_report({"x": [1, 2]}, mopse.Schema(x=mopse.Field(0, cells - 1, cell=1)))
