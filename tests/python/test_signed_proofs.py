"""Proofs by signatures: every lie of a dishonest cloud, and honest answers of many histories.

The cloud lies through the public API, with an encoder of proofs and trees of its own. Its lies go
to a user with grants, and to the owner.
"""

import datetime
import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
import pytest
import reference_messages as second
from reference_messages import FIRST
from scene import Scene
from signed_proofs import (
    DROPPED,
    GONE,
    Dishonest,
    Entry,
    Lie,
    Neighbour,
    Proof,
    Stretch,
    as_handles,
    entries_of,
    handles_of,
    lied,
    packed,
    stretch_of,
    told,
    unpacked,
)

from mopse import Cloud, Field, Owner, Provider, Query, Schema, User
from mopse._mopse import message
from mopse.errors import (
    AnswerError,
    DamagedFileError,
    InvalidInputError,
    MopseError,
    ProofError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)
from mopse.messages import Answer
from mopse.stores import Part

SCHEMA = Schema(age=Field(0, 99, proof=True), sbp=Field(60, 260), weight=Field(0, 300))
SEED = 43
AGES = {"hospital": [10, 41, 42, 43, 70], "clinic": [5, 44, 55, 90], "hospital/ward": [47, 71]}
LATER = {"hospital": [45, 80]}
BOUNDS = {"age": (40, 60)}
BOTH = {"age": (40, 60), "sbp": (100, 120)}


def table(path: str, ages: Iterable[int], first: int = 0) -> pl.DataFrame:
    """Return records of a provider: the blood pressure is 100 more than the number."""
    numbered = [*enumerate(ages, first)]
    return pl.DataFrame(
        {
            "id": [f"{path} {number}" for number, _ in numbered],
            "age": [age for _, age in numbered],
            "sbp": [100 + number for number, _ in numbered],
            "weight": [70] * len(numbered),
            "note": ["true"] * len(numbered),
        }
    )


class Story(Scene):
    """Three providers in two groups, sealed; after that the hospital removes a record."""

    def __init__(self, cloud: Cloud | None = None) -> None:
        owner = Owner.from_insecure_seed(SCHEMA, SEED)
        super().__init__(SCHEMA, *AGES, owner=owner, cloud=cloud)
        for path, ages in AGES.items():
            self.send(path, table(path, ages))
        for path, ages in LATER.items():
            self.send(path, table(path, ages, len(AGES[path])))
        self.seal()
        self["hospital"].catch_up(self.cloud)
        self.cloud.receive(self["hospital"].delete(["hospital 3"], cloud=self.cloud))
        self.owner.catch_up(self.cloud)
        self.liar = Dishonest(self.cloud)
        self.asked: Query | None = None
        self.keys = {}
        for path in AGES:
            self.keys[path] = second.Party.owner(SEED, SCHEMA.digest).authorize(path).key

    def seal(self, *paths: str) -> None:
        """Have providers seal what they have, all of them if none is named."""
        for path in paths or self.providers:
            self.cloud.receive(self[path].seal())

    def user(self) -> User:
        """Return a user who has seen nothing, and may read everything."""
        return User(SCHEMA, [self.owner.grant(path) for path in AGES])

    def proven(self, **bounds: Any) -> tuple[Query, Answer]:
        """Return a query and its true answer."""
        query = self.owner.query(**bounds or BOUNDS)
        return query, self.cloud.search(query, proof="signatures")

    def handle(self, record: str) -> int:
        """Return the pseudonym of a record."""
        return second.handle_of(self.keys[record.rpartition(" ")[0]], record)

    def tree(self, path: str, field: str = "age") -> list[Neighbour]:
        """Return all entries that a provider sealed, as a cloud knows them."""
        _, answer = self.proven(**{field: (None, None)})
        return entries_of(answer, path.count("/"))[path.rpartition("/")[2]]

    def told(self, lie: Lie | None, bounds: dict, *, proof: Any, asker: Any = None) -> Any:
        """Return what somebody is told with a lie, in a report."""
        self.liar.lie = lie
        asker = asker or self.user()
        if isinstance(asker, User):
            query = self.owner.query(**bounds)
            return asker.ask(self.liar, query, proof=proof, faults="report")
        return asker.ask(self.liar, proof=proof, faults="report", **bounds)


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


def rows(records: pl.DataFrame) -> set[tuple[str, str, int, str]]:
    """Return who has which record, with its age and note."""
    if records.is_empty():
        return set()
    return set(records.select("provider", "id", "age", "note").rows())


# What a cloud lies with

Maker = Callable[[Story], Lie]


def together(*makers: Maker) -> Maker:
    """Return several lies as one."""

    def make(story: Story) -> Lie:
        lies = [maker(story) for maker in makers]

        def lie(parts: list[Part], proof: Proof) -> list[Part]:
            for one in lies:
                parts = one(parts, proof) or parts
            return parts

        return lie

    return make


def hidden(*records: str) -> Maker:
    """Leave records out of the answer."""

    def make(story: Story) -> Lie:
        handles = {story.handle(record) for record in records}

        def lie(parts: list[Part], proof: Proof) -> list[Part]:
            kept = []
            for part in parts:
                held = handles_of(part)
                kept.append(told(part, [at for at, of in enumerate(held) if of not in handles]))
            return kept

        return lie

    return make


def changed(path: str, change: Callable[[Story, Stretch, list[Neighbour]], Any]) -> Maker:
    """Change what is shown of a provider's entries of age, with its tree at hand."""

    def make(story: Story) -> Lie:
        tree = story.tree(path)
        name = path.rpartition("/")[2]

        def lie(parts: list[Part], proof: Proof) -> None:
            for token in proof.tokens[path.count("/") :][:1]:
                for at, stretch in enumerate(token.ranges[0]):
                    if stretch.provider == name:
                        token.ranges[0][at] = change(story, stretch, tree) or stretch

        return lie

    return make


def as_before(stretch: Stretch, other: Stretch) -> Stretch:
    """Return a stretch of a tree, with entries called what they were called in another one."""
    called = {entry.handle: entry for entry in stretch.entries}
    other.entries = [called.get(entry.handle, entry) for entry in other.entries]
    return other


def moved(path: str, first: int, last: int) -> Maker:
    """Show so many entries less at both ends, with the neighbours and path of these."""

    def change(story: Story, stretch: Stretch, tree: list[Neighbour]) -> Stretch:
        end = stretch.start + len(stretch.entries)
        other = stretch_of(stretch.provider, tree, stretch.start + first, end - last)
        return as_before(stretch, other)

    return changed(path, change)


def unlisted(record: str, *, is_made_anew: bool) -> Maker:
    """Leave an entry out, with the true path or as a tree without it."""
    path = record.rpartition(" ")[0]

    def change(story: Story, stretch: Stretch, tree: list[Neighbour]) -> Stretch | None:
        handle = story.handle(record)
        if not is_made_anew:
            stretch.entries = [of for of in stretch.entries if of.handle != handle]
            return None
        fewer = [of for of in tree if of.handle != handle]
        end = stretch.start + len(stretch.entries) - 1
        return as_before(stretch, stretch_of(stretch.provider, fewer, stretch.start, end))

    return changed(path, change)


def called(record: str, kind: int, by: int | None = None) -> Maker:
    """Call a record dropped, or removed by the evidence that there is for another one."""
    path = record.rpartition(" ")[0]

    def change(story: Story, stretch: Stretch, tree: list[Neighbour]) -> None:
        [true] = [of for of in tree if of.handle == story.handle(record)]
        place = next((of for of in stretch.entries if of.kind == GONE), Entry(0, 0))
        for at, entry in enumerate(stretch.entries):
            if entry.handle == true.handle:
                stretch.entries[at] = Entry(
                    entry.ciphertext,
                    entry.handle,
                    kind,
                    true.upload,
                    true.digest,
                    place.by if by is None else by,
                    place.at,
                )

    return changed(path, change)


def edited(provider: str, /, **changes: Any) -> Maker:
    """Change fields of what is shown of a provider."""

    def change(story: Story, stretch: Stretch, tree: list[Neighbour]) -> None:
        for name, value in changes.items():
            setattr(stretch, name, value(stretch, tree) if callable(value) else value)

    return changed(provider, change)


def ended(path: str, end: int, *, is_at_left: bool) -> Maker:
    """Show a stretch without its neighbour at one end, with the path that this takes."""

    def change(story: Story, stretch: Stretch, tree: list[Neighbour]) -> Stretch:
        start, last = stretch.start, stretch.start + len(stretch.entries)
        whole = stretch_of(stretch.provider, tree, start, last)
        if is_at_left:
            edge = stretch_of(stretch.provider, tree, start + 1, last)
            whole.left, whole.path, whole.start = None, edge.path, end if end >= 0 else start
        else:
            edge = stretch_of(stretch.provider, tree, start, last - 1)
            whole.right, whole.path = None, edge.path
        return as_before(stretch, whole)

    return changed(path, change)


