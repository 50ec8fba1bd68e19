"""Stores that keep seals prove what they answer, to the byte as the store in memory does."""

import contextlib
import random
import time
from typing import Any

import polars as pl
import pytest
from scene import Scene
from stores.dict_store import DictStore
from stores.test_contract import duckdb_store, postgres_store, reopened

from mopse import Cloud, Field, Owner, Schema, User
from mopse._mopse.cloud import Gate
from mopse.errors import (
    ChangedError,
    InvalidInputError,
    MopseError,
    NoSealsError,
    ProofError,
)
from mopse.stores import MemoryStore

SCHEMA = Schema(
    age=Field(0, 99, proof=True),
    sbp=Field(60, 260, cell=4, proof=True),
    bmi=Field(10, 60),
    portions={"vital": ["sbp", "bmi"]},
)
PATHS = "hospital", "clinic", "hospital/ward"
KEEPING = [duckdb_store, postgres_store]
MOST = 1 << 28


def table(ids: Any, ages: Any) -> pl.DataFrame:
    """Return records; `sbp` is a hundred more than the age, and null in each fifth."""
    made = pl.DataFrame({"id": list(ids), "age": list(ages)})
    sbp = pl.when(pl.col("id") % 5 > 0).then(pl.col("age").cast(pl.Int64) + 100)
    return made.with_columns(sbp=sbp, bmi=pl.lit(20))


class Told:
    """Stores that are told the same, and must answer the same."""

    def __init__(self, *stores: Any) -> None:
        self.stores = list(stores)
        self.now = int(time.time())

    def each(self, call: Any) -> Any:
        """Return what all stores answer to a call of their gate, or raise what all do."""
        said = []
        for store in self.stores:
            try:
                said.append(call(Gate(store, MOST)))
            except MopseError as error:
                said.append((type(error), str(error)))
        first, *others = said
        for store, other in zip(self.stores[1:], others, strict=True):
            assert other == first, f"{store!r} answers as the store in memory"
        return first

    def receive(self, message: Any) -> Any:
        """Have all stores take a message, or refuse it."""
        return self.each(lambda gate: gate.receive(bytes(message), self.now))

    def search(self, query: Any, *how: Any) -> Any:
        """Return the parts and the proof that all stores answer with."""

        def call(gate: Gate) -> Any:
            _, parts, proof = gate.search(bytes(query), self.now, None, True, *how)
            return [part.encode() for part in parts], proof.encode()

        return self.each(call)

    def count(self, query: Any) -> Any:
        """Return the proof of a count that all stores answer with."""
        return self.each(lambda of: of.count_proven(bytes(query), self.now, None, False).encode())

    def find(self, request: Any) -> Any:
        """Return the proven list of files that all stores answer with."""
        return self.each(lambda gate: gate.find(bytes(request), self.now, True).encode())

    def reopen(self) -> None:
        """Have the stores that last end and begin again."""
        self.stores = [self.stores[0], *(reopened(store) for store in self.stores[1:])]


