"""Run by `test_fork`: work in a process, in one started from it, and compare.

    python forks.py METHOD SCENE

Prints a line of JSON: for each piece of work what the child process said, ``right`` or the name of
an error.
"""

import json
import multiprocessing
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import mopse
from mopse import Cloud, Field, LewiWu, Opse, Owner, Schema
from mopse.errors import ForkedError

PATIENCE_S = 60
"""After which a child that says nothing is taken for one that never will."""

KEY = bytes(range(32))
SCHEMA = Schema(age=Field(0, 120))
ROWS = 20_000


def table() -> dict[str, Any]:
    ids = np.arange(ROWS)
    return {"id": ids, "age": ids % 121}


class Scene:
    """What a parent makes and its children use; made anew where it cannot come along."""

    def __init__(self) -> None:
        self.owner = Owner.from_insecure_seed(SCHEMA, 1)
        self.hospital = self.owner.authorize("hospital")
        self.cloud = Cloud()
        self.cloud.enroll(self.owner.public)
        self.opse = Opse(KEY, 1 << 16)
        self.lewi_wu = LewiWu(KEY, 1 << 8)

    def send(self) -> None:
        """Let the hospital upload its table."""
        self.hospital.catch_up(self.cloud)
        self.cloud.receive(self.hospital.encrypt(table(), id="id"))


def merges(_: Scene) -> bool:
    runs = [np.arange(start, 400_000, 8) for start in range(8)]
    order = mopse.merge(runs)
    return bool((np.concatenate(runs)[order] == np.arange(400_000)).all())


def encrypts_opse(scene: Scene) -> bool:
    plaintexts = np.arange(1 << 16)
    ciphertexts = scene.opse.encrypt(plaintexts)
    return bool((np.diff(ciphertexts) > 0).all())


def decrypts_opse(scene: Scene) -> bool:
    plaintexts = np.arange(1 << 12)
    return bool((scene.opse.decrypt(scene.opse.encrypt(plaintexts)) == plaintexts).all())


def encrypts_lewi_wu(scene: Scene) -> bool:
    plaintexts = np.arange(1 << 8)
    ciphertexts = scene.lewi_wu.encrypt(plaintexts)
    return bool((scene.lewi_wu.decrypt(ciphertexts) == plaintexts).all())


def encrypts(scene: Scene) -> bool:
    upload = scene.hospital.encrypt(table(), id="id")
    return len(bytes(upload)) > ROWS


def searches(scene: Scene) -> bool:
    query = scene.owner.query(age=(40, 60))
    expected = int(((np.arange(ROWS) % 121 >= 40) & (np.arange(ROWS) % 121 <= 60)).sum())
    found = scene.cloud.count(query)
    return found == expected and len(scene.cloud.search(query)) == expected


def decrypts(scene: Scene) -> bool:
    query = scene.owner.query(age=(60, 60))
    records = scene.owner.decrypt(scene.cloud.search(query), query)
    return sorted(records["id"].to_list()) == [row for row in range(ROWS) if row % 121 == 60]


def authorizes(scene: Scene) -> bool:
    return scene.owner.authorize("clinic").path == "clinic"


def serves_anew(_: Scene) -> bool:
    scene = Scene()
    scene.hospital.catch_up(scene.cloud)
    return scene.cloud.count(scene.owner.query(age=(0, 120))) == 0


def serves_tables_anew(_: Scene) -> bool:
    scene = Scene()
    scene.send()
    return encrypts(scene) and searches(scene) and decrypts(scene)


WORK: dict[str, Callable[[Scene], bool]] = {
    work.__name__: work
    for work in (
        *(merges, encrypts_opse, decrypts_opse, encrypts_lewi_wu, encrypts, searches, decrypts),
        *(authorizes, serves_anew, serves_tables_anew),
    )
}

made: Scene | None = None
"""What a forked child finds; a spawned one makes its own."""


def told(name: str, line: Any) -> None:
    """Do some work in a child and say how it went."""
    scene = made
    if scene is None:
        scene = Scene()
        scene.send()
    try:
        said = "right" if WORK[name](scene) else "wrong"
    except ForkedError:
        said = "ForkedError"
    line.send(said)


def said(context: Any, name: str) -> str:
    """Return what a child says of some work."""
    ours, theirs = context.Pipe()
    child = context.Process(target=told, args=(name, theirs))
    child.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(PATIENCE_S) else "nothing"
    except EOFError:
        answer = "died"
    if answer == "nothing":
        child.kill()
    child.join()
    return answer


def generations(left: int) -> list[str]:
    """Return what each of so many processes says, every one forked by the one before."""
    here = "right" if merges(Scene()) else "wrong"
    if not left:
        return [here]
    ours, theirs = multiprocessing.get_context("fork").Pipe()

    def below() -> None:
        theirs.send(generations(left - 1))

    child = multiprocessing.get_context("fork").Process(target=below)
    child.start()
    theirs.close()
    try:
        more = ours.recv() if ours.poll(PATIENCE_S) else ["nothing"]
    except EOFError:
        more = ["died"]
    if more == ["nothing"]:
        child.kill()
    child.join()
    return [here, *more]


def main(method: str, kind: str) -> dict[str, Any]:
    global made
    context = multiprocessing.get_context(method)
    if kind == "generations":
        return {"generations": generations(20)}
    made = Scene()
    if kind == "without tables":
        assert all(WORK[name](made) for name in ("merges", "encrypts_opse", "encrypts_lewi_wu"))
        return {"serves_tables_anew": said(context, "serves_tables_anew")}
    made.send()
    assert all(work(made) for work in WORK.values())
    if kind == "quiet":
        return {name: said(context, name) for name in WORK}
    # While other threads are in the middle of the same work, with the same objects.
    scene, is_over = made, threading.Event()

    def keep_busy(name: str) -> None:
        while not is_over.is_set():
            WORK[name](scene)

    busy = ["merges", "encrypts_opse", "searches", "encrypts", "authorizes"]
    threads = [threading.Thread(target=keep_busy, args=(name,)) for name in busy]
    for thread in threads:
        thread.start()
    try:
        return {f"{name} {turn}": said(context, name) for turn in range(3) for name in WORK}
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