def gone_from(path: str, *, heads: bool = False) -> Maker:
    """Leave a provider out: its records, its entries, and its seal."""
    name = path.rpartition("/")[2]

    def lie(parts: list[Part], proof: Proof) -> list[Part]:
        for token in proof.tokens:
            token.ranges = [[of for of in shown if of.provider != name] for shown in token.ranges]
        if heads:
            proof.heads = [of for of in proof.heads if place_of(of) != path]
        kept = [part for part in parts if part.provider != path]
        missing = {part.token for part in parts} - {part.token for part in kept}
        for number in missing:
            kept.append(Part.nothing(parts[0].owner, number, parts[0].snapshot))
        return kept

    return lambda story: lie


def place_of(seal: bytes) -> str:
    """Return whose seal it is."""
    at, names = 9 + 32, []
    count = int.from_bytes(seal[at : at + 8], "little")
    at += 8
    for _ in range(count):
        size = int.from_bytes(seal[at : at + 8], "little")
        names.append(seal[at + 8 : at + 8 + size].decode())
        at += 8 + size + 4
        at += 1 + (16 if seal[at] else 0)
    return "/".join(names)


NO_ROW = Entry(0, 1)


def doubled(stretch: Stretch, tree: list[Neighbour]) -> list[Entry]:
    return [stretch.entries[0], *stretch.entries]


H = "hospital"
LIES: dict[str, tuple[Maker, set[str]]] = {
    "a record is missing": (hidden("hospital 1"), {H}),
    "a record and its entry": (
        together(hidden("hospital 1"), unlisted("hospital 1", is_made_anew=False)),
        {H},
    ),
    "a record and its entry, in a tree without it": (
        together(hidden("hospital 1"), unlisted("hospital 1", is_made_anew=True)),
        {H},
    ),
    "a record that is called dropped": (
        together(hidden("hospital 1"), called("hospital 1", DROPPED)),
        {H},
    ),
    "a record that is called removed by another one's removal": (
        together(hidden("hospital 1"), called("hospital 1", GONE)),
        {H},
    ),
    "a record that is called removed by nothing": (
        together(hidden("hospital 1"), called("hospital 1", GONE, 99)),
        {H},
    ),
    "a removal that another provider made": (
        together(hidden("clinic 1"), called("clinic 1", GONE, 0)),
        {"clinic"},
    ),
    "a neighbour within the bounds at the left": (
        together(hidden("hospital 1"), moved("hospital", 1, 0)),
        {H},
    ),
    "a neighbour within the bounds at the right": (
        together(hidden("hospital 5"), moved("hospital", 0, 1)),
        {H},
    ),
    "neighbours that are not adjacent": (
        together(hidden("hospital 1", "hospital 2", "hospital 5"), edited("hospital", entries=[])),
        {H},
    ),
    "all is before the first entry": (
        together(
            hidden("hospital 1", "hospital 2", "hospital 5"),
            edited("hospital", entries=[], left=None, start=0),
        ),
        {H},
    ),
    "all is after the last entry": (
        together(
            hidden("hospital 1", "hospital 2", "hospital 5"),
            edited("hospital", entries=[], right=None, start=6),
        ),
        {H},
    ),
    "there are no entries": (
        together(
            hidden("hospital 1", "hospital 2", "hospital 5"),
            edited("hospital", entries=[], left=None, right=None, start=0, path=[]),
        ),
        {H},
    ),
    "an upload": (hidden("hospital 5", "hospital 6"), {H}),
    "an upload and its entry": (
        together(hidden("hospital 5"), unlisted("hospital 5", is_made_anew=True)),
        {H},
    ),
    "a provider": (gone_from("hospital"), {H}),
    "a provider and its seal": (gone_from("clinic", heads=True), {"clinic"}),
    "the only member of a group": (gone_from("hospital/ward"), {"hospital/ward"}),
    "the only member of a group and its seal": (
        gone_from("hospital/ward", heads=True),
        {"hospital/ward"},
    ),
    "a record of each of two": (hidden("hospital 2", "clinic 2"), {H, "clinic"}),
}
"""What a cloud leaves out, how it hides that, and who is named: without a proof all pass."""

FALSE: dict[str, tuple[Maker, set[str]]] = {
    "an entry twice": (edited("hospital", entries=doubled), {H}),
    "entries in another order": (
        edited("hospital", entries=lambda of, tree: of.entries[::-1]),
        {H},
    ),
    "an entry of no row": (
        edited("hospital", entries=lambda of, tree: [*of.entries, NO_ROW]),
        {H},
    ),
    "no left neighbour": (edited("hospital", left=None), {H}),
    "no left neighbour, with the path of that": (ended("hospital", -1, is_at_left=True), {H}),
    "no left neighbour, and at the start": (ended("hospital", 0, is_at_left=True), {H}),
    "no right neighbour": (edited("hospital", right=None), {H}),
    "no right neighbour, with the path of that": (ended("hospital", 0, is_at_left=False), {H}),
    "another left neighbour": (edited("hospital", left=lambda of, tree: tree[-1]), {H}),
    "the right neighbour is the left one": (edited("hospital", right=lambda of, _: of.left), {H}),
    "a right neighbour that is a later one": (edited("hospital", right=lambda _, of: of[-1]), {H}),
    "a step to the right": (edited("hospital", start=lambda of, tree: of.start + 1), {H}),
    "a step to the left": (edited("hospital", start=lambda of, tree: of.start - 1), {H}),
    "very far to the right": (edited("hospital", start=2**64 - 1), {H}),
    "no path": (edited("hospital", path=[]), {H}),
    "a longer path": (edited("hospital", path=lambda of, tree: [*of.path, bytes(32)]), {H}),
    "a path of other digests": (
        edited("hospital", path=lambda of, tree: [of.path[0][::-1], *of.path[1:]]),
        {H},
    ),
    "less than is there": (moved("hospital", -1, 0), {H}),
    "more than is there": (moved("hospital", 0, -1), {H}),
    "the entries of another provider": (edited("clinic", provider="hospital"), {H, "clinic"}),
    "a hit that is called dropped": (called("hospital 1", DROPPED), {H}),
    "a hit that is called removed": (called("hospital 1", GONE), {H}),
    "a removed record that is called dropped": (called("hospital 3", DROPPED), {H}),
    "a removed record that is called a hit": (
        edited(
            "hospital",
            entries=lambda of, tree: [Entry(one.ciphertext, one.handle) for one in of.entries],
        ),
        {H},
    ),
}
"""Proofs that are false of true answers."""


def check_lie(story: Story, lie: Lie, blamed: set[str], bounds: dict) -> None:
    """Assert that a lie is found by a user and by the owner, and spoils nobody else's records."""
    truth = rows(story.told(None, bounds, proof="signatures").records)
    assert {path for path, *_ in truth} == set(AGES)
    for asker in (story.user(), story.owner):
        records, faults = story.told(lie, bounds, proof="signatures", asker=asker)
        assert rows(records) == {row for row in truth if row[0] not in blamed}
        assert set(faults["provider"]) == blamed
        assert all(faults["cause"])
        story.liar.lie = lie
        query = story.owner.query(**bounds)
        answer = story.liar.search(query, proof="signatures")
        with pytest.raises(ProofError) as caught:
            by_signatures(asker, answer, query)
        assert set(caught.value.providers) == blamed
        for path in blamed:
            assert repr(path) in str(caught.value)


@pytest.mark.parametrize("name", LIES)
def test_what_is_left_out_is_missed_with_a_proof_and_not_without_one(story, name):
    maker, blamed = LIES[name]
    lie = maker(story)
    for bounds in (BOUNDS, {**BOUNDS, "weight": (0, 300)}) if "provider" in name else (BOUNDS,):
        truth = rows(story.told(None, bounds, proof=None).records)
        records, faults = story.told(lie, bounds, proof=None)
        assert rows(records) < truth, "it passes, and the lie is one"
        assert faults.is_empty()
        check_lie(story, lie, blamed, bounds)


@pytest.mark.parametrize("name", FALSE)
def test_a_false_proof_of_a_true_answer_is_refused(story, name):
    maker, blamed = FALSE[name]
    check_lie(story, maker(story), blamed, BOUNDS)


# Conjunctions


