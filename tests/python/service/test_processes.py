"""The story, with each party a process of its own."""

import shutil
import subprocess
import sys

import pytest

pytest.importorskip("granian", reason="needs the extra server")


def test_the_parties_tell_the_story_as_processes(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    command = [sys.executable, "-m", "mopse", "parties"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stderr
    for said in (
        "The owner authorised north and south",
        "Hospital north sent 500 records",
        "Hospital south sent 500 records",
        "253 records, proven all",
        "The user read 253 records, each signed by its hospital",
        "A stranger changed one bit of the query: the query is not signed by whom it names",
        "Who does not know the certificate gets no answer",
        "Who asks without TLS gets no answer",
        "refused: SignatureError",
    ):
        assert said in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_party_that_there_is_not_is_refused(tmp_path):
    command = [sys.executable, "-m", "mopse", "parties", "--part", "nobody", "http://x", "."]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "no such party" in ended.stderr
