"""No call holds the interpreter while it waits or works: other threads go on meanwhile."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scene import Scene

from mopse import Cloud, Field, Opse, Schema

SCHEMA = Schema(age=Field(0, 120))
ROWS = 200_000


def table(start: int, rows: int) -> dict[str, Any]:
    ids = np.arange(start, start + rows)
    return {"id": ids, "age": ids % 121}


@pytest.fixture(scope="module")
def busy() -> Scene:
    """Return a cloud with many records, of which a query for all takes long."""
    scene = Scene(SCHEMA, "hospital")
    scene.send("hospital", table(0, ROWS))
    return scene


def during(long: Callable[[], Any], short: Callable[[], Any]) -> int:
    """Return how often a short call is done while a long one is under way, at most 50 times."""
    is_over, is_under_way, done = threading.Event(), threading.Event(), 0

    def work() -> None:
        is_under_way.set()
        long()
        is_over.set()

    thread = threading.Thread(target=work)
    thread.start()
    is_under_way.wait()
    while not is_over.is_set() and done < 50:
        short()
        done += not is_over.is_set()
    thread.join()
    return done


def long_calls(scene: Scene) -> dict[str, Callable[[], Any]]:
    query = scene.owner.query(age=(0, 120))
    opse = Opse(bytes(32), 1 << 22)
    plaintexts = np.arange(1 << 21)
    answer = scene.cloud.search(query)
    return {
        "search": lambda: scene.cloud.search(query),
        "encode": lambda: bytes(answer),
        "opse": lambda: opse.encrypt(plaintexts),
    }


@pytest.mark.parametrize("long", ["search", "encode", "opse"])
def test_another_cloud_answers_while_a_long_call_works(busy, long):
    other = Scene(SCHEMA, "clinic")
    other.send("clinic", table(0, 10))
    query = other.owner.query(age=(0, 120))
    work = long_calls(busy)[long]
    assert during(work, lambda: other.cloud.count(query)) > 1
    assert during(work, lambda: repr(other.cloud)) > 1
    assert during(work, lambda: other.owner.providers) > 1


def test_the_repr_of_a_cloud_that_is_busy_lets_the_others_go_on(busy):
    """While one thread waits for a busy cloud to tell what it holds, a third is not stopped."""
    query = busy.owner.query(age=(0, 120))
    waiting = threading.Thread(target=lambda: [repr(busy.cloud) for _ in range(5)])

    def long() -> None:
        waiting.start()
        for _ in range(5):
            busy.cloud.search(query)

    empty = Cloud()
    assert during(long, lambda: repr(empty)) == 50
    waiting.join()