def dropped_from(record: str, *ranges: int) -> Maker:
    """Call a record dropped in some ranges of a conjunction, and leave it out of the others."""
    path = record.rpartition(" ")[0]

    def make(story: Story) -> Lie:
        [true] = [of for of in story.tree(path) if of.handle == story.handle(record)]

        def lie(parts: list[Part], proof: Proof) -> None:
            for number, shown in enumerate(
                proof.tokens[path.count("/")].ranges if proof.tokens else ()
            ):
                for stretch in shown:
                    for entry in stretch.entries:
                        if entry.handle == true.handle and number in ranges:
                            entry.kind, entry.upload, entry.digest = (
                                DROPPED,
                                true.upload,
                                true.digest,
                            )

        return lie

    return make


@pytest.mark.parametrize("ranges", [(0, 1), (0,), (1,), ()], ids=str)
def test_a_record_is_not_hidden_in_the_lists_of_a_conjunction(story, ranges):
    for record, path in [("hospital 1", "hospital"), ("hospital/ward 0", "hospital/ward")]:
        lie = together(hidden(record), dropped_from(record, *ranges))(story)
        truth = rows(story.told(None, BOTH, proof=None).records)
        assert rows(story.told(lie, BOTH, proof=None).records) < truth
        check_lie(story, lie, {path}, BOTH)


def test_what_a_conjunction_drops_is_named_and_no_more(story):
    query, answer = story.proven(**BOTH)
    assert story.user().prove(answer, query)["is_proven"].all()
    of_age, of_sbp = Proof.of(answer).tokens[0].ranges
    kinds = {
        of.provider: [entry.kind for entry in of.entries]
        for shown in (of_age, of_sbp)
        for of in shown
    }
    assert sorted(kinds["hospital"]) == [0, 0, 0, DROPPED, DROPPED, DROPPED, GONE]
    assert [entry.kind for of in of_age for entry in of.entries].count(DROPPED) == 0


def test_a_record_that_is_dropped_in_one_range_only_by_another_row_is_refused(story):
    """Whose row an entry is, is signed: another digest or upload there is another entry."""
    for name, value in [("upload", 1), ("digest", bytes(32)), ("handle", 1)]:

        def lie(parts: list[Part], proof: Proof, name: str = name, value: Any = value) -> None:
            of_range = proof.tokens[0].ranges[1]
            [stretch] = [of for of in of_range if of.provider == "hospital"]
            setattr(next(entry for entry in stretch.entries if entry.kind == DROPPED), name, value)

        check_lie(story, lie, {"hospital"}, BOTH)


# What somebody wrote who may only read


def forged(
    story: Story, path: str, record: str, upload: int, note: str = "forged"
) -> tuple[int, bytes, bytes]:
    """Return a record as a holder of a grant seals it: pseudonym, layout, and itself."""
    key = story.keys[path]
    readers = second.readers_key(key)
    assert readers in story.owner.grant(path), "this is what the grant holds"
    portion = second.portion_key(readers, "rest")
    columns: list[second.Column] = [
        ("id", "String", "text", [record]),
        *((name, "Int64", "int64", [value]) for name, value in (("age", 50), ("sbp", 110))),
        ("weight", "Int64", "int64", [70]),
        ("note", "String", "text", [note]),
    ]
    layout = second.layout_bytes(list(enumerate(columns)), "id")
    names = tuple(path.split("/"))
    place = second.Place(names, (FIRST,) * len(names))
    handle = second.handle_of(key, record)

    def context(letters: str, digest: bytes) -> bytes:
        about = second.head(letters, 2, story.owner.key) + bytes(place) + second.epoch_bytes(FIRST)
        about += second.u128(upload) + second.counted("rest") + second.counted(digest)
        return second.hashlib.sha256(about).digest()

    nonce = second.u128(upload)[:12]
    portions = second.hashlib.sha256(second.listed([second.counted("rest")])).digest()
    sealed_layout = second.gcm_siv(
        second.layout_key(portion), nonce, layout, context("LAY", portions)
    )
    associated = context("REC", second.hashlib.sha256(layout).digest()) + second.u128(handle)
    plain = b"".join(second.cell(kind, values[0]) for _, _, kind, values in columns)
    sealed = second.gcm_siv(second.row_key(portion, handle), nonce, plain, associated)
    return handle, sealed_layout, sealed + bytes(16)


def put_in_place(path: str, record: str) -> Maker:
    """Put a forged record in the place of the sealed one."""

    def make(story: Story) -> Lie:
        def lie(parts: list[Part], proof: Proof) -> list[Part]:
            lied = []
            for part in parts:
                held = handles_of(part)
                if part.provider == path and story.handle(record) in held:
                    [(_, layout, sealed)] = part.portions
                    records = unpacked(sealed)
                    handle, same_layout, one = forged(story, path, record, part.upload)
                    assert layout == same_layout
                    records[held.index(handle)] = one
                    part = told(part, portions=[("rest", layout, packed(records))])
                lied.append(part)
            return lied

        return lie

    return make


def added(
    path: str, record: str, *, upload: int | None = 77, is_called_late: bool = False
) -> Maker:
    """Add a forged record, of an upload of its own or, if it has none, of a sealed one."""

    def make(story: Story) -> Lie:
        def lie(parts: list[Part], proof: Proof) -> list[Part]:
            [part, *_] = [part for part in parts if part.provider == path]
            number = part.upload if upload is None else upload
            handle, layout, one = forged(story, path, record, number)
            more = told(
                part,
                upload=number,
                handles=as_handles([handle]),
                portions=[("rest", layout, packed([one]))],
            )
            for token in proof.tokens:
                token.unsealed += [number] if is_called_late else []
            return [*(of for of in parts if of.token == part.token), more] + [
                of for of in parts if of.token != part.token
            ]

        return lie

    return make


PATHS = ["hospital", "clinic", "hospital/ward"]
TRUE = {"hospital": "hospital 1", "clinic": "clinic 1", "hospital/ward": "hospital/ward 0"}


def check_forged(story: Story, lie: Lie, path: str, bounds: dict = BOUNDS) -> None:
    """Assert that a user takes a forged record for true without a proof."""
    records, faults = story.told(lie, bounds, proof=None)
    assert [row[0] for row in rows(records) if row[3] == "forged"] == [path]
    assert faults.is_empty()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bounds", [BOUNDS, BOTH], ids=["range", "conjunction"])
def test_what_a_holder_of_a_grant_wrote_over_a_record_is_refused(story, path, bounds):
    lie = put_in_place(path, TRUE[path])(story)
    check_forged(story, lie, path, bounds)
    check_lie(story, lie, {path}, bounds)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("upload", [77, None], ids=["of a new upload", "of a sealed upload"])
def test_an_invented_patient_is_refused(story, path, upload):
    lie = added(path, "nobody", upload=upload)(story)
    check_forged(story, lie, path)
    check_lie(story, lie, {path}, BOUNDS)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bounds", [BOUNDS, BOTH], ids=["range", "conjunction"])
def test_an_invented_patient_that_is_called_late_is_refused_alone(story, path, bounds):
    """Nothing else of its provider is: that the rest is what was sealed is proven."""
    lie = added(path, "nobody", is_called_late=True)(story)
    check_forged(story, lie, path, bounds)
    truth = rows(story.told(None, bounds, proof="signatures").records)
    for asker in (story.user(), story.owner):
        records, faults = story.told(lie, bounds, proof="signatures", asker=asker)
        assert rows(records) == truth
        record = f"{second.handle_of(story.keys[path], 'nobody'):032x}"
        assert faults.select("provider", "record").rows() == [(path, record)]
        assert "after the seal" in faults["cause"].item()
    query = story.owner.query(**bounds)
    answer = story.liar.search(query, proof="signatures")
    for asker in (story.user(), story.owner):
        with pytest.raises(ProofError, match="a record: it came after the seal") as caught:
            by_signatures(asker, answer, query)
        assert caught.value.providers == (path,)
        late = answer.provenance.filter(pl.col("seal").is_null())
        assert late.select("provider", "record", "upload").rows() == [(path, record, f"{77:032x}")]


@pytest.mark.parametrize("path", PATHS)
def test_a_forged_record_of_a_later_upload_hides_no_sealed_one(story, path):
    for more in (called(TRUE[path], DROPPED), called(TRUE[path], GONE, 0), None):
        makers = [hidden(TRUE[path]), added(path, TRUE[path], is_called_late=True)]
        lie = together(*makers, *([more] if more else []))(story)
        check_forged(story, lie, path)
        check_lie(story, lie, {path}, BOUNDS)


def test_calling_sealed_uploads_late_hides_nothing_of_them(story):
    def lie(parts: list[Part], proof: Proof) -> None:
        for token in proof.tokens:
            token.unsealed = sorted({part.upload for part in parts if part.provider == "hospital"})

    check_lie(story, lie, {"hospital"}, BOUNDS)


