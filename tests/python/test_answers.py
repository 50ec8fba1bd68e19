"""Lies of a cloud, a man in the middle and dishonest parties: what is refused, and what is not.

A dishonest cloud is a cloud on a store that lies. What passes has a test that says so.
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference_messages as second
from dishonest import packed, told, unpacked
from reference_messages import FIRST
from scene import Scene
from signed_proofs import pages
from stores.dict_store import DictStore

from mopse import Cloud, Field, Owner, Query, Schema, User
from mopse.errors import (
    AnswerError,
    ChangedError,
    DamagedFileError,
    DecryptionError,
    MopseError,
    ScopeError,
    SignatureError,
)
from mopse.messages import Answer
from mopse.stores import Part

SCHEMA = Schema(age=Field(0, 99))
SEED = 31
Parts = list[Part]
Lie = Callable[[Parts, Query], Parts]


class Liar(DictStore):
    """A store that answers queries with what a lie makes of the true parts."""

    def __init__(self, kept: Any = None) -> None:
        super().__init__(kept)
        self.lie: Lie = lambda parts, query: parts

    def search(self, query: Any) -> Parts:
        """Return the lie."""
        return self.lie(super().search(query), query)


AGES = {"hospital": [41, 42, 70], "clinic": [43, 5], "hospital/ward": [44, 71]}


class Lies(Scene):
    """Three providers, in two groups, and a cloud that may lie."""

    def __init__(self, schema: Schema = SCHEMA) -> None:
        self.store = Liar()
        owner = Owner.from_insecure_seed(schema, SEED)
        super().__init__(schema, *AGES, owner=owner, cloud=Cloud(self.store))
        for path, ages in AGES.items():
            self.send(path, table(path, ages))

    def lies(self, lie: Lie) -> "Lies":
        """Have the cloud lie from now on."""
        self.store.lie = lie
        return self

    def found(self, **ranges: Any) -> list[int]:
        """Return the ages that the owner takes for true."""
        records = self.owner.ask(self.cloud, **ranges or {"age": (40, 60)})
        return sorted(records["age"].to_list()) if "age" in records.columns else []

    def refused(self, why: str, kind: type[MopseError] = AnswerError) -> None:
        """Assert that owner and user refuse the answer, also with a report."""
        query = self.owner.query(age=(40, 60))
        answer = self.cloud.search(query)
        grants = [self.owner.grant(path) for path in self.providers]
        for opener in (self.owner, User(self.schema, grants)):
            for again in (answer, Answer.from_bytes(bytes(answer))):
                with pytest.raises(kind, match=why):
                    opener.decrypt(again, query)
            if kind is AnswerError:
                with pytest.raises(kind, match=why):
                    opener.decrypt(answer, query, faults="report")


def table(path: str, ages: Sequence[int]) -> pl.DataFrame:
    """Return records of a provider, whose ids tell it."""
    ids = [f"{path} {number}" for number in range(len(ages))]
    return pl.DataFrame({"id": ids, "age": ages, "note": [f"note of {name}" for name in ids]})


@pytest.fixture
def scene() -> Lies:
    return Lies()


def test_an_honest_answer_is_taken(scene):
    assert scene.found() == [41, 42, 43, 44]


# A1: an answer answers one query, wholly


def test_the_answer_to_another_query_is_refused(scene):
    other = scene.owner.query(age=(0, 20))
    query = scene.owner.query(age=(60, 90))
    answer = scene.cloud.search(other)
    with pytest.raises(AnswerError, match="it names another one"):
        scene.owner.decrypt(answer, query)
    assert scene.owner.decrypt(answer, other)["age"].to_list() == [5]


def test_the_answer_to_the_same_question_asked_before_is_refused(scene):
    first, again = scene.owner.query(age=(40, 60)), scene.owner.query(age=(40, 60))
    with pytest.raises(AnswerError, match="it names another one"):
        scene.owner.decrypt(scene.cloud.search(first), again)


def test_parts_of_another_query_are_refused_though_they_name_this_one(scene):
    other = scene.cloud._store.search(scene.owner.query(age=(0, 20))._decoded)
    scene.lies(lambda parts, query: other).refused("a token is not answered")


def test_relabelled_parts_of_another_query_are_refused(scene):
    other = scene.cloud._store.search(scene.owner.query(age=(0, 20))._decoded)
    young = [part for part in other if len(part)]
    scene.lies(
        lambda parts, query: [
            *pages([told(part, token=query.tokens[0].id) for part in young]),
            *(part for part in parts if part.token == query.tokens[1].id),
        ]
    )
    query = scene.owner.query(age=(40, 60))
    answer = scene.cloud.search(query)
    with pytest.raises(AnswerError, match="in none of the cells that were asked for"):
        scene.owner.decrypt(answer, query)
    records, faults = scene.owner.decrypt(answer, query, faults="report")
    assert records["age"].to_list() == [44]
    assert faults["cause"].to_list() == ["the record lies in none of the cells that were asked for"]


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (lambda parts, query: parts + parts, "answers no token, or one for the second time"),
        (lambda parts, query: [p for p in parts for _ in (0, 1)], "a page is missing, or comes"),
        (lambda parts, query: parts[:-1], "not answered, or not to its end"),
        (lambda parts, query: parts[1:], "a page is missing"),
        (lambda parts, query: parts[::-1], "a token is not answered|a page is missing"),
        (lambda parts, query: [], "a token is not answered"),
        (
            lambda parts, query: [part for part in parts if part.token == query.tokens[0].id],
            "a token is not answered",
        ),
        (
            lambda parts, query: [told(part, is_last=True) for part in parts],
            "a token is not answered|answers no token",
        ),
        (
            lambda parts, query: [told(part, is_last=False) for part in parts],
            "a token is not answered",
        ),
        (
            lambda parts, query: [told(parts[0], snapshot=1), *parts[1:]],
            "several states of the cloud",
        ),
        (
            lambda parts, query: [told(part, token=query.tokens[0].id) for part in parts],
            "a token is not answered|a page is missing",
        ),
        (
            lambda parts, query: [told(part, provider="", epochs=[]) for part in parts],
            "a provider that was not asked",
        ),
        (
            lambda parts, query: [told(part, removed=[(7, 7)]) for part in parts],
            "removed records, which were not asked for",
        ),
        (
            lambda parts, query: [*parts, Part.nothing(query.owner, 5, parts[0].snapshot)],
            "answers no token",
        ),
    ],
    ids=[
        *("twice", "each twice", "without the last", "without the first", "backwards", "none"),
        *("one token of two", "ends early", "ends never", "two states", "one token for both"),
        *("of nobody", "with tombstones", "one more"),
    ],
)
def test_parts_that_are_no_whole_answer_are_refused(scene, lie, why):
    scene.lies(lie).refused(why)


def test_a_record_that_comes_twice_is_refused(scene):
    def six_times(parts: Parts, query: Query) -> Parts:
        return [told(parts[0], [0] * 6), *parts[1:]]

    def on_two_pages(parts: Parts, query: Query) -> Parts:
        of_first = [part for part in parts if part.token == query.tokens[0].id]
        return [*pages([of_first[0], *of_first]), *parts[len(of_first) :]]

    for lie in (six_times, on_two_pages):
        scene.lies(lie).refused("twice")


def test_records_in_another_order_are_refused(scene):
    def turned(parts: Parts, query: Query) -> Parts:
        return [told(part, range(len(part))[::-1]) for part in parts]

    scene.lies(turned).refused("out of order")


def test_a_token_is_neither_taken_out_of_a_query_nor_doubled_in_it(scene):
    query = scene.owner.query(age=(40, 60))
    message, first, other = bytes(query), query.tokens[0].id, query.tokens[1].id
    starts = [message.index(second.u128(number)) for number in (first, other)]
    count = starts[0] - 8
    assert message[count : starts[0]] == second.u64(2)
    tokens = [message[starts[0] : starts[1]], message[starts[1] : -64]]
    for kept in ([0], [1], [0, 0, 1], [1, 0], []):
        forged = message[:count] + second.listed([tokens[at] for at in kept]) + message[-64:]
        for ask in (scene.cloud.search, scene.cloud.count, Query):
            with pytest.raises((SignatureError, DamagedFileError)):
                ask(forged)


def test_an_answer_to_a_look_up_holds_only_what_was_asked_of_whom_was_asked(scene):
    query = scene["hospital"].lookup(["hospital 0"])
    everything = scene.cloud._store.search(scene.owner.query(age=(0, 99))._decoded)
    [hospital] = [part for part in everything if part.provider == "hospital"]
    [clinic] = [part for part in everything if part.provider == "clinic"]
    for part, why in [
        (hospital, "a record that was not asked for"),
        (clinic, "a provider that was not asked"),
    ]:
        scene.lies(lambda parts, query, part=part: pages([told(part, token=query.tokens[0].id)]))
        for decrypt in (scene["hospital"].decrypt, scene.owner.decrypt):
            with pytest.raises(AnswerError, match=why):
                decrypt(scene.cloud.search(query), query)
        with pytest.raises(AnswerError, match=why):
            scene["hospital"].delete(["hospital 0"], cloud=scene.cloud)


def test_parts_of_another_owner_are_refused(scene):
    other = Scene(SCHEMA, "hospital", seed=SEED + 1, cloud=Cloud(scene.store))
    other.send("hospital", table("hospital", [45]))
    theirs = scene.store.search(other.owner.query(age=(40, 60))._decoded)

    def lie(parts: Parts, query: Query) -> Parts:
        return [told(theirs[0], token=query.tokens[0].id), *parts[1:]]

    scene.lies(lie).refused("of another owner|a token is not answered|a page is missing|states")


# A2: reading is not writing


def forged_part(scene: Lies, part: Part, note: str) -> Part:
    """Return a part of which a holder of a grant has written the note.

    Whoever may read all of the hospital's records has this key, and seals with it as the hospital
    does; a tag of the hospital it has not.
    """
    provider = second.Party.owner(SEED, SCHEMA.digest).authorize("hospital").key
    readers = second.readers_key(provider)
    assert readers in scene.owner.grant("hospital"), "this is what the grant holds"
    key = second.portion_key(readers, "rest")
    columns: list[second.Column] = [
        ("id", "String", "text", ["hospital 0"]),
        ("age", "Int64", "int64", [41]),
        ("note", "String", "text", [note]),
    ]
    layout = second.layout_bytes(list(enumerate(columns)), "id")
    place = second.Place(("hospital",), (FIRST,))
    handle = second.handle_of(provider, "hospital 0")
    [[_, sealed_layout, rows]] = part.portions
    row = [high << 64 | low for high, low in part.handles.tolist()].index(handle)

    def context(letters: str, digest: bytes) -> bytes:
        about = second.head(letters, 2, part.owner) + bytes(place) + second.epoch_bytes(FIRST)
        about += second.u128(part.upload) + second.counted("rest") + second.counted(digest)
        return second.hashlib.sha256(about).digest()

    nonce = second.u128(part.upload)[:12]
    names = second.hashlib.sha256(second.listed([second.counted("rest")])).digest()
    assert sealed_layout == second.gcm_siv(
        second.layout_key(key), nonce, layout, context("LAY", names)
    )
    associated = context("REC", second.hashlib.sha256(layout).digest()) + second.u128(handle)
    plain = b"".join(second.cell(kind, values[0]) for _, _, kind, values in columns)
    sealed = second.gcm_siv(second.row_key(key, handle), nonce, plain, associated)
    records = unpacked(rows)
    assert sealed[:8] != records[row][:8]
    records[row] = sealed + records[row][-16:]
    return told(part, portions=[("rest", sealed_layout, packed(records))])


def with_forgery(scene: Lies) -> tuple[Query, Answer]:
    """Return a query and the answer in which somebody who may read has written."""
    query = scene.owner.query(age=(40, 60))
    [true] = [part for part in scene.store.search(query._decoded) if part.provider == "hospital"]
    forged = forged_part(scene, true, "999 mg")
    scene.lies(
        lambda parts, query: [
            told(
                forged,
                token=part.token,
                snapshot=part.snapshot,
                page=part.page,
                is_last=part.is_last,
            )
            if part.provider == "hospital"
            else part
            for part in parts
        ]
    )
    return query, scene.cloud.search(query)


def test_what_a_holder_of_a_grant_wrote_is_refused_by_whoever_holds_the_providers_keys(scene):
    query, answer = with_forgery(scene)
    with pytest.raises(DecryptionError, match=r"^provider 'hospital': .* not written by"):
        scene.owner.decrypt(answer, query)
    records, faults = scene.owner.decrypt(answer, query, faults="report")
    assert sorted(records["age"]) == [42, 43, 44]
    assert faults["cause"].to_list() == ["the record was not written by its provider"]
    own = scene["hospital"].query(age=(40, 60))
    with pytest.raises(DecryptionError, match="not written by"):
        scene["hospital"].decrypt(scene.cloud.search(own), own)


def test_what_a_holder_of_a_grant_wrote_is_taken_by_users(scene):
    """It passes: a user cannot see who wrote a record, as `mopse.User` says."""
    query, answer = with_forgery(scene)
    user = User(SCHEMA, [scene.owner.grant(path) for path in AGES])
    assert "999 mg" in user.decrypt(answer, query)["note"].to_list()


def test_what_was_forged_is_not_renewed_into_the_next_epoch(scene):
    with_forgery(scene)
    scene.owner.revoke("clinic")
    scene.enroll()
    hospital = scene.authorize("hospital")
    with pytest.raises(DecryptionError, match="not written by"):
        hospital.renew(scene.cloud)


def test_what_somebody_who_left_adds_at_a_cloud_that_ignores_it_is_marked(scene):
    """It passes, with a mark: records of epochs that were left may be old, or of who left."""
    scene.owner.revoke("clinic")  # and the cloud is not told
    scene.cloud.receive(scene["clinic"].encrypt(table("new", [47]), id="id"))
    query = scene.owner.query(age=(40, 60))
    answer = scene.cloud.search(query)
    assert sorted(scene.owner.decrypt(answer, query)["age"]) == [41, 42, 43, 44, 47]
    assert answer.left == {"hospital": 2, "clinic": 2, "hospital/ward": 1}
    scene.enroll()
    scene.authorize("hospital").renew(scene.cloud)
    query = scene.owner.query(age=(40, 60))
    answer = scene.cloud.search(query)
    scene.owner.decrypt(answer, query)
    assert answer.left == {"clinic": 2, "hospital/ward": 1}, "what is not renewed stays marked"


# A4: old versions


def corrected(scene: Lies) -> Part:
    """Have the hospital correct a record, and return the part that held the old version."""
    query = scene.owner.query(age=(41, 41))
    [old] = [part for part in scene.cloud._store.search(query._decoded) if len(part)]
    rows = table("hospital", [41]).with_columns(note=pl.lit("corrected"))
    scene.cloud.receive(scene["hospital"].update(rows, id="id", cloud=scene.cloud))
    return old


def test_an_old_version_beside_the_new_one_is_refused(scene):
    old = corrected(scene)

    def lie(parts: Parts, query: Query) -> Parts:
        of_first = [part for part in parts if part.token == query.tokens[0].id]
        back = told(old, token=query.tokens[0].id, snapshot=parts[0].snapshot)
        return [*pages([*of_first, back]), *parts[len(of_first) :]]

    scene.lies(lie).refused("a record comes twice")


def test_an_old_version_under_the_number_of_the_new_one_does_not_open(scene):
    old = corrected(scene)

    def lie(parts: Parts, query: Query) -> Parts:
        handle = old.handles.tolist()[0]
        [new] = [part for part in parts if handle in part.handles.tolist()]
        sealed = [(name, layout, packed(unpacked(rows))) for name, layout, rows in old.portions]
        back = told(new, handles=old.handles, portions=sealed)
        rest = [part for part in parts if part.token == new.token and part is not new]
        other = [part for part in parts if part.token != new.token]
        return [*pages([*rest, back]), *other]

    scene.lies(lie).refused("does not open", DecryptionError)


def test_an_old_version_in_place_of_the_new_one_passes(scene):
    """It passes: no answer proves that it is of the newest state."""
    old = corrected(scene)

    def lie(parts: Parts, query: Query) -> Parts:
        handle = old.handles.tolist()[0]
        true = [part for part in parts if handle not in part.handles.tolist()]
        back = told(old, token=query.tokens[0].id, snapshot=parts[0].snapshot)
        of_first = [part for part in true if part.token == query.tokens[0].id]
        return [*pages([*of_first, back]), *true[len(of_first) :]]

    scene.lies(lie)
    records = scene.owner.ask(scene.cloud, age=41)
    assert records["note"].to_list() == ["note of hospital 0"]


def test_a_restarted_cloud_takes_nothing_again_that_was_removed(scene):
    recorded = bytes(scene["hospital"].encrypt(table("more", [46]), id="id"))
    scene.cloud.receive(recorded)
    scene.cloud.receive(scene.owner.removal("hospital"))
    restarted = Cloud(DictStore(pickle.loads(pickle.dumps(scene.store.kept))))
    with pytest.raises(MopseError, match="used before"):
        restarted.receive(recorded)
    assert restarted.count(scene.owner.query(age=(0, 99))) == 4


def test_a_cloud_rolled_back_as_a_whole_passes(scene):
    """It passes: all is as it was once, which nothing in an answer contradicts."""
    before = Cloud(DictStore(pickle.loads(pickle.dumps(scene.store.kept))))
    corrected(scene)
    scene.cloud.receive(scene["clinic"].encrypt(table("new", [50]), id="id"))
    assert 50 in scene.found()
    assert sorted(scene.owner.ask(before, age=(40, 60))["age"]) == [41, 42, 43, 44]


# What is left out


def test_a_record_that_is_left_out_passes(scene):
    """It passes: an answer does not prove that it is complete."""
    scene.lies(
        lambda parts, query: [
            told(part, range(1, len(part))) if part.provider == "hospital" else part
            for part in parts
        ]
    )
    found = scene.found()
    assert len(found) == 3
    assert set(found) < {41, 42, 43, 44}


def test_a_provider_that_is_left_out_passes(scene):
    """It passes: an answer does not prove that it is complete."""

    def lie(parts: Parts, query: Query) -> Parts:
        first, other = (
            [part for part in parts if part.token == token.id] for token in query.tokens
        )
        return [*pages([part for part in first if part.provider != "clinic"]), *other]

    assert scene.lies(lie).found() == [41, 42, 44]


def test_an_answer_of_nothing_passes(scene):
    """It passes: an answer does not prove that it is complete."""
    scene.lies(
        lambda parts, query: [
            Part.nothing(query.owner, token.id, parts[0].snapshot) for token in query.tokens
        ]
    )
    assert scene.found() == []


def test_a_portion_that_is_left_out_of_every_record_is_refused():
    """The layout of each portion is bound to the names of all."""
    scene = Lies(Schema(age=Field(0, 99), portions={"ages": ["age"], "notes": ["note"]}))

    def without(names: set[str]) -> Lie:
        def of(part: Part) -> Part:
            kept = [portion for portion in part.portions if portion[0] not in names]
            return told(part, portions=kept) if part.provider == "hospital" else part

        return lambda parts, query: [of(part) for part in parts]

    for names in ({"ages"}, {"notes"}, {"rest"}, {"ages", "notes"}):
        scene.lies(without(names))
        for by in (scene.owner, scene["hospital"]):
            with pytest.raises(DecryptionError, match="'hospital': the layout of the records"):
                by.ask(scene.cloud, age=(40, 60))
        report = scene.owner.ask(scene.cloud, age=(40, 60), faults="report")
        assert report[1]["provider"].unique().to_list() == ["hospital"]
        assert "hospital" not in report[0]["provider"]
    scene.lies(without(set()))
    assert scene.owner.ask(scene.cloud, age=(40, 60))["note"].null_count() == 0


# A6: two copies of one keyring come to two epochs


def test_a_restored_owner_reaches_no_epoch_that_somebody_else_holds(tmp_path):
    scene = Scene(SCHEMA, "a", "b", "c")
    scene.owner.save(tmp_path / "backup", "password")
    scene.owner.revoke("a")
    scene.enroll()
    b = scene.authorize("b")  # of epoch 1
    scene.cloud.receive(b.encrypt(table("b", [41]), id="id"))

    restored = Owner.open(tmp_path / "backup", "password")
    restored.revoke("b")
    assert b._keyring.epochs == restored.authorize("c")._keyring.epochs == [1], "numbers alone"
    with pytest.raises(ChangedError, match="another announcement 2 of the owner"):
        scene.cloud.enroll(restored.public)
    c = restored.authorize("c")
    with pytest.raises(ScopeError, match="epoch"):
        scene.cloud.receive(c.encrypt(table("c", [41]), id="id"))
    handles = np.array([[1, 1]], np.uint64)
    assert b.entries("age", [41], handles) != c.entries("age", [41], handles)

    assert restored.catch_up(scene.cloud)
    assert restored.providers == ["b", "c"], "the revocation of b is undone"
    restored.revoke("b")
    scene.cloud.enroll(restored.public)
    for message in (b.encrypt(table("d", [41]), id="id"), b.attach(1, b"", name="", media_type="")):
        with pytest.raises(ScopeError, match="epoch"):
            scene.cloud.receive(message)
    for ask in (b.query(age=41), b.lookup(["b 0"])):
        with pytest.raises(ScopeError, match="epoch"):
            scene.cloud.search(ask)
    assert scene.ask(restored, age=41)["id"].to_list() == ["b 0"]
    c = restored.authorize("c")
    scene.cloud.receive(c.encrypt(table("c", [41]), id="id"))
    spans = {group for group, _ in b._keyring.spans("age")}
    assert spans == {"the group of the owner", "the group of the owner, epoch 1"}


def test_an_announcement_of_an_equal_number_and_other_contents_is_refused(tmp_path):
    scene = Scene(SCHEMA, "a", "b")
    scene.owner.save(tmp_path / "backup", "password")
    copies = [Owner.open(tmp_path / "backup", "password") for _ in range(2)]
    for copy, name in zip(copies, ["c", "d"], strict=True):
        copy.authorize(name)
    first, other = (copy.public for copy in copies)
    scene.cloud.enroll(first)
    with pytest.raises(ChangedError):
        scene.cloud.enroll(other)
    scene.cloud.enroll(first)
    assert copies[1].catch_up(scene.cloud)
    assert copies[1].providers == ["a", "b", "c"], "what it announced in vain is undone"
    copies[1].authorize("d")
    scene.cloud.enroll(copies[1].public)
    assert scene.owner.catch_up(scene.cloud)
    assert scene.owner.providers == ["a", "b", "c", "d"]


# A8: one provider's faults keep nobody from the others'


def test_sealed_nonsense_of_one_provider_is_reported_beside_the_others(scene):
    def lie(parts: Parts, query: Query) -> Parts:
        return [
            told(
                part,
                portions=[
                    (name, layout, packed([bytes(len(row)) for row in unpacked(sealed)]))
                    for name, layout, sealed in part.portions
                ],
            )
            if part.provider == "hospital"
            else part
            for part in parts
        ]

    scene.lies(lie).refused("record 0 does not open", DecryptionError)
    records, faults = scene.owner.ask(scene.cloud, age=(40, 60), faults="report")
    assert sorted(records["age"]) == [43, 44]
    assert set(faults["provider"]) == {"hospital"}
    assert faults.height == 2


def test_a_note_of_another_type_at_one_provider_is_reported_beside_the_others():
    scene = Scene(SCHEMA, "a", "b", "c")
    scene.send(["a", "b"], {"id": [1], "age": [40], "note": ["text"]})
    scene.send("c", {"id": [1], "age": [40], "note": [True]})
    records, faults = scene.owner.ask(scene.cloud, age=40, faults="report")
    assert sorted(records["provider"]) == ["a", "b"]
    assert faults["provider"].to_list() == ["c"]


# A11: grants


def test_a_forged_grant_does_not_replace_the_true_one(scene):
    true = scene.owner.grant("hospital")
    stranger = Owner.from_insecure_seed(SCHEMA, SEED + 1)
    stranger.authorize("hospital")
    theirs = stranger.grant("hospital")
    as_if = theirs[:9] + scene.owner.key + theirs[9 + 32 :]
    party = second.Party.owner(SEED, SCHEMA.digest)
    place = party.authorize("hospital").place
    party.announcements()
    sibling = party.authorize("clinic")
    sibling.key_of = lambda place: bytes(32)  # what it has not
    of_sibling = sibling.grant(place, [FIRST])
    query = scene.owner.query(age=(40, 60))
    answer = scene.cloud.search(query)
    for forged, kind in [(as_if, SignatureError), (of_sibling, ScopeError)]:
        for grants in ([forged], [true, forged], [forged, true]):
            with pytest.raises(kind):
                User(SCHEMA, grants)
    user = User(SCHEMA, [true, theirs])  # of another owner, beside it
    records, _ = user.decrypt(answer, query, faults="report")
    assert sorted(records["age"]) == [41, 42]


def test_a_grant_of_a_provider_is_signed_by_it_or_somebody_above(scene):
    query = scene.owner.query(age=(40, 60))
    answer = scene.cloud.search(query)
    grants = [
        scene.owner.grant("hospital/ward"),
        scene["hospital"].grant(provider="hospital/ward"),
        scene["hospital/ward"].grant(),
    ]
    assert len(set(grants)) == 3
    for grant in grants:
        records, _ = User(SCHEMA, [grant]).decrypt(answer, query, faults="report")
        assert records["age"].to_list() == [44]
