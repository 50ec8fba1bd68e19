"""Work in processes that another one has started, by any of the three methods."""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("forks.py")
TABLES = {"encrypts", "decrypts", "serves_tables_anew"}
"""Work that needs Polars, and with it Polars' threads."""

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="nothing forks here"
)


def run(method: str, scene: str) -> dict[str, str]:
    """Return what children said; a child that hangs says nothing, and is ended."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT), method, scene]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_forked_children_work_in_parallel_and_say_that_tables_cannot_be():
    expected = {False: "right", True: "ForkedError"}
    said = run("fork", "quiet")
    assert said == {name: expected[name in TABLES] for name in said}


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_started_anew_do_everything(method):
    assert set(run(method, "quiet").values()) == {"right"}


def test_tables_are_worked_on_where_no_thread_of_polars_was_lost():
    assert run("fork", "without tables") == {"serves_tables_anew": "right"}


def test_a_fork_amidst_the_same_work_hangs_nobody():
    said = run("fork", "busy")
    assert set(said.values()) <= {"right", "ForkedError"}
    without = {name: word for name, word in said.items() if name.split()[0] not in TABLES}
    alone = ("merges", "encrypts_lewi_wu", "serves_anew")
    assert {without[f"{name} {turn}"] for name in alone for turn in range(3)} == {"right"}


def test_children_of_children_work_too_beyond_the_last_pool():
    assert run("fork", "generations") == {"generations": ["right"] * 21}