def test_a_record_beside_its_true_one_is_refused_with_and_without_a_proof(story):
    story.liar.lie = added("hospital", "hospital 1", is_called_late=True)(story)
    for proof in (None, True):
        with pytest.raises(AnswerError, match="a record comes twice"):
            story.user().ask(story.liar, story.owner.query(**BOUNDS), proof=proof)


def test_a_layout_that_a_holder_of_a_grant_wrote_opens_no_record(story):
    """Seals hold no layout: records are bound to theirs, so that no other shows them."""

    def lie(parts: list[Part], proof: Proof) -> list[Part]:
        lied = []
        for part in parts:
            if part.provider == "hospital":
                [(name, layout, sealed)] = part.portions
                # The last column is called otherwise, under the key of the grant.
                other = forged_layout(story, part.upload)
                assert len(other) == len(layout)
                part = told(part, portions=[(name, other, sealed)])
            lied.append(part)
        return lied

    for proof in (None, "signatures"):
        for asker in (story.user(), story.owner):
            records, faults = story.told(lie, BOUNDS, proof=proof, asker=asker)
            assert {row[0] for row in rows(records)} == {"clinic", "hospital/ward"}
            assert set(faults["cause"]) == {"the record does not open"}
            assert set(faults["provider"]) == {"hospital"}


def forged_layout(story: Story, upload: int) -> bytes:
    """Return a layout in which two columns have changed names, as a holder of a grant seals it."""
    portion = second.portion_key(second.readers_key(story.keys["hospital"]), "rest")
    kinds = {"id": ("String", "text"), "note": ("String", "text")}
    columns: list[second.Column] = [
        (name, *kinds.get(name, ("Int64", "int64")), [])
        for name in ("id", "sbp", "age", "weight", "note")
    ]
    layout = second.layout_bytes(list(enumerate(columns)), "id")
    portions = second.hashlib.sha256(second.listed([second.counted("rest")])).digest()
    place = second.Place(("hospital",), (FIRST,))
    about = second.head("LAY", 2, story.owner.key) + bytes(place) + second.epoch_bytes(FIRST)
    about += second.u128(upload) + second.counted("rest") + second.counted(portions)
    context = second.hashlib.sha256(about).digest()
    return second.gcm_siv(second.layout_key(portion), second.u128(upload)[:12], layout, context)


def test_records_that_are_shown_as_another_providers_name_both(story):
    def lie(parts: list[Part], proof: Proof) -> list[Part]:
        return [
            told(part, provider="clinic", epochs=part.epochs)
            if part.provider == "hospital"
            else part
            for part in parts
        ]

    check_lie(story, lie, {"hospital", "clinic"}, BOUNDS)


def test_a_provider_whom_nobody_announced_is_named(story):
    def lie(parts: list[Part], proof: Proof) -> list[Part]:
        return [
            told(part, provider="nobody") if part.provider == "clinic" else part for part in parts
        ]

    story.liar.lie = lie
    query = story.owner.query(**BOUNDS)
    answer = story.liar.search(query, proof="signatures")
    for asker in (story.user(), story.owner):
        with pytest.raises(ProofError, match="provider 'nobody' was announced by nobody"):
            by_signatures(asker, answer, query)


def by_signatures(asker: User | Owner | Provider, answer: Answer, query: Query) -> pl.DataFrame:
    """Return what somebody finds of an answer by signatures."""
    if isinstance(asker, User):
        return asker.prove(answer, query)
    return asker.prove(answer, query, proof="signatures")


# Of another query, another state, cut and flipped


@pytest.mark.parametrize(
    ("other", "blamed", "is_less"),
    [
        ({"age": (50, 60)}, {"hospital", "clinic", "hospital/ward"}, True),
        ({"age": (43, 46)}, {"hospital", "clinic", "hospital/ward"}, True),
        ({"age": (0, 60)}, {"hospital", "clinic"}, False),
        ({"age": (40, 99)}, {"hospital", "clinic", "hospital/ward"}, False),
        ({"sbp": (100, 260)}, {"hospital", "clinic", "hospital/ward"}, False),
    ],
    ids=str,
)
def test_the_answer_to_another_query_with_its_proof_is_refused(story, other, blamed, is_less):
    truth = rows(story.told(None, BOUNDS, proof=None).records)
    story.liar.instead = story.owner.query(**other)
    try:
        found = rows(story.told(nothing_else, BOUNDS, proof=None).records)
        assert found < truth if is_less else found == truth
        for asker in (story.user(), story.owner):
            records, faults = story.told(nothing_else, BOUNDS, proof="signatures", asker=asker)
            assert rows(records) == {row for row in truth if row[0] not in blamed}
            assert set(faults["provider"]) == blamed
    finally:
        story.liar.instead = None


def nothing_else(parts: list[Part], proof: Proof) -> None:
    """Say only that it is the answer to the query."""


def test_a_proof_of_another_query_beside_the_true_answer_is_refused(story):
    _, other = story.proven(age=(50, 60))

    def lie(parts: list[Part], proof: Proof) -> None:
        proof.tokens = Proof.of(other).tokens

    check_lie(story, lie, set(AGES), BOUNDS)


WRONG: dict[str, tuple[Callable[[Proof], Any], str]] = {
    "another state": (lambda of: setattr(of, "snapshot", of.snapshot + 1), "another state"),
    "no token": (lambda of: of.tokens.clear(), "another query"),
    "a token less": (lambda of: of.tokens.pop(), "another query"),
    "a token more": (lambda of: of.tokens.append(of.tokens[0]), "another query"),
    "a range less": (lambda of: of.tokens[0].ranges.pop(), "entries of each range"),
    "a range more": (lambda of: of.tokens[0].ranges.append([]), "entries of each range"),
    "no announcement": (lambda of: of.announcements.clear(), "announcement of .* is missing"),
    "an announcement less": (lambda of: of.announcements.pop(), "announcement of .* is missing"),
}
"""What makes a whole proof that of something else, and names nobody."""


@pytest.mark.parametrize("name", WRONG)
def test_a_proof_of_something_else_is_refused_and_names_nobody(story, name):
    change, why = WRONG[name]
    query, answer = story.proven()
    false = lied(answer, query, lambda parts, proof: change(proof) and None)
    for asker in (story.user(), story.owner):
        with pytest.raises(ProofError, match=why) as caught:
            by_signatures(asker, false, query)
        assert caught.value.providers == ()
        decrypt: Any = asker.decrypt
        with pytest.raises(ProofError, match=why):
            decrypt(false, query, proof="signatures", faults="report")


def test_a_proof_that_is_cut_or_longer_is_none(story):
    _, answer = story.proven(**BOTH)
    proof = answer._proof.encode()
    for length in range(len(proof)):
        with pytest.raises(DamagedFileError):
            message.Proof.decode(proof[:length])
    with pytest.raises(DamagedFileError):
        message.Proof.decode(proof + b"\0")


def test_every_byte_of_a_proof_that_is_flipped_is_refused_or_changes_nothing(story):
    query, answer = story.proven(**BOTH)
    user = story.user()
    found_true = user.prove(answer, query)
    written, provenance = answer._proof.encode(), answer.provenance
    chance = random.Random(7)
    for at in range(len(written)):
        changed = bytearray(written)
        changed[at] ^= 1 << chance.randrange(8)
        try:
            false = Answer(answer._query, answer._parts, message.Proof.decode(bytes(changed)))
            found = story.user().prove(false, query) if at % 16 == 0 else user.prove(false, query)
        except MopseError:
            continue
        assert found.equals(found_true)
        assert false.provenance.equals(provenance)


# Seals and announcements