class History:
    """What happens to a few providers, as told to all stores and to a cloud for the parties."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.told = Told(MemoryStore(), *(make() for make in KEEPING))
        self.scene = Scene(SCHEMA, *PATHS, seed=seed)
        self.enroll()
        self.ids = dict.fromkeys(PATHS, 0)

    def enroll(self) -> None:
        """Tell all of the owner as it is now."""
        self.scene.enroll()
        public = bytes(self.scene.owner.public)
        self.told.each(lambda gate: gate.enroll(public))

    def send(self, message: Any) -> None:
        """Have all take a message."""
        self.told.receive(message)
        self.scene.cloud.receive(message)

    def step(self) -> None:
        """Have one thing happen."""
        path = self.random.choice(PATHS)
        provider, cloud = self.scene[path], self.scene.cloud
        match self.random.choices(
            ["add", "update", "delete", "seal", "attach", "removal", "operator", "renew"],
            [4, 3, 2, 4, 3, 0.4, 0.2, 0.4],
        )[0]:
            case "add":
                first, count = self.ids[path], self.random.randint(1, 5)
                self.ids[path] = first + count
                ages = [self.random.randint(0, 99) for _ in range(count)]
                self.send(provider.encrypt(table(range(first, first + count), ages), id="id"))
            case "update" | "delete" as what:
                query = provider.query(age=(0, 99))
                found = provider.decrypt(cloud.search(query), query)
                mine = found.filter(pl.col("provider") == path) if found.height else found
                there = sorted(mine["id"]) if mine.height else []
                ids = sorted(self.random.sample(there, min(2, len(there))))
                ages = [self.random.randint(0, 99) for _ in ids]
                if ids and what == "update":
                    self.send(provider.update(table(ids, ages), id="id", cloud=cloud))
                elif ids:
                    self.send(provider.delete(ids, cloud=cloud))
            case "seal":
                self.send(provider.seal(cloud=cloud))
            case "attach":
                words = self.random.sample(["x-ray", "chest", "skull"], 2)
                about = {"name": "n", "media_type": "a/b", "keywords": words}
                self.send(provider.attach(self.random.randint(0, 3), b"body", **about))
            case "removal":
                self.send(self.scene.owner.removal(path))
            case "operator":
                self.told.each(lambda gate: gate.remove(path, None))
                with contextlib.suppress(InvalidInputError):  # if there was nothing
                    cloud.remove(path)
            case "renew":
                self.scene.owner.revoke("clinic")
                for each in PATHS:
                    self.scene.authorize(each)
                self.enroll()
                for each in PATHS:
                    self.scene[each].catch_up(cloud)

    def ask(self) -> int:
        """Ask all of everything; return how many bytes of proofs came."""
        owner, low = self.scene.owner, self.random.randint(0, 60)
        size = 0
        queries = [
            owner.query(age=(low, low + 30), proof=True),
            owner.query(age=(low, low + 30), sbp=(100, 180), proof=True),
            owner.query(sbp=(120, 150), proof=True),
        ]
        since = self.random.choice([None, 3])
        for query in queries:
            for how in ((since, False, False), (None, True, False), (since, False, True)):
                size += len(self.told.search(query, *how)[1])
            size += len(self.told.count(query))
        for path in PATHS:
            provider = self.scene[path]
            self.told.search(provider.query(age=(low, 99), bmi=(10, 30)), None, True, False)
        for words in ("x-ray", "chest skull"):
            size += len(self.told.find(owner.find(*words.split(), proof=True)))
        return size


@pytest.mark.parametrize("seed", range(4))
def test_proofs_of_a_random_history_are_those_of_the_store_in_memory(seed):
    history = History(seed)
    size = 0
    for number in range(60):
        history.step()
        if number % 6 == 5:
            size += history.ask()
        if number % 20 == 19:
            history.told.reopen()
        if number % 20 == 9:
            for store in history.told.stores[1:]:
                store.compact()
                assert store.check() == []
    assert size > 50_000
    for store in history.told.stores[1:]:
        assert store.check() == []
        store.close()


def sealed(*stores: Any) -> Scene:
    """Return a scene of two providers that have sealed twenty records and three files each."""
    clouds = [Cloud(store) for store in stores]
    scene = Scene(SCHEMA, "hospital", "clinic", seed=7, cloud=clouds[0])
    for path in ("hospital", "clinic"):
        messages: list[Any] = [scene[path].encrypt(table(range(20), range(20, 40)), id="id")]
        for record in range(3):
            about = {"name": "n", "media_type": "a/b", "keywords": ["x-ray", path]}
            messages.append(scene[path].attach(record, b"body", **about))
        messages.append(scene[path].seal())
        for cloud in clouds:
            cloud.enroll(scene.owner.public)
            for message in messages:
                cloud.receive(message)
    return scene


@pytest.mark.parametrize("make", KEEPING)
def test_answers_and_lists_are_proven_to_all_parties_after_a_restart(make):
    store = make()
    scene = sealed(store)
    hospital = scene["hospital"]
    late = hospital.update(table([0, 1], [25, 26]), id="id", cloud=scene.cloud)
    scene.cloud.receive(late)
    scene.cloud.receive(hospital.delete([2], cloud=scene.cloud))
    kept = reopened(store)
    scene.cloud = Cloud(kept)
    found = scene.owner.ask(scene.cloud, age=(22, 26), sbp=(100, 126), proof=True)
    expected = [n for n in range(2, 7) if n % 5] * 2  # of each provider
    expected.remove(2)  # which was deleted
    expected += [1]  # and updated to 26; 0 has no sbp
    assert sorted(found["id"]) == sorted(expected)
    assert scene.owner.count(scene.cloud, age=(22, 26), proof=True) == 11
    user = User(SCHEMA, [scene.owner.grant(path) for path in scene.providers])
    query = scene.owner.query(age=(30, 39))
    answer = scene.cloud.search(query, proof="signatures")
    assert user.decrypt(answer, query, proof=True).height == 20
    request = scene.owner.find("x-ray", proof=True)
    listing = scene.owner.files(scene.cloud.find(request, proof=True), request, proof=True)
    assert listing.height == 6
    kept.close()


@pytest.mark.parametrize("make", KEEPING)
def test_a_store_that_comes_back_from_a_copy_is_found_out(make):
    store, old = make(), make()
    scene = sealed(store, old)
    scene.cloud.receive(scene["hospital"].delete([4], cloud=scene.cloud))
    scene.cloud.receive(scene["hospital"].seal())
    assert scene.owner.ask(scene.cloud, age=24, proof=True)["id"].to_list() == [4]
    with pytest.raises(ProofError, match="it shows seal 1, and 2 was seen before") as error:
        scene.owner.ask(Cloud(old), age=24, proof=True)
    assert error.value.providers == ("hospital",)
    with pytest.raises(ChangedError, match="number 3"):
        Cloud(old).receive(scene["hospital"].seal())
    for kept in (store, old):
        kept.close()


@pytest.mark.parametrize("make", KEEPING)
def test_an_answer_in_pages_goes_on_whatever_is_sent_meanwhile(make):
    store = make()
    scene = sealed(store)
    cloud = Cloud(store, answer_bytes=2_000)
    query = scene.owner.query(age=(0, 99), proof=True)
    answer, pages = cloud.search(query, proof=True), 1
    scene.cloud.receive(scene["hospital"].delete([3], cloud=scene.cloud))
    while answer.goes_on(query):
        answer += cloud.search(query, after=answer, proof=True)
        pages += 1
    assert pages > 2
    found = scene.owner.decrypt(answer, query, proof=True)
    assert sorted(found["id"]) == sorted([*range(20)] * 2)
    store.close()


def test_a_store_that_keeps_no_seals_says_so():
    schema = Schema(age=Field(0, 120, proof=True))
    scene = Scene(schema, "hospital", "clinic", cloud=Cloud(DictStore()))
    scene.send("hospital", pl.DataFrame({"id": [1, 2], "age": [30, 40]}))
    with pytest.raises(NoSealsError, match="keeps no seals"):
        scene.cloud.receive(scene["hospital"].seal())
    with pytest.raises(NoSealsError, match="keeps no seals"):
        scene.owner.ask(scene.cloud, age=30, proof=True)
    assert scene.owner.ask(scene.cloud, age=30).height == 1
    scene.owner.revoke("clinic")
    scene.enroll()
    assert scene.authorize("hospital").renew(scene.cloud) == 2


@pytest.mark.parametrize("make", KEEPING)
def test_a_seal_is_taken_once_and_refused_where_it_is_not_next(make):
    store = make()
    scene = sealed(store)
    hospital = scene["hospital"]
    again = Owner.from_insecure_seed(SCHEMA, 7).authorize("hospital")
    before = store.contents, store.totals
    with pytest.raises(ChangedError):
        scene.cloud.receive(again.seal())
    second = hospital.seal()
    assert not scene.cloud.receive(second).repeated
    assert scene.cloud.receive(second).repeated
    hospital.encrypt(table([50], [50]), id="id")  # which never comes
    with pytest.raises(ChangedError, match="of 21 rows that are not the 20 stored"):
        scene.cloud.receive(hospital.seal())
    assert (store.contents, store.totals) == before
    store.close()