class Recorder(Cloud):
    """A cloud that can be copied as it is."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.heard: list[tuple[bool, bytes]] = []

    def enroll(self, public: bytes) -> None:
        """Take note of an owner."""
        super().enroll(public)
        self.heard.append((True, public))

    def receive(self, message: Any) -> Any:
        """Carry a message out."""
        receipt = super().receive(message)
        self.heard.append((False, bytes(message)))
        return receipt

    def copy(self) -> "Recorder":
        """Return another cloud that has heard the same."""
        other = Recorder()
        for is_public, heard in self.heard:
            (other.enroll if is_public else other.receive)(heard)
        return other


def corrected(story: Story, cloud: Cloud, note: str) -> None:
    """Have the hospital correct a record at a cloud and seal, on a device of its own."""
    hospital = story.owner.authorize("hospital")
    hospital.catch_up(cloud)
    new = table("hospital", [41], 1).with_columns(note=pl.lit(note))
    cloud.receive(hospital.update(new, id="id", cloud=cloud))
    cloud.receive(hospital.seal(cloud=cloud))


def blamed_for(user: User, story: Story, cloud: Any) -> tuple[set[tuple], set[str], str]:
    """Return what a user is told of a cloud, and who is blamed for which reason."""
    opened = user.ask(cloud, story.owner.query(**BOUNDS), proof=True, faults="report")
    causes = "; ".join(opened.faults["cause"])
    return rows(opened.records), set(opened.faults["provider"]), causes


def test_an_older_state_passes_only_with_who_has_seen_nothing_newer():
    story = Story(Recorder())
    old = story.cloud.copy()
    corrected(story, story.cloud, "new")
    others = {row for row in rows(story.told(None, BOUNDS, proof=True).records) if row[0] != H}
    seen, fresh = story.user(), story.user()
    found, blamed, _ = blamed_for(seen, story, story.cloud)
    assert ("hospital", "hospital 1", 41, "new") in found
    assert not blamed
    for _ in range(2):
        found, blamed, cause = blamed_for(seen, story, old)
        assert (found, blamed) == (others, {"hospital"})
        assert "it shows seal 1, and 2 was seen before" in cause
    found, blamed, _ = blamed_for(fresh, story, old)
    assert ("hospital", "hospital 1", 41, "true") in found
    assert not blamed
    # Whoever compares what two users have seen finds it.
    key = story.owner.key
    assert seen.seals[key]["hospital"][0] == 2
    assert fresh.seals[key]["hospital"][0] == 1
    assert seen.seals[key]["clinic"] == fresh.seals[key]["clinic"]
    alike = {"clinic": 1, "hospital/ward": 1}
    assert seen.compare(fresh) == fresh.compare(seen) == alike
    assert story.owner.compare(fresh) == fresh.compare(story.owner)
    assert not blamed_for(seen, story, story.cloud)[1], "the newest is taken again"


def test_a_user_finds_two_histories_by_comparing_with_whoever_saw_the_other():
    story, other = Story(Recorder()), Story(Recorder())
    one, there = story.user(), other.user()
    for asker, of in ((one, story), (there, other)):
        asker.ask(of.cloud, of.owner.query(age=(0, 120)), proof=True)
    if story.owner.key != other.owner.key:
        assert one.compare(there) == {}, "other owners have other seals of the same names"
        both = User(SCHEMA, [of.owner.grant("hospital") for of in (story, other)])
        for of in (story, other):
            both.ask(of.cloud, of.owner.query(age=(0, 120)), proof=True, faults="report")
        assert both.compare(one)["hospital"] == both.compare(there)["hospital"] == 1
        assert set(both.seals) == {story.owner.key, other.owner.key}
    with pytest.raises(WrongTypeError, match="must be"):
        one.compare("clinic")
    # Two machines of one hospital, each of which is shown a world of its own.
    world = story.cloud.copy()
    corrected(story, story.cloud, "here")
    corrected(story, world, "there")
    here, elsewhere = story.user(), story.user()
    here.ask(story.cloud, story.owner.query(age=(0, 120)), proof=True)
    elsewhere.ask(world, story.owner.query(age=(0, 120)), proof=True)
    for asker, with_whom in ((here, elsewhere), (elsewhere, here)):
        with pytest.raises(ProofError, match="two histories") as caught:
            asker.compare(with_whom)
        assert caught.value.providers == ("hospital",)


@pytest.mark.parametrize("is_whole", [False, True], ids=["the record", "all of its provider"])
def test_an_older_version_of_a_record_is_refused(is_whole):
    story = Story(Recorder())
    old = story.cloud.copy()
    corrected(story, story.cloud, "new")

    def lie(parts: list[Part], proof: Proof) -> list[Part]:
        query = story.asked
        before = old.search(query, proof="signatures")
        of_old = [part for part in before._parts if part.provider == "hospital"]
        if is_whole and proof.tokens:
            of = Proof.of(before)
            proof.heads = [h for h in proof.heads if place_of(h) != H]
            proof.heads += [h for h in of.heads if place_of(h) == H]
            proof.evidence = of.evidence
            shown = proof.tokens[0].ranges[0]
            shown[:] = [s for s in shown if s.provider != H] + [*of.stretches(H)]
        state = parts[0].snapshot
        return [told(part, snapshot=state) for part in of_old] + [
            part for part in parts if part.provider != "hospital"
        ]

    def ask(user: User, proof: Any) -> Any:
        story.liar.lie = lie
        story.asked = story.owner.query(**BOUNDS)
        return user.ask(story.liar, story.asked, proof=proof, faults="report")

    seen, fresh = story.user(), story.user()
    truth = rows(seen.ask(story.cloud, story.owner.query(**BOUNDS), proof=True))
    stale = {row if row[1] != "hospital 1" else (*row[:3], "true") for row in truth}
    assert rows(ask(fresh, None).records) == stale
    for user in (seen, fresh):
        records, faults = ask(user, True)
        if is_whole and user is fresh:
            assert rows(records) == stale, "a whole provider may be old to who saw nothing newer"
            assert faults.is_empty()
        else:
            assert rows(records) == {row for row in truth if row[0] != H}
            assert set(faults["provider"]) == {H}


def test_two_seals_of_one_number_are_a_fork_that_who_sees_both_finds():
    story = Story(Recorder())
    other = story.cloud.copy()
    corrected(story, story.cloud, "one")
    corrected(story, other, "other")
    user = story.user()
    assert not blamed_for(user, story, story.cloud)[1]
    found, blamed, cause = blamed_for(user, story, other)
    assert {path for path, *_ in found} == {"clinic", "hospital/ward"}
    assert (blamed, "another seal 2" in cause) == ({H}, True)
    corrected(story, other, "third")
    _, blamed, cause = blamed_for(user, story, other)
    assert (blamed, "follows another seal" in cause) == ({H}, True)
    assert not blamed_for(story.user(), story, other)[1]


def test_two_seals_of_one_proof_count_as_the_newer_one_or_name_their_provider():
    story = Story(Recorder())
    _, before = story.proven()
    [first] = [of for of in Proof.of(before).heads if place_of(of) == H]
    corrected(story, story.cloud, "new")
    query, answer = story.proven()

    def shown(heads: Callable[[list[bytes]], list[bytes]]) -> Answer:
        def lie(parts: list[Part], proof: Proof) -> None:
            proof.heads = heads(proof.heads)

        return lied(answer, query, lie)

    assert story.user().prove(shown(lambda heads: [first, *heads]), query)["is_proven"].all()
    with pytest.raises(ProofError, match="seal 1, and 2 was seen") as caught:
        story.user().prove(shown(lambda heads: [*heads, first]), query)
    assert caught.value.providers == (H,)


@pytest.mark.parametrize("path", AGES)
def test_a_seal_of_another_provider_stands_for_nobody(story, path):
    others = {"hospital": "clinic", "clinic": "hospital", "hospital/ward": "hospital"}

    def lie(parts: list[Part], proof: Proof) -> None:
        of = {place_of(head): head for head in proof.heads}
        proof.heads = [
            of[others[path] if place_of(head) == path else place_of(head)] for head in proof.heads
        ]

    query, answer = story.proven()
    false = lied(answer, query, lie)
    user = story.user()
    with pytest.raises(ProofError, match="it has sealed nothing") as caught:
        user.prove(false, query)
    assert caught.value.providers == (path,)
    records, faults = user.decrypt(false, query, proof=True, faults="report")
    assert set(faults["provider"]) == {path}
    assert {row[0] for row in rows(records)} == set(AGES) - {path}


def test_a_seal_of_another_owner_or_that_nobody_signed_is_refused(story):
    other = Scene(SCHEMA, "hospital")
    other.send("hospital", table("hospital", [50]))
    other.cloud.receive(other["hospital"].seal())
    theirs = Proof.of(other.cloud.search(other.owner.query(**BOUNDS), proof="signatures"))
    query, answer = story.proven()

    def shown(change: Callable[[Proof], Any]) -> Answer:
        return lied(answer, query, lambda parts, proof: change(proof) and None)

    for asker in (story.user(), story.owner):
        with pytest.raises(ProofError, match="of another owner"):
            by_signatures(asker, shown(lambda of: of.heads.extend(theirs.heads)), query)
        with pytest.raises(ProofError, match=r"announcement of .* is missing"):
            by_signatures(
                asker, shown(lambda of: setattr(of, "announcements", theirs.announcements)), query
            )
        for field in ("heads", "announcements"):

            def flip(of: Proof, field: str = field) -> None:
                of_field = getattr(of, field)
                of_field[0] = of_field[0][:-1] + bytes([of_field[0][-1] ^ 1])

            with pytest.raises(SignatureError):
                by_signatures(asker, shown(flip), query)


def test_an_announcement_is_not_older_than_the_query_and_a_later_one_adds_members():
    story = Story(Recorder())
    before = Proof.of(story.proven()[1])
    old_query, old_answer = story.proven()
    story.authorize("late")
    story.enroll()
    query, answer = story.proven()
    later = Proof.of(answer)

    def with_(of: Proof, answer: Answer, query: Query) -> Answer:
        def lie(parts: list[Part], proof: Proof) -> None:
            proof.announcements = of.announcements

        return lied(answer, query, lie)

    for asker in (story.user(), story.owner):
        with pytest.raises(ProofError, match=r"announcement of .* is missing, or older"):
            by_signatures(asker, with_(before, answer, query), query)
        # Who has just come must have sealed, also if there is nothing.
        for false, of in [(with_(later, old_answer, old_query), old_query), (answer, query)]:
            with pytest.raises(ProofError, match="it has sealed nothing") as caught:
                by_signatures(asker, false, of)
            assert caught.value.providers == ("late",)
    story["late"].catch_up(story.cloud)
    story.cloud.receive(story["late"].seal())
    query, answer = story.proven()
    table_ = story.user().prove(answer, query)
    assert table_.filter(provider="late").select("seal", "rows", "is_proven").rows() == [
        (1, 0, True)
    ]


def test_a_removal_of_all_is_not_shown_for_another_provider():
    story = Story(Recorder())
    story.cloud.receive(story.owner.removal("clinic"))
    truth = rows(story.told(None, BOUNDS, proof=None).records)
    records, faults = story.told(None, BOUNDS, proof=True)
    assert rows(records) == truth
    assert faults.select("provider", "cause").rows() == [
        ("clinic", "the owner had all of it removed, and it has not sealed since")
    ]
    lie = gone_from("hospital", heads=True)(story)
    records, faults = story.told(lie, BOUNDS, proof=True)
    assert {row[0] for row in rows(records)} == {"hospital/ward"}
    assert set(faults["provider"]) == {"clinic", "hospital"}
    story["clinic"].catch_up(story.cloud)
    story.cloud.receive(story["clinic"].seal(cloud=story.cloud))
    assert story.told(None, BOUNDS, proof=True).faults.is_empty()


# Honest clouds


FULL = {"age": (None, None)}


class History(Scene):
    """What three providers do at random, beside a plain table of what they have and have sealed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        super().__init__(
            SCHEMA, *AGES, seed=seed, cloud=Cloud(answer_bytes=self.chance.choice([1, 900, 2**28]))
        )
        self.owner.catch_up(self.cloud)
        self.now: dict[str, dict[str, dict[str, Any]]] = {path: {} for path in AGES}
        self.sealed: dict[str, dict[str, dict[str, Any]]] = {path: {} for path in AGES}
        self.numbers = dict.fromkeys(AGES, 0)
        self.warm = User(SCHEMA, [self.owner.grant(path) for path in AGES])
        for path in AGES:
            self.seal(path)

    def seal(self, path: str) -> None:
        """Have a provider seal."""
        self.cloud.receive(self[path].seal())
        self.sealed[path] = dict(self.now[path])
        self.numbers[path] += 1

    def row(self, path: str, name: str) -> dict[str, Any]:
        """Return a random record: often of a value that others have, at either end, or null."""
        return {
            "id": name,
            "age": self.chance.choice([0, 1, 40, 40, 41, 50, 98, 99, None]),
            "sbp": self.chance.choice([60, 100, 120, 260, None]),
            "weight": self.chance.choice([0, 70, 300]),
            "note": self.chance.choice(["one", "other"]),
        }

    def step(self) -> None:
        """Do something."""
        path = self.chance.choice([*AGES])
        here, provider = self.now[path], self[path]
        what = self.chance.choice(["add", "add", "update", "delete", "seal"])
        names = [f"{path} {number}" for number in range(9)]
        known = [name for name in names if name in here]
        if what == "seal":
            self.seal(path)
            return
        of = [name for name in names if name not in here] if what == "add" else known
        chosen = self.chance.sample(of, min(len(of), self.chance.choice([1, 2, 3])))
        if not chosen:
            return
        types = dict.fromkeys(("age", "sbp", "weight"), pl.Int64)
        new = pl.DataFrame([self.row(path, name) for name in chosen], schema_overrides=types)
        if what == "delete":
            self.cloud.receive(provider.delete(chosen, cloud=self.cloud))
            for name in chosen:
                del here[name]
            return
        if what == "add":
            # Who was removed left a tombstone, which the next version names.
            upload = provider.encrypt(new, id="id", cloud=self.cloud)
        else:
            upload = provider.update(new, id="id", cloud=self.cloud)
        self.cloud.receive(upload)
        here.update({row["id"]: row for row in new.to_dicts()})

    def bounds(self) -> dict[str, tuple[int | None, int | None]]:
        """Return the bounds of a query, of one to three fields, also of nothing and at the ends."""
        of = {
            "age": [(0, 0), (99, 99), (40, 50), (41, 97), (2, 39), (None, None), (0, 40)],
            "sbp": [(60, 60), (100, 120), (61, 99), (260, 260), (None, 110)],
            "weight": [(0, 70), (300, 300), (1, 69)],
        }
        fields = self.chance.sample([*of], self.chance.choice([1, 1, 2, 3]))
        return {field: self.chance.choice(of[field]) for field in fields}

    def check(self) -> None:
        """Compare proven answers with a filter of the plain tables."""
        bounds = self.bounds()
        granted = [self.owner.grant(path) for path in AGES]
        query = self.owner.query(**bounds)
        for user in (self.warm, User(SCHEMA, granted)):
            found, faults = user.ask(self.cloud, query, proof=True, faults="report")
            expected, late = set(), set()
            for path, here in self.now.items():
                for name, row in here.items():
                    if not matches(row, bounds):
                        continue
                    is_late = self.sealed[path].get(name) is not row
                    of = tuple(row[c] for c in ("id", "age", "sbp", "weight", "note"))
                    (late if is_late else expected).add((path, *of))
            shown = set()
            if found.height:
                columns = ("provider", "id", "age", "sbp", "weight", "note")
                shown = set(found.select(columns).rows())
            assert shown == expected, bounds
            assert found.height == len(expected)
            assert all("after the seal" in cause for cause in faults["cause"])
            assert sorted(faults["provider"]) == sorted(path for path, *_ in late)
            assert (late == set()) == faults.is_empty()


def matches(row: dict[str, Any], bounds: dict) -> bool:
    """Return whether a record lies within all bounds; null does in none."""
    for field, (low, high) in bounds.items():
        value = row[field]
        if value is None or value < (low or 0) or (high is not None and value > high):
            return False
    return True


@pytest.mark.parametrize("seed", range(6))
def test_proven_answers_of_any_history_are_those_that_were_sealed(seed):
    history = History(seed)
    for _ in range(30):
        history.step()
        history.check()


def test_provenance_names_who_wrote_each_record_in_which_epoch_and_seal():
    story = Story()
    late = table("clinic", [50], 9)
    story["clinic"].catch_up(story.cloud)
    story.cloud.receive(story["clinic"].encrypt(late, id="id"))
    query, answer = story.proven()
    for asker in (story.user(), story.owner):
        with pytest.raises(ProofError) as caught:
            by_signatures(asker, answer, query)
        assert caught.value.providers == ("clinic",)
        expected = {
            (
                part.provider,
                (0,) * (1 + part.provider.count("/")),
                f"{handle:032x}",
                f"{part.upload:032x}",
            )
            for part in answer._parts
            for handle in handles_of(part)
        }
        found = answer.provenance
        assert {(p, tuple(e), r, u) for p, e, r, u, _ in found.rows()} == expected
        assert found.height == len(expected) == 7
        assert answer.proven.sum()["unsealed"].item() == 1
        of_late = f"{story.handle('clinic 9'):032x}"
        assert dict(found.select("record", "seal").rows())[of_late] is None
        assert found["seal"].to_list().count(1) == 6
    story["clinic"].catch_up(story.cloud)
    story.cloud.receive(story["clinic"].seal())
    query, answer = story.proven()
    story.user().prove(answer, query)
    assert set(answer.provenance.filter(provider="clinic")["seal"]) == {2}


def test_renewed_records_are_proven_in_their_new_epoch_and_gone_from_the_old_one():
    story = Story()
    before = rows(story.told(None, BOUNDS, proof=True).records)
    seen = story.user()
    assert not blamed_for(seen, story, story.cloud)[1]
    story.owner.revoke("clinic")
    for path in ("hospital", "hospital/ward"):
        story.authorize(path)
    story.enroll()

    def told_now() -> tuple[set[tuple], set[str], Answer]:
        granted = [story.owner.grant(path) for path in ("hospital", "hospital/ward")]
        user = User(SCHEMA, [*granted, *clinic])
        query, answer = story.proven()
        records, faults = user.decrypt(answer, query, proof=True, faults="report")
        return rows(records), set(faults["provider"]), answer

    clinic = [Owner.from_insecure_seed(SCHEMA, SEED)]
    clinic[0].authorize("clinic")
    clinic = [clinic[0].grant("clinic")]
    for path in ("hospital", "hospital/ward"):
        story[path].catch_up(story.cloud)
        story[path].renew(story.cloud)
    _, blamed, _ = told_now()
    assert blamed == {"hospital", "hospital/ward"}, "in the new epoch they have sealed nothing"
    for path in ("hospital", "hospital/ward"):
        story.cloud.receive(story[path].seal(cloud=story.cloud))
    found, blamed, answer = told_now()
    assert (found, blamed) == (before, set())
    epochs = {
        path: {tuple(of) for of in rows_["epochs"]}
        for (path,), rows_ in answer.provenance.group_by("provider")
    }
    assert epochs == {"hospital": {(1,)}, "hospital/ward": {(1, 0)}, "clinic": {(0,)}}


# A proof that goes with a state that is not the newest, page by page


@pytest.mark.parametrize(
    "bounds", [{"age": (40, 99)}, {"age": (43, 70)}, {"age": (40, 99), "sbp": (103, 260)}], ids=str
)
def test_pages_of_one_state_are_proven_while_records_go(bounds):
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(answer_bytes=600), seed=SEED)
    for first in range(0, 15, 5):
        scene.send("hospital", table("hospital", range(40 + 2 * first, 50 + 2 * first, 2), first))
    scene.cloud.receive(scene["hospital"].seal())
    user = User(SCHEMA, [scene.owner.grant("hospital")])
    query, later = scene.owner.query(**bounds), scene.owner.query(**bounds)
    answer = scene.cloud.search(query, proof="signatures")
    assert answer.goes_on(query)
    gone = [f"hospital {number}" for number in (1, 2, 7, 14)]
    scene["hospital"].catch_up(scene.cloud)
    scene.cloud.receive(scene["hospital"].delete(gone, cloud=scene.cloud))
    now = user.ask(scene.cloud, later, proof=True)
    while answer.goes_on(query):
        answer += scene.cloud.search(query, after=answer, proof="signatures")
    then = user.decrypt(answer, query, proof=True)
    assert set(then["id"]) - set(gone) == set(now["id"])
    assert then.height > now.height


def test_what_was_seen_is_not_sent_again_and_proves_as_much(story):
    user = story.user()
    query, cold = story.proven()
    user.prove(cold, query)
    warm = story.cloud.search(query, proof="signatures", since=cold.state)
    assert len(Proof.of(cold).heads) == 3
    assert Proof.of(warm).heads == []
    assert user.prove(warm, query).equals(user.prove(cold, query))
    with pytest.raises(ProofError, match="sealed nothing") as caught:
        story.user().prove(warm, query)
    assert set(caught.value.providers) == set(AGES)
    wanted = []

    class Noting(Dishonest):
        def search(self, query: Query, **more: Any) -> Answer:
            wanted.append(more.get("since"))
            return super().search(query, **more)

    cloud = Noting(story.cloud)
    for _ in range(2):
        assert user.ask(cloud, query, proof=True).height == 6
    assert wanted == [None, cold.state]


def test_a_seal_is_not_older_than_it_may_be(monkeypatch):
    scene = Scene(SCHEMA, "hospital", "clinic")
    for path in ("hospital", "clinic"):
        scene.send(path, table(path, [45]))
        scene.cloud.receive(scene[path].seal())
    query = scene.owner.query(**BOUNDS)
    answer = scene.cloud.search(query, proof="signatures")
    user = User(SCHEMA, [scene.owner.grant(path) for path in ("hospital", "clinic")])
    now, hour = datetime.datetime.now(datetime.UTC).timestamp(), datetime.timedelta(hours=1)
    monkeypatch.setattr("mopse._proofs.time.time", lambda: now + 5 * 3600)
    assert user.prove(answer, query, max_age=7 * hour)["is_proven"].all()
    with pytest.raises(ProofError, match=r"its seal is [56] hours old") as caught:
        user.prove(answer, query, max_age=4 * hour)
    assert set(caught.value.providers) == {"hospital", "clinic"}
    with pytest.raises(InvalidInputError, match="proof=True"):
        user.decrypt(answer, query, max_age=hour)


def test_a_user_proves_also_what_it_does_not_open(story):
    """Grants decide what is opened, and signatures show that all is there."""
    query, answer = story.proven()
    some = [story.owner.grant("hospital", ids=["hospital 1", "hospital 6"])]
    user = User(SCHEMA, some)
    assert user.prove(answer, query)["is_proven"].all()
    assert answer.provenance.height == 6
    records, faults = user.decrypt(answer, query, proof=True, faults="report")
    assert rows(records) == {("hospital", "hospital 1", 41, "true")}
    assert set(faults["provider"]) == {"clinic", "hospital/ward"}
    assert all("granted nothing" in cause for cause in faults["cause"])
    with pytest.raises(ScopeError):
        user.decrypt(answer, query, proof=True)
    false = lied(answer, query, hidden("hospital 2")(story))
    with pytest.raises(ProofError) as caught:
        user.decrypt(false, query, proof=True)
    assert caught.value.providers == ("hospital",), "also a record that was not granted is missed"
    other = Scene(SCHEMA, "hospital")
    with pytest.raises(ScopeError):
        User(SCHEMA, [other.owner.grant("hospital")]).prove(answer, query)


def test_a_user_of_one_portion_proves_and_opens_its_columns():
    schema = Schema(age=Field(0, 99, proof=True), portions={"clinical": ["age", "note"]})
    scene = Scene(schema, "hospital")
    scene.send(
        "hospital", {"id": [1, 2, 3], "age": [40, 41, 70], "note": ["a", "b", "c"], "x": [1, 2, 3]}
    )
    scene.cloud.receive(scene["hospital"].seal())
    user = User(schema, [scene.owner.grant("hospital", portions=["clinical"])])
    query = scene.owner.query(age=(40, 50))
    found = user.ask(scene.cloud, query, proof=True)
    assert sorted(found.select("age", "note").rows()) == [(40, "a"), (41, "b")]
    assert set(found.columns) == {"age", "note", "provider"}

    def without(number: int) -> Lie:
        def lie(parts: list[Part], proof: Proof) -> list[Part]:
            return [
                told(part, portions=[of for at, of in enumerate(part.portions) if at != number])
                for part in parts
            ]

        return lie

    liar = Dishonest(scene.cloud)
    for number in range(2):
        liar.lie = without(number)
        with pytest.raises(ProofError) as caught:
            user.ask(liar, query, proof=True)
        assert caught.value.providers == ("hospital",)


def test_a_provider_proves_what_is_below_it_by_signatures():
    story = Story()
    hospital = story["hospital"]
    hospital.catch_up(story.cloud)
    own = rows(hospital.ask(story.liar, proof="signatures", **BOUNDS))
    assert {path for path, *_ in own} == {"hospital", "hospital/ward"}
    for record, path in [("hospital 1", "hospital"), ("hospital/ward 0", "hospital/ward")]:
        story.liar.lie = hidden(record)(story)
        with pytest.raises(ProofError) as caught:
            hospital.ask(story.liar, proof="signatures", **BOUNDS)
        assert caught.value.providers == (path,)
    story.liar.lie = None
    # A user proves an answer to a query of the hospital too.
    query = hospital.query(**BOUNDS)
    answer = story.cloud.search(query, proof="signatures")
    table_ = story.user().prove(answer, query)
    assert table_.select("provider", "is_proven").rows() == [(H, True), ("hospital/ward", True)]
    others = lied(story.proven()[1], query, nothing_else)
    with pytest.raises((ProofError, AnswerError)):
        story.user().prove(others, query)


# What passes


def test_a_record_that_was_replaced_since_its_seal_may_be_missing():
    """It passes: what came after a seal is not proven, and its provider did replace the record."""
    story = Story()
    hospital = story["hospital"]
    hospital.catch_up(story.cloud)
    new = table("hospital", [41], 1).with_columns(note=pl.lit("new"))
    story.cloud.receive(hospital.update(new, id="id", cloud=story.cloud))
    _, faults = story.told(None, BOUNDS, proof=True)
    assert set(faults["provider"]) == {"hospital"}, "nothing shows who wrote the new one"
    truth = rows(story.told(None, BOUNDS, proof=None).records)
    lie = hidden("hospital 1")(story)
    records, faults = story.told(lie, BOUNDS, proof=True)
    assert faults.is_empty()
    assert rows(records) == truth - {("hospital", "hospital 1", 41, "new")}
    story.seal("hospital")
    check_lie(story, lie, {"hospital"}, BOUNDS)


def test_a_removal_of_all_that_comes_again_hides_what_somebody_sent_later_who_has_left():
    """It passes: no removal says which seal it came after; who is a member still has to seal."""
    scene = Scene(SCHEMA, "hospital", "clinic", "leaving", seed=SEED)
    removal = bytes(scene.owner.removal("clinic"))
    for path in scene.providers:
        scene.send(path, table(path, [45]))
    scene.cloud.receive(removal)
    clinic = scene.owner.authorize("clinic")
    clinic.catch_up(scene.cloud)
    scene.cloud.receive(clinic.encrypt(table("clinic", [46], 1), id="id"))
    for provider in (clinic, scene["hospital"], scene["leaving"]):
        scene.cloud.receive(provider.seal(cloud=scene.cloud))
    user = User(SCHEMA, [scene.owner.grant(path) for path in scene.providers])

    def lie(parts: list[Part], proof: Proof) -> list[Part]:
        proof.removals = [removal]
        return gone_from("clinic")(scene)(parts, proof)

    def found(cloud: Any) -> tuple[set[str], set[str]]:
        records, faults = user.ask(cloud, scene.owner.query(**BOUNDS), proof=True, faults="report")
        return {row[0] for row in rows(records)}, set(faults["provider"])

    liar = Dishonest(scene.cloud)
    liar.lie = lie
    assert found(liar) == ({"hospital", "leaving"}, {"clinic"})
    scene.owner.revoke("leaving")
    for path in ("hospital", "clinic"):
        scene.authorize(path)
    scene.enroll()
    for path in ("hospital", "clinic"):
        scene[path].catch_up(scene.cloud)
        scene.cloud.receive(scene[path].seal(cloud=scene.cloud))
    assert found(scene.cloud) == ({"hospital", "leaving", "clinic"}, set())
    assert found(liar) == ({"hospital", "leaving"}, {"clinic"})
    scene.owner.revoke("clinic")
    scene.authorize("hospital")
    scene.enroll()
    scene["hospital"].catch_up(scene.cloud)
    scene.cloud.receive(scene["hospital"].seal(cloud=scene.cloud))
    assert found(scene.cloud) == ({"hospital", "leaving", "clinic"}, set())
    assert found(liar) == ({"hospital", "leaving"}, set())


# What it tells and costs


def test_one_entry_beyond_each_bound_is_told_and_no_more(story):
    for bounds in (BOUNDS, {"age": (0, 99)}, {"age": (91, 99)}, {"age": (0, 4)}, BOTH):
        query, answer = story.proven(**bounds)
        proof = Proof.of(answer)
        for token, of in zip(query.tokens, proof.tokens, strict=True):
            assert of.unsealed == []
            for (field, low, high), shown in zip(token.predicates, of.ranges, strict=True):
                for stretch in shown:
                    path = next(path for path in AGES if path.endswith(stretch.provider))
                    tree = [entry.ciphertext for entry in story.tree(path, field)]
                    below, above = [c for c in tree if c < low], [c for c in tree if c > high]
                    inside = [entry.ciphertext for entry in stretch.entries]
                    assert inside == [c for c in tree if low <= c <= high]
                    assert below[-1:] == ([stretch.left.ciphertext] if stretch.left else [])
                    assert above[:1] == ([stretch.right.ciphertext] if stretch.right else [])
        assert bytes(proof) == answer._proof.encode(), "and nothing else is in the bytes"


EXPECTED = {5: (0.812, 0.812, 0.684), 20: (0.488, 0.488, 0.322), 80: (0.047, 0.047, 0.015)}
"""How many of all values a record may have: by answers, by their ciphertexts, by neighbours."""


def located(owner: Owner, cloud: Cloud, asked: list[tuple[int, int]], top: int) -> list[float]:
    """Return how well a user who asks ranges locates the records of one provider.

    That is how many values a record may have, of all that there are, on average: by which ranges it
    answered, by the ciphertexts of the entries in these too, and by the neighbours too.
    """
    tree = entries_of(cloud.search(owner.query(age=(None, None)), proof="signatures"))["hospital"]
    answers = [Proof.of(cloud.search(owner.query(age=of), proof="signatures")) for of in asked]
    shown = [next(proof.stretches("hospital")) for proof in answers]

    def mask(low: int, high: int) -> int:
        return (1 << high + 1) - (1 << low) if low <= high else 0

    found = []
    for has_order, has_neighbours in [(False, False), (True, False), (True, True)]:
        may = {entry.handle: mask(0, top) for entry in tree}
        seen: dict[int, int] = {}
        for (low, high), stretch in zip(asked, shown, strict=True):
            inside = {entry.handle: entry.ciphertext for entry in stretch.entries}
            for handle in may:
                may[handle] &= mask(low, high) if handle in inside else ~mask(low, high)
            seen |= inside
            for neighbour, beyond in [
                (stretch.left, mask(0, low - 1)),
                (stretch.right, mask(high + 1, top)),
            ]:
                if neighbour is not None and has_neighbours:
                    may[neighbour.handle] &= beyond
                    seen[neighbour.handle] = neighbour.ciphertext
        if has_order:
            order = sorted(seen, key=seen.__getitem__)
            for one, following in itertools.pairwise(order):
                lowest = (may[one] & -may[one]).bit_length() - 1
                may[following] &= mask(lowest, top)
            for one, before in itertools.pairwise(order[::-1]):
                may[before] &= mask(0, may[one].bit_length() - 1)
        found.append(sum(of.bit_count() for of in may.values()) / len(may) / (top + 1))
    return found


def test_neighbours_locate_records_that_answers_alone_do_not():
    """Those that no range held: a neighbour lies beyond a bound, and in the order of all others."""
    scene = Scene(Schema(age=Field(0, 999, proof=True)), "hospital", seed=SEED)
    chance = random.Random(1)
    scene.send("hospital", {"id": range(60), "age": [chance.randrange(1000) for _ in range(60)]})
    scene.cloud.receive(scene["hospital"].seal())
    chance = random.Random(3)
    lows = [chance.randrange(980) for _ in range(80)]
    asked = [(low, low + 19) for low in lows]
    measured = {count: located(scene.owner, scene.cloud, asked[:count], 999) for count in EXPECTED}
    for count, expected in EXPECTED.items():
        alone, order, neighbours = measured[count]
        assert measured[count] == pytest.approx(expected, abs=0.001)
        assert neighbours < order <= alone
        # Without a proof, a record that no range held is anywhere else, and each query of two
        # neighbours places two records at most.
        assert alone - neighbours <= 2 * count / 60


def test_a_proof_is_linear_in_providers_and_logarithmic_in_their_records():
    schema = Schema(age=Field(0, 10**6, proof=False), sbp=Field(60, 260, proof=True))

    def proofs(providers: int, records: int) -> tuple[int, int]:
        names = [f"p{number}" for number in range(10, 10 + providers)]
        scene = Scene(schema, *names, seed=SEED)
        for name in names:
            ages = [number * 1_000_000 // records for number in range(records)]
            scene.send(name, {"id": range(records), "age": ages, "sbp": [100] * records})
            scene.cloud.receive(scene[name].seal())
        query = scene.owner.query(age=(500_050, 500_050))
        cold = scene.cloud.search(query, proof="signatures")
        user = User(schema, [scene.owner.grant(names[0])])
        assert user.prove(cold, query)["is_proven"].all()
        assert len(cold) == 0
        warm = scene.cloud.search(query, proof="signatures", since=cold.state)
        return cold.proof_nbytes, warm.proof_nbytes

    sizes = {count: proofs(count, 100) for count in (1, 2, 4, 8)}
    for at in (0, 1):
        steps = [(sizes[2 * n][at] - sizes[n][at]) / n for n in (1, 2, 4)]
        # Announcements name each member; the rest is the same for each.
        assert max(steps) - min(steps) < 32
    (one_cold, one_warm), (two_cold, two_warm) = proofs(1, 10_000), proofs(2, 10_000)
    assert two_cold - one_cold <= 1500
    assert two_warm - one_warm <= 2 * (8 + 16 + 16 + 32 + 1) + 2 * 14 * 32 + 64
    few, many = proofs(1, 100)[1], one_warm
    assert many - few <= 2 * 32 * 7, "two digests a level, and seven levels more"
