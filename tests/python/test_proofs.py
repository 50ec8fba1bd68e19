"""Answers that prove themselves by sums: every lie of a cloud is found, and whose part it is.

The same lie passes without a proof, or is found by what every answer is checked for; the tests say
which.
"""

import datetime
import pickle
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import reference_messages as second
from dishonest import Dishonest, Gone, Listed, Range, Told, row_of, told
from scene import Scene

from mopse import Cloud, Field, Owner, Provider, Schema
from mopse.errors import (
    AnswerError,
    ChangedError,
    DamagedFileError,
    InvalidInputError,
    MopseError,
    ProofError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)
from mopse.messages import Answer, Seal

SCHEMA = Schema(
    age=Field(0, 99, proof=True), sbp=Field(60, 260, cell=4, proof=True), bmi=Field(10, 60)
)
SEED = 41
AGES = {
    "hospital": [41, 42, 70],
    "clinic": [43, 5, 50],
    "lab": [44, 45],
    "hospital/ward": [46, 71],
}
HOUR = datetime.timedelta(hours=1)


def table(path: str, ages: Sequence[int], first: int = 0) -> pl.DataFrame:
    """Return records of a provider, whose ids tell it; `sbp` is a hundred more than the age."""
    ids = [f"{path} {number}" for number in range(first, first + len(ages))]
    columns = {"id": ids, "age": ages, "bmi": [20] * len(ages)}
    return pl.DataFrame(columns).with_columns(sbp=pl.col("age").cast(pl.Int64) + 100)


class World(Scene):
    """Providers in two groups, who have sealed what they sent, and a cloud that may lie."""

    cloud: Dishonest

    def __init__(self, ages: dict[str, list[int]] | None = None, **options: Any) -> None:
        self.ages = AGES if ages is None else ages
        owner = Owner.from_insecure_seed(SCHEMA, SEED)
        super().__init__(SCHEMA, *self.ages, owner=owner, cloud=Dishonest(**options))
        self.old = Cloud()
        """A cloud of the same state, until more is sent to the other."""
        self.old.enroll(owner.public)
        for path, values in self.ages.items():
            for message in (self[path].encrypt(table(path, values), id="id"), self[path].seal):
                message = message() if callable(message) else message
                self.cloud.receive(message)
                self.old.receive(message)

    def seal(self, *paths: str, **how: Any) -> None:
        """Have providers seal what they have."""
        for path in paths:
            self.cloud.receive(self[path].seal(**how))

    def lies(self, lie: Callable[[Told], None]) -> "World":
        """Have the cloud lie from now on."""
        self.cloud.lie = lie
        return self

    def ids(self, asker: Owner | Provider | None = None, **how: Any) -> list[str]:
        """Return the ids of what is found."""
        return sorted((asker or self.owner).ask(self.cloud, **how)["id"])

    def blames(self, *providers: str, why: str | None = None, **ranges: Any) -> None:
        """Assert that a lie is found, whose part it is, and that everybody else's is opened."""
        ranges = ranges or {"age": (40, 60)}
        with pytest.raises(ProofError, match=why) as error:
            self.owner.ask(self.cloud, proof=True, **ranges)
        assert error.value.providers == providers
        records, faults = self.owner.ask(self.cloud, proof=True, faults="report", **ranges)
        told_of = faults["provider"].to_list()
        assert sorted(set(told_of)) == sorted(providers)
        low, high = ranges["age"]
        expected = [
            f"{path} {number}"
            for path, ages in self.ages.items()
            for number, age in enumerate(ages)
            if path not in providers and low <= age <= high
        ]
        assert sorted(records["id"]) == sorted(expected)


@pytest.fixture
def world() -> World:
    return World()


def inside(ages: dict[str, list[int]] = AGES, low: int = 40, high: int = 60) -> list[str]:
    """Return the ids of all records of a range."""
    return sorted(
        f"{path} {number}"
        for path, values in ages.items()
        for number, age in enumerate(values)
        if low <= age <= high
    )


# Honest answers


@pytest.mark.parametrize("proof", [True, "sums"])
def test_an_honest_answer_is_proven(world, proof):
    query = world.owner.query(age=(40, 60), proof=proof)
    answer = world.cloud.search(query)
    assert answer.proven is None
    found = world.owner.decrypt(answer, query, proof=proof)
    assert sorted(found["id"]) == inside() == world.ids(age=(40, 60), proof=proof)
    assert answer.proven.sort("provider").rows() == [
        ("clinic", "the group of the owner", 1, None, 3, 0, True, None),
        ("hospital", "the group of the owner", 1, None, 3, 0, True, None),
        ("hospital/ward", answer.proven["group"][3], 1, None, 2, 0, True, None),
        ("lab", "the group of the owner", 1, None, 2, 0, True, None),
    ]
    assert world.owner.prove(answer, query).equals(answer.proven)


def test_a_proof_travels_with_its_answer(world):
    query = world.owner.query(age=(40, 60), proof=True)
    answer = world.cloud.search(query)
    again = Answer.from_bytes(bytes(answer))
    assert bytes(again) == bytes(answer)
    assert again.proof_nbytes == answer.proof_nbytes > 0
    assert sorted(world.owner.decrypt(pickle.loads(pickle.dumps(answer)), query, proof=True)["id"])


@pytest.mark.parametrize("low", [0, 41, 99])
@pytest.mark.parametrize("high", [41, 99])
def test_every_range_is_proven(world, low, high):
    if low <= high:
        assert world.ids(age=(low, high), proof=True) == inside(low=low, high=high)


def test_a_conjunction_is_proven(world):
    assert world.ids(age=(40, 60), sbp=(142, 150), proof=True) == [
        "clinic 0",
        "clinic 2",
        "hospital 1",
        "hospital/ward 0",
        "lab 0",
        "lab 1",
    ]


def test_a_value_that_is_null_is_in_no_range(world):
    rows = table("lab", [47, None], first=9).with_columns(sbp=pl.lit(None, pl.Int64))
    world.send("lab", rows)
    world.seal("lab")
    assert "lab 9" in world.ids(age=(40, 60), proof=True)
    assert "lab 9" not in world.ids(age=(40, 60), sbp=(60, 260), proof=True)
    assert len(world.ids(age=(0, 99), proof=True)) == 11


def test_a_count_is_proven(world):
    count = world.owner.count(world.cloud, age=(40, 60), proof=True)
    assert count == 7
    assert count.proven["is_proven"].all()
    assert world.owner.count(world.cloud, age=(40, 60), sbp=(144, 160), proof=True) == 4
    assert world.owner.count(world.cloud, age=(40, 60)) == 7
    assert world.owner.count(world.cloud, age=(98, 99), proof=True) == 0


def test_a_provider_proves_its_own_subtree(world):
    hospital = world["hospital"]
    assert world.ids(hospital, age=(40, 60), proof=True) == [
        "hospital 0",
        "hospital 1",
        "hospital/ward 0",
    ]
    assert hospital.count(world.cloud, age=(40, 60), proof=True) == 3
    world.lies(lambda answer: answer.omit("hospital"))
    with pytest.raises(ProofError) as error:
        hospital.ask(world.cloud, age=(40, 60), proof=True)
    assert error.value.providers == ("hospital",)


@pytest.mark.parametrize("answer_bytes", [1, 300])
def test_an_answer_in_pages_is_proven(answer_bytes):
    world = World(answer_bytes=answer_bytes)
    owner, cloud = world.owner, world.cloud
    assert world.ids(age=(40, 60), proof=True) == inside()
    query = owner.query(age=(40, 60), proof=True)
    answer = cloud.search(query, in_detail=True)
    pages = 1
    while answer.goes_on(query):
        assert answer.proof_nbytes == 0
        answer += cloud.search(query, after=answer, in_detail=True)
        pages += 1
    assert pages > 1
    assert sorted(owner.decrypt(answer, query, proof=True)["id"]) == inside()
    number, pages_told = Told.of_answer(bytes(answer))
    pages_told.omit("lab")
    with pytest.raises(ProofError) as error:
        owner.prove(Answer.from_bytes(pages_told.answer(number)), query)
    assert error.value.providers == ("lab",)


# The lies


def omit(answer: Told) -> None:
    answer.omit("clinic")


def omit_all_of_an_upload(answer: Told) -> None:
    at = answer.index("clinic")
    answer.parts[at] = told(answer.parts[at], [])


def omit_a_provider(answer: Told) -> None:
    """Leave all of a provider out, and its seal."""
    omit_all_of_an_upload(answer)
    if answer.proof is not None:
        answer.proof.heads = [head for head in answer.proof.heads if b"clinic" not in head]


def call_unsealed(answer: Told) -> None:
    if answer.proof is not None:
        answer.proof.tokens[0].unsealed.append(answer.part("clinic").upload)


def hide_as_dropped(answer: Told) -> None:
    upload, row = answer.omit("clinic")
    if answer.proof is not None:
        answer.proof.ranges[0].dropped.append(Listed("clinic", upload, [row]))


def hide_as_removed(answer: Told) -> None:
    upload, row = answer.omit("clinic")
    if answer.proof is not None:
        answer.proof.ranges[0].gone.append(Gone("clinic", upload, row, 0, 0))


def give_to_another(answer: Told) -> None:
    """Show a record of the clinic's as the lab's."""
    at, part = answer.index("lab"), answer.part("clinic")
    mine = answer.parts[at]
    where = {"provider": mine.provider, "epochs": mine.epochs}
    answer.parts[at] = told(part, page=mine.page, is_last=mine.is_last, **where)
    answer.parts[answer.index("clinic")] = told(part, [])


ONE = [
    (omit, "are not those that it sealed"),
    (omit_all_of_an_upload, "are not those that it sealed"),
    (hide_as_dropped, "in every range, and not in the answer"),
    (hide_as_removed, "called removed, and it did not"),
]


@pytest.mark.parametrize(("lie", "why"), ONE)
def test_what_is_left_out_passes_without_a_proof_and_is_found_with_it(world, lie, why):
    assert world.lies(lie).ids(age=(40, 60)) != inside()
    world.blames("clinic", why=why)


@pytest.mark.parametrize(("lie", "why"), ONE)
def test_what_is_left_out_is_found_by_a_provider_of_those_below_it(lie, why):
    world = World({"hospital": [41], "hospital/clinic": [43, 50], "hospital/lab": [45]})

    def below(answer: Told) -> None:
        """Tell the lie of the clinic below the hospital."""
        ward = "hospital/clinic"
        upload, row = answer.omit(ward)
        if answer.proof is not None and lie is not omit:
            listed = Listed("clinic", upload, [row])
            of = answer.proof.tokens[-1].ranges[0]
            if lie is hide_as_dropped:
                of.dropped.append(listed)
            if lie is hide_as_removed:
                of.gone.append(Gone("clinic", upload, row, 0, 0))

    assert world.lies(below).ids(world["hospital"], age=(40, 60)) != []
    with pytest.raises(ProofError) as error:
        world["hospital"].ask(world.cloud, age=(40, 60), proof=True)
    assert error.value.providers == ("hospital/clinic",)


def test_a_provider_that_is_left_out_with_its_seal_is_unproven(world):
    assert world.lies(omit_a_provider).ids(age=(40, 60)) == [
        name for name in inside() if not name.startswith("clinic")
    ]
    world.blames("clinic", why="it has sealed nothing")


def test_a_sealed_upload_that_is_called_unsealed_is_found(world):
    assert world.lies(call_unsealed).ids(age=(40, 60)) == inside()
    world.blames("clinic")


def test_records_that_are_moved_between_providers_are_found(world):
    world.lies(give_to_another)
    with pytest.raises(MopseError):
        world.owner.ask(world.cloud, age=(40, 60))
    world.blames("clinic", "lab")


def test_a_record_that_comes_twice_is_refused_with_and_without_a_proof(world):
    def doubled(answer: Told) -> None:
        at = answer.index("clinic")
        answer.parts[at] = told(answer.parts[at], [0, 0, 1])

    world.lies(doubled)
    for proof in (None, True):
        with pytest.raises(AnswerError, match="twice"):
            world.owner.ask(world.cloud, age=(40, 60), proof=proof)


def test_the_answer_to_another_range_is_found_though_its_own_proof_comes_with_it(world):
    other = world.owner.query(age=(0, 50), proof=True)
    _, theirs = Told.of_answer(bytes(world.cloud.search(other)))

    def lie(answer: Told) -> None:
        tokens = [part.token for part in answer.parts if part.is_last]
        kept = [part for part in theirs.parts if len(part)]
        of_root = [part for part in kept if "/" not in part.provider]
        of_ward = [part for part in kept if "/" in part.provider]
        answer.parts = []
        for token, parts in zip(tokens, (of_root, of_ward), strict=True):
            last = len(parts) - 1
            answer.parts += [
                told(part, token=token, page=at, is_last=at == last)
                for at, part in enumerate(parts)
            ]
        if answer.proof is not None:
            answer.proof.tokens = theirs.proof.tokens

    world.lies(lie)
    with pytest.raises(MopseError):
        # Whoever opens records finds one that is in none of the cells, and misses none.
        world.owner.ask(world.cloud, age=(40, 60))
    with pytest.raises(ProofError):
        world.owner.ask(world.cloud, age=(40, 60), proof=True)
    # Also where every record matches, and some are missing.
    other = world.owner.query(age=(43, 44), proof=True)
    _, theirs = Told.of_answer(bytes(world.cloud.search(other)))

    def narrower(answer: Told) -> None:
        kept = {"clinic": [0], "lab": [0]}
        answer.parts = [
            told(part, kept.get(part.provider, []) if len(part) else None) for part in answer.parts
        ]
        if answer.proof is not None:
            answer.proof.tokens = theirs.proof.tokens

    assert world.lies(narrower).ids(age=(40, 60)) == ["clinic 0", "lab 0"]
    with pytest.raises(ProofError):
        world.owner.ask(world.cloud, age=(40, 60), proof=True)


def test_a_false_sum_with_true_slots_harms_nobody_and_without_slots_proves_nobody(world):
    def false_sum(answer: Told) -> None:
        if answer.proof is not None:
            for range_ in answer.proof.ranges:
                range_.sums = [(slots, sum_ ^ 1) for slots, sum_ in range_.sums]

    def without_slots(answer: Told) -> None:
        false_sum(answer)
        for range_ in answer.proof.ranges:
            range_.slots = []

    assert world.lies(false_sum).ids(age=(40, 60), proof=True) == inside()
    world.lies(without_slots)
    for faults in ("raise", "report"):
        with pytest.raises(ProofError, match="a sum of all providers is wrong") as error:
            world.owner.ask(world.cloud, age=(40, 60), proof=True, faults=faults)
        assert error.value.providers == ()


def test_slots_that_are_not_shown_prove_nobody_although_somebody_else_is_at_fault(world):
    world.authorize("new")
    world.enroll()

    def lie(answer: Told) -> None:
        answer.omit("clinic")
        for range_ in answer.proof.ranges:
            range_.slots = []

    world.lies(lie)
    with pytest.raises(ProofError, match="a sum of all providers is wrong") as error:
        world.owner.ask(world.cloud, age=(40, 60), proof=True, faults="report")
    assert error.value.providers == ("new",)
    query = world.owner.query(age=(40, 60), proof=True)
    answer = world.cloud.search(query)
    with pytest.raises(ProofError, match="a sum of all providers is wrong"):
        world.owner.decrypt(answer, query, proof=True, faults="report")
    with pytest.raises(ProofError, match="new"):
        world.owner.prove(answer, query)
    assert answer.proven["is_proven"].to_list() == [False] * 5


@pytest.mark.parametrize("part", ["values", "paths", "provider"])
def test_false_slots_are_blamed_on_whose_they_are(world, part):
    def lie(answer: Told) -> None:
        if answer.proof is None:
            return
        range_ = answer.proof.ranges[0]
        range_.sums = [(slots, sum_ ^ 1) for slots, sum_ in range_.sums]
        for slots in range_.slots:
            if slots.provider == "clinic":
                if part == "values":
                    slots.values[0] ^= 1
                elif part == "paths":
                    slots.paths[1][0] = bytes(32)
                else:
                    slots.provider = "nobody"

    why = "among those that the cloud adds up" if part == "provider" else "shows other sums"
    world.lies(lie).blames("clinic", why=why)


def test_what_a_holder_of_a_grant_forges_is_found(world):
    """What a record holds is in its digest, whoever seals it; so is what its author tag covers."""

    def lie(answer: Told) -> None:
        at = answer.index("clinic")
        part = answer.parts[at]
        [(name, layout, (ends, blob))] = part.portions
        changed = bytes([blob[0] ^ 1]) + blob[1:]
        answer.parts[at] = told(part, portions=[(name, layout, (ends, changed))])

    world.lies(lie)
    with pytest.raises(MopseError):
        world.owner.ask(world.cloud, age=(40, 60))
    world.blames("clinic", why="are not those that it sealed")


# Old states


def test_an_older_version_of_a_record_passes_without_a_proof_and_is_found_with_it(world):
    changed = table("clinic", [49])
    update = world["clinic"].update(changed, id="id", cloud=world.cloud)
    world.cloud.receive(update)
    world.seal("clinic")
    assert world.ids(age=(49, 49), proof=True) == ["clinic 0"]
    # Who saw the new seal is shown the old state.
    assert sorted(world.owner.ask(world.old, age=(43, 43))["id"]) == ["clinic 0"]
    with pytest.raises(ProofError, match="shows seal 1, and 2 was seen before") as error:
        world.owner.ask(world.old, age=(43, 43), proof=True)
    assert error.value.providers == ("clinic",)
    found, faults = world.owner.ask(world.old, age=(40, 60), proof=True, faults="report")
    assert sorted(found["id"]) == [name for name in inside() if not name.startswith("clinic")]
    assert faults["provider"].to_list() == ["clinic"]
    # Who never did cannot know, and does when it compares.
    other = Owner.from_insecure_seed(SCHEMA, SEED)
    other.catch_up(world.old)
    assert other.ask(world.old, age=(43, 43), proof=True).height == 1
    assert other.seals["clinic"][0] == 1
    assert other.compare(world.owner) == {"hospital": 1, "hospital/ward": 1, "lab": 1}


def test_a_new_seal_with_old_records_is_found(world):
    update = world["clinic"].update(table("clinic", [49]), id="id", cloud=world.cloud)
    world.cloud.receive(update)
    world.seal("clinic")

    def lie(answer: Told) -> None:
        """Show the records of before with the newest proof."""
        _, old = Told.of_answer(bytes(world.old.search(world.cloud.asked[-1][0])))
        snapshot = answer.parts[0].snapshot
        answer.parts = [told(part, snapshot=snapshot) for part in old.parts]

    world.lies(lie)
    assert world.ids(age=(43, 43)) == ["clinic 0"]
    assert world.ids(age=(49, 49)) == []
    for age in (43, 49):
        with pytest.raises(ProofError) as error:
            world.ids(age=(age, age), proof=True)
        assert error.value.providers == ("clinic",)


def test_a_fork_that_is_shown_to_two_askers_is_found_when_they_compare(world):
    clinic = world["clinic"]
    first = clinic.encrypt(table("clinic", [55], first=9), id="id")
    world.cloud.receive(first)
    world.seal("clinic")
    # Another worker of the provider is shown the other state, and seals that.
    worker = world.owner.authorize("clinic")
    world.old.receive(worker.encrypt(table("clinic", [56], first=9), id="id"))
    world.old.receive(worker.seal(cloud=world.old))
    one, other = world.owner, Owner.from_insecure_seed(SCHEMA, SEED)
    other.catch_up(world.old)
    assert one.ask(world.cloud, age=(55, 56), proof=True)["age"].to_list() == [55]
    assert other.ask(world.old, age=(55, 56), proof=True)["age"].to_list() == [56]
    for left, right in [(one, other), (other, one), (other, clinic), (clinic, other)]:
        with pytest.raises(ProofError, match="two histories were shown of") as error:
            left.compare(right)
        assert error.value.providers == ("clinic",)
    assert one.compare(clinic) == {"clinic": 2}
    # Either is found out too when it goes to the other cloud.
    with pytest.raises(ProofError, match="another seal 2 than the one that was seen") as error:
        other.ask(world.cloud, age=(55, 56), proof=True)
    assert error.value.providers == ("clinic",)


def test_who_has_seen_seals_of_an_earlier_epoch_compares_with_who_has_not(world):
    world.send("clinic", table("clinic", [51], first=9))
    world.seal("clinic")
    world.ids(age=(40, 60), proof=True)
    assert world.owner.seals["clinic"][0] == 2
    world.owner.revoke("lab")
    world.enroll()
    clinic = world.authorize("clinic")
    world.send("clinic", table("clinic", [52], first=20))
    world.seal("clinic")
    assert world.owner.compare(clinic) == {}
    with pytest.raises(ProofError) as error:
        world.ids(age=(40, 60), proof=True)
    # These have sealed nothing in this epoch.
    assert error.value.providers == ("hospital", "hospital/ward")
    assert world.owner.seals["clinic"][0] == 1
    assert world.owner.compare(clinic) == {"clinic": 1} == clinic.compare(world.owner)


# What comes and goes after a seal


def test_what_came_after_a_seal_is_answered_and_named_unsealed(world):
    world.send("clinic", table("clinic", [51, 52], first=9))
    query = world.owner.query(age=(40, 60), proof=True)
    answer = world.cloud.search(query)
    assert world.owner.decrypt(answer, query, proof=True).height == 9
    assert dict(answer.proven.select("provider", "unsealed").iter_rows())["clinic"] == 2
    count = world.owner.count(world.cloud, age=(40, 60), proof=True)
    assert (count, count.proven["unsealed"].sum()) == (9, 2)

    # It may be left out, and nobody notices, until it is sealed.
    def lie(answer: Told) -> None:
        newest = [at for at, part in enumerate(answer.parts) if part.provider == "clinic"][-1]
        answer.parts[newest] = told(answer.parts[newest], [])

    assert world.lies(lie).ids(age=(40, 60), proof=True) == inside()
    world.seal("clinic")
    with pytest.raises(ProofError):
        world.ids(age=(40, 60), proof=True)


def test_what_was_changed_and_removed_after_a_seal_is_shown_with_what_removed_it(world):
    clinic, cloud = world["clinic"], world.cloud
    cloud.receive(clinic.update(table("clinic", [48]), id="id", cloud=cloud))
    cloud.receive(clinic.delete(["clinic 2"], cloud=cloud))
    expected = [name for name in inside() if name != "clinic 2"]
    for ranges in ({"age": (40, 60)}, {"age": (40, 60), "sbp": (140, 160)}):
        assert world.ids(proof=True, **ranges) == expected
        assert world.owner.count(cloud, proof=True, **ranges) == len(expected)
    assert world.ids(world["hospital"], age=(40, 60), proof=True)
    world.seal("clinic")
    assert world.ids(age=(40, 60), proof=True) == expected


def test_a_removal_that_was_made_hides_no_other_record(world):
    clinic, cloud = world["clinic"], world.cloud
    cloud.receive(clinic.delete(["clinic 2"], cloud=cloud))

    def lie(answer: Told) -> None:
        upload, row = answer.omit("clinic")
        if answer.proof is not None:
            gone = answer.proof.ranges[0].gone
            gone.append(Gone("clinic", upload, row, gone[0].by, gone[0].at))

    def of_another(answer: Told) -> None:
        upload, row = answer.omit("lab")
        if answer.proof is not None:
            gone = answer.proof.ranges[0].gone
            gone.append(Gone("lab", upload, row, gone[0].by, gone[0].at))

    def twice(answer: Told) -> None:
        if answer.proof is not None:
            answer.proof.ranges[0].gone *= 2

    def still_there(answer: Told) -> None:
        """Show that a record is removed, and the record."""
        if answer.proof is not None:
            answer.proof.ranges[0].gone = []

    ages = {**AGES, "clinic": [43, 5]}
    world.ages = ages
    for told_of, provider in [
        (lie, "clinic"),
        (of_another, "lab"),
        (twice, "clinic"),
        (still_there, "clinic"),
    ]:
        world.lies(told_of).blames(provider)


def test_a_removed_record_that_is_shown_is_found(world):
    query = world.owner.query(age=(40, 60), proof=True)
    _, before = Told.of_answer(bytes(world.cloud.search(query)))
    world.cloud.receive(world["clinic"].delete(["clinic 2"], cloud=world.cloud))

    def lie(answer: Told) -> None:
        at, old = answer.index("clinic"), before.part("clinic")
        now = answer.parts[at]
        answer.parts[at] = told(old, token=now.token, snapshot=now.snapshot)

    world.ages = {**AGES, "clinic": [43, 5]}
    assert "clinic 2" in world.lies(lie).ids(age=(40, 60))
    world.blames("clinic", why="there and removed")
    world.lies(lambda answer: None)
    world.seal("clinic")
    world.lies(lie).blames("clinic", why="are not those that it sealed")


# Conjunctions and counts

BOTH = {"age": (40, 60), "sbp": (140, 160)}


def dropped(answer: Told) -> list[Range]:
    """Return the ranges of the first token."""
    return answer.proof.tokens[0].ranges if answer.proof is not None else []


def hide_in(*lists: int) -> Callable[[Told], None]:
    """Return the lie that hides a hit in the lists of some ranges."""

    def lie(answer: Told) -> None:
        upload, row = answer.omit("clinic")
        for number in lists:
            for range_ in dropped(answer)[number : number + 1]:
                range_.dropped.append(Listed("clinic", upload, [row]))

    return lie


def drop_a_hit(answer: Told) -> None:
    """Name a hit as one that is not in the answer."""
    part = answer.part("clinic")
    for range_ in dropped(answer)[:1]:
        range_.dropped.append(Listed("clinic", part.upload, [row_of(part, 0)]))


def drop_twice(answer: Told) -> None:
    for range_ in dropped(answer):
        for listed in range_.dropped:
            if listed.provider == "clinic":
                listed.rows *= 2


def drop_nothing(answer: Told) -> None:
    for range_ in dropped(answer):
        range_.dropped = [listed for listed in range_.dropped if listed.provider != "clinic"]


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (hide_in(), "are not those that it sealed"),
        (hide_in(0), "are not those that it sealed"),
        (hide_in(1), "are not those that it sealed"),
        (hide_in(0, 1), "in every range, and not in the answer"),
        (hide_in(0, 0, 1), "a row of it twice"),
        (drop_a_hit, "in the answer and among those that are not"),
    ],
    ids=["in no list", "in the first", "in the last", "in both", "twice in one", "though a hit"],
)
def test_a_hit_is_hidden_in_no_list_of_a_conjunction(world, lie, why):
    if lie is not drop_a_hit:
        assert world.lies(lie).ids(**BOTH) != inside()
    world.lies(lie).blames("clinic", why=why, **BOTH)


@pytest.mark.parametrize(("lie", "why"), [(drop_twice, "twice"), (drop_nothing, "are not those")])
def test_lists_of_a_conjunction_hold_what_its_ranges_do(world, lie, why):
    ranges = {"age": (0, 99), "sbp": (143, 160)}
    world.lies(lie)
    with pytest.raises(ProofError, match=why) as error:
        world.ids(proof=True, **ranges)
    assert error.value.providers == ("clinic",)


def count_less(answer: Told) -> None:
    for listed in answer.proof.tokens[0].hits:
        if listed.provider == "clinic":
            listed.rows.pop()


def count_twice(answer: Told) -> None:
    for listed in answer.proof.tokens[0].hits:
        if listed.provider == "clinic":
            listed.rows.append(listed.rows[0])


def count_what_is_not(answer: Told) -> None:
    hits = answer.proof.tokens[0].hits
    clinic = next(listed for listed in hits if listed.provider == "clinic")
    clinic.rows.append((5, bytes(32)))


@pytest.mark.parametrize("lie", [count_less, count_twice, count_what_is_not])
@pytest.mark.parametrize("ranges", [{"age": (40, 60)}, BOTH])
def test_a_false_count_passes_without_a_proof_and_is_found_with_it(world, lie, ranges):
    world.lies(lie)
    assert world.owner.count(world.cloud, **ranges) != 7
    with pytest.raises(ProofError) as error:
        world.owner.count(world.cloud, proof=True, **ranges)
    assert error.value.providers == ("clinic",)


def test_records_that_are_counted_and_called_unsealed_are_told_apart(world):
    def lie(answer: Told) -> None:
        answer.proof.tokens[0].hits.append(Listed("lab", 77, [(5, bytes(32)), (6, bytes(32))]))
        answer.proof.tokens[0].unsealed.append(77)

    count = world.lies(lie).owner.count(world.cloud, age=(40, 60), proof=True)
    assert (count, count.proven["unsealed"].sum()) == (9, 2)


def test_a_count_travels(world):
    query = world.owner.query(age=(40, 60), proof=True)
    count = world.cloud.count(query, proof=True)
    again = pickle.loads(pickle.dumps(count))
    assert (again, bytes(again)) == (count, bytes(count))
    assert count.nbytes == len(bytes(count))
    assert repr(count) == f"Count(7, nbytes={count.nbytes})"
    assert world.owner.prove(again, query)["is_proven"].all()


# Proofs of something else


def test_a_proof_is_of_its_query_and_its_state(world):
    owner, cloud = world.owner, world.cloud
    query, other = (owner.query(age=(40, high), proof=True) for high in (60, 61))
    _, theirs = Told.of_answer(bytes(cloud.search(other)))

    def exchange(answer: Told) -> None:
        answer.proof = theirs.proof

    def of_no_token(answer: Told) -> None:
        answer.proof.tokens.pop()

    def of_no_range(answer: Told) -> None:
        answer.proof.tokens[0].ranges.pop()

    def of_another_state(answer: Told) -> None:
        answer.proof.snapshot += 1

    def of_tokens_turned(answer: Told) -> None:
        answer.proof.tokens.reverse()

    def upload_twice(answer: Told) -> None:
        answer.proof.tokens[0].unsealed += [5, 5]

    def of_nobody(answer: Told) -> None:
        answer.proof.ranges[0].dropped.append(Listed("nobody", 5, [(1, bytes(32))]))

    lies = [exchange, of_no_token, of_no_range, of_another_state, of_tokens_turned]
    for lie in (*lies, upload_twice, of_nobody):
        world.lies(lie)
        for faults in ("raise", "report"):
            answer = cloud.search(query)
            with pytest.raises(ProofError):
                owner.decrypt(answer, query, proof=True, faults=faults)


def test_what_goes_with_a_proof_is_signed(world):
    world.cloud.receive(world["clinic"].delete(["clinic 2"], cloud=world.cloud))

    def head(answer: Told) -> None:
        changed = bytearray(answer.proof.heads[0])
        changed[-1] ^= 1
        answer.proof.heads[0] = bytes(changed)

    def evidence(answer: Told) -> None:
        of = answer.proof.evidence[0]
        of.chunks = of.chunks[:-1] + bytes([of.chunks[-1] ^ 1])

    def evidence_elsewhere(answer: Told) -> None:
        answer.proof.evidence[0].first += 1

    query = world.owner.query(age=(40, 60), proof=True)
    for lie in (head, evidence, evidence_elsewhere):
        with pytest.raises(SignatureError):
            world.owner.decrypt(world.lies(lie).cloud.search(query), query, proof=True)


def test_what_carries_no_proof_is_not_proven(world):
    owner, cloud = world.owner, world.cloud
    plain, asked = owner.query(age=(40, 60)), owner.query(age=(40, 60), proof=True)
    assert cloud.search(plain).proof_nbytes == 0
    assert cloud.search(asked, proof=False).proof_nbytes == 0
    for answer, query in [(cloud.search(plain), plain), (cloud.search(asked, proof=False), asked)]:
        with pytest.raises(ProofError, match="no proof came"):
            owner.decrypt(answer, query, proof=True)
        with pytest.raises(ProofError, match="no proof came"):
            owner.prove(answer, query)
    with pytest.raises(ProofError, match="made without proof=True"):
        owner.prove(cloud.search(plain, proof=True), plain)
    lookup = owner.lookup(["clinic 0"], provider="clinic")
    with pytest.raises(ProofError, match="only ranges"):
        owner.prove(cloud.search(lookup, proof=True), lookup)
    with pytest.raises(InvalidInputError, match="carries no sums"):
        owner.query(bmi=(20, 30), proof=True)


# Who has no seal, and how old one may be


def test_a_member_without_a_seal_is_unproven(world):
    world.authorize("new")
    world.enroll()
    world.blames("new", why="sealed nothing")
    world["new"].catch_up(world.cloud)
    world.seal("new")
    assert world.ids(age=(40, 60), proof=True) == inside()


def test_seals_that_are_too_old_are_refused(world, monkeypatch):
    owner = Owner.generate(SCHEMA)
    scene = Scene(SCHEMA, "a", "b", owner=owner)
    now = time.time()
    for path, hours in (("a", 30), ("b", 2)):
        monkeypatch.setattr(time, "time", lambda hours=hours: now - hours * 3600)
        scene.send(path, table(path, [41]))
        scene.cloud.receive(scene[path].seal())
    monkeypatch.setattr(time, "time", lambda: now)
    ask = scene.owner.ask
    assert ask(scene.cloud, age=(40, 60), proof=True, max_age=30 * HOUR).height == 2
    with pytest.raises(ProofError, match="its seal is 30 hours old") as error:
        ask(scene.cloud, age=(40, 60), proof=True, max_age=29 * HOUR)
    assert error.value.providers == ("a",)
    with pytest.raises(ProofError) as error:
        scene.owner.count(scene.cloud, age=(40, 60), proof=True, max_age=HOUR)
    assert error.value.providers == ("a", "b")
    found, _ = ask(scene.cloud, age=(40, 60), proof=True, max_age=3 * HOUR, faults="report")
    assert found["provider"].to_list() == ["b"]
    for wrong, kind in [(3, WrongTypeError), (-HOUR, InvalidInputError)]:
        with pytest.raises(kind):
            ask(scene.cloud, age=(40, 60), proof=True, max_age=wrong)
    with pytest.raises(InvalidInputError, match="goes with proof"):
        ask(scene.cloud, age=(40, 60), max_age=HOUR)


# Warm and cold


def proof_of(world: World, since: int | None = None) -> int:
    """Return how many bytes prove the answer to a range without hits."""
    query = world.owner.query(age=(90, 99), proof=True)
    return world.cloud.search(query, since=since).proof_nbytes


def test_seals_that_are_known_do_not_come_again():
    sizes = []
    for count in (2, 20):
        world = World({f"p{number}": [number] for number in range(count)})
        query = world.owner.query(age=(90, 99), proof=True)
        state = world.cloud.search(query).state
        world.ids(age=(90, 99), proof=True)
        sizes.append((proof_of(world), proof_of(world, state)))
        # What an asker asks for itself is warm too.
        world.cloud.asked.clear()
        assert world.ids(age=(1, 1), proof=True) == ["p1 0"]
        assert [how for _, how in world.cloud.asked] == [{"proof": "sums", "since": state}]
        world.send("p0", table("p0", [95], first=7))
        world.seal("p0")
        assert world.ids(age=(95, 95), proof=True) == ["p0 7"]
        assert world.cloud.search(query, since=state).proof_nbytes < sizes[-1][0] or count == 2
    (cold, warm), (many_cold, many_warm) = sizes
    assert warm == many_warm < 150
    heads = (many_cold - many_warm) / 20
    assert heads == pytest.approx((cold - warm) / 2, abs=4)
    assert heads < 1000


# Seals that a cloud refuses


def test_a_cloud_takes_the_next_seal_of_what_is_stored_only(world):
    clinic, cloud = world["clinic"], world.cloud
    first = clinic.seal()
    assert (first.provider, first.number, len(first)) == ("clinic", 2, 3)
    assert not cloud.receive(first).repeated
    assert cloud.receive(bytes(first)).repeated
    skipped = clinic.seal() and clinic.seal()
    assert skipped.number == 4
    with pytest.raises(ChangedError, match="number 4, and number 3 comes next"):
        cloud.receive(skipped)
    with pytest.raises(ChangedError, match="number 2, and number 3 comes next"):
        cloud.receive(another_second_seal(world))
    worker = world.owner.authorize("clinic")
    with pytest.raises(ChangedError, match="number 1, and number 3 comes next"):
        cloud.receive(worker.seal())
    assert world.ids(age=(40, 60), proof=True) == inside()


def another_second_seal(world: World) -> Seal:
    """Return a second seal of the clinic that is not the one which the cloud has."""
    worker = world.owner.authorize("clinic")
    seal = worker.seal(cloud=world.old)
    assert seal.number == 2
    return seal


def test_a_seal_that_follows_another_one_is_refused(world):
    worker = world.owner.authorize("clinic")
    second_seal = worker.seal(cloud=world.old)
    world.seal("clinic")
    fork = worker.seal()
    assert (second_seal.number, fork.number) == (2, 3)
    with pytest.raises(ChangedError, match="follows another seal 2"):
        world.cloud.receive(fork)


def test_a_seal_of_other_records_is_refused_until_the_ledger_is_made_again(world):
    clinic, cloud = world["clinic"], world.cloud
    thrown = clinic.encrypt(table("clinic", [57], first=30), id="id")
    with pytest.raises(ChangedError, match="of 4 rows that are not the 3 stored"):
        cloud.receive(clinic.seal())
    seal = clinic.seal(cloud=cloud)
    assert (seal.number, len(seal)) == (2, 3)
    cloud.receive(seal)
    # The upload was not lost after all, and another worker has sent something.
    cloud.receive(thrown)
    cloud.receive(world.owner.authorize("clinic").encrypt(table("clinic", [58], first=40), id="id"))
    with pytest.raises(ChangedError, match="not the 5 stored"):
        cloud.receive(clinic.seal())
    cloud.receive(clinic.seal(cloud=cloud))
    assert set(world.ids(age=(57, 58), proof=True)) == {"clinic 30", "clinic 40"}


def test_an_upload_that_is_made_again_takes_the_place_of_the_first(world):
    clinic, cloud = world["clinic"], world.cloud
    clinic.encrypt(table("clinic", [57], first=30), id="id")
    cloud.receive(clinic.encrypt(table("clinic", [57], first=30), id="id"))
    world.seal("clinic")
    assert world.ids(age=(57, 57), proof=True) == ["clinic 30"]


def test_seals_of_who_left_of_another_owner_and_of_nobody_are_refused(world):
    seal = world["lab"].seal()
    world.owner.revoke("lab")
    world.enroll()
    with pytest.raises(ScopeError):
        world.cloud.receive(seal)
    other = Scene(SCHEMA, "lab", seed=SEED + 1)
    with pytest.raises(ScopeError):
        world.cloud.receive(other["lab"].seal())
    assert not hasattr(world.owner, "seal")


def test_a_seal_is_read_only_as_it_was_signed(world):
    message = bytes(world["clinic"].seal())
    head = len(message) - 16 * (101 + 52)
    assert head == Seal(message).head_nbytes
    flipped = [
        message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
        for at in range(0, len(message), 37)
    ]
    for changed in (
        *flipped,
        message[:-1],
        message[:-16],
        message + bytes(16),
        message[:head],
        message[: head + 16] + message[head:],
        message[: head + 16] + bytes(16) + message[head + 32 :],
        message[:head] + message[head + 16 :] + message[head : head + 16],
    ):
        for read in (Seal, world.cloud.receive):
            with pytest.raises((SignatureError, DamagedFileError, InvalidInputError, ScopeError)):
                read(changed)
    seal = Seal(message)
    assert repr(seal) == (
        "Seal(provider='clinic', number=2, records=3, tables={'age': 101, 'sbp': 52}, "
        f"nbytes={len(message)})"
    )


# Ledgers


def test_a_ledger_is_saved_beside_the_keyring(world, tmp_path):
    path, cloud = tmp_path / "clinic.keyring", world.cloud
    clinic = world["clinic"]
    cloud.receive(clinic.encrypt(table("clinic", [57], first=30), id="id"))
    clinic.save(path, "password")
    ledger = Path(f"{path}.ledger")
    assert sorted(tmp_path.iterdir()) == [path, ledger]
    assert ledger.stat().st_mode & 0o077 == 0
    opened = Provider.open(path, "password")
    assert opened.schema.proven == ("age", "sbp")
    cloud.receive(opened.seal())
    assert world.ids(age=(57, 57), proof=True) == ["clinic 30"]
    world.owner.compare(opened)
    owner = tmp_path / "owner"
    world.owner.save(owner, "password")
    assert not Path(f"{owner}.ledger").exists()
    again = Owner.open(owner, "password")
    assert again.seals == world.owner.seals
    with pytest.raises(ProofError, match="2 was seen before"):
        again.ask(world.old, age=(40, 60), proof=True)


@pytest.mark.parametrize("kind", ["lost", "empty", "cut", "changed", "other", "noise", "version"])
def test_a_ledger_that_is_lost_or_damaged_is_made_again(world, tmp_path, kind):
    path = tmp_path / "clinic.keyring"
    world["clinic"].save(path, "password")
    ledger = Path(f"{path}.ledger")
    whole = ledger.read_bytes()
    world["lab"].save(tmp_path / "lab", "password")
    damaged = {
        "empty": b"",
        "cut": whole[:-1],
        "changed": whole[:-1] + bytes([whole[-1] ^ 1]),
        "other": (tmp_path / "lab.ledger").read_bytes(),
        "noise": b"no ledger at all",
        "version": whole[:8] + b"\xff" + whole[9:],
    }
    ledger.unlink() if kind == "lost" else ledger.write_bytes(damaged[kind])
    opened = Provider.open(path, "password")
    with pytest.raises(InvalidInputError, match="no ledger"):
        opened.seal()
    seal = opened.seal(cloud=world.cloud)
    assert (seal.number, len(seal)) == (2, 3)
    world.cloud.receive(seal)
    assert world.ids(age=(40, 60), proof=True) == inside()


def test_a_ledger_that_is_older_than_the_keyring_is_found_out(world, tmp_path):
    path, clinic, cloud = tmp_path / "clinic", world["clinic"], world.cloud
    clinic.save(path, "password")
    before = Path(f"{path}.ledger").read_bytes()
    cloud.receive(clinic.encrypt(table("clinic", [57], first=30), id="id"))
    world.seal("clinic")
    clinic.save(path, "password")
    Path(f"{path}.ledger").write_bytes(before)
    opened = Provider.open(path, "password")
    with pytest.raises(ChangedError, match="number 2, and number 3 comes next"):
        cloud.receive(opened.seal())
    cloud.receive(opened.seal(cloud=cloud))
    assert opened.compare(world.owner) == {}
    assert world.ids(age=(57, 57), proof=True) == ["clinic 30"]


def test_a_provider_without_proven_fields_keeps_no_ledger(tmp_path):
    scene = Scene(Schema(age=Field(0, 99)), "clinic")
    scene.send("clinic", pl.DataFrame({"id": [1], "age": [40]}))
    with pytest.raises(InvalidInputError, match="no ledger"):
        scene["clinic"].seal()
    scene["clinic"].save(tmp_path / "clinic", "password")
    assert [file.name for file in tmp_path.iterdir()] == ["clinic"]
    seal = scene["clinic"].seal(cloud=scene.cloud)
    assert (len(seal), seal.tables) == (1, {})
    scene.cloud.receive(seal)
    with pytest.raises(InvalidInputError, match="carries no sums"):
        scene.owner.ask(scene.cloud, age=(40, 60), proof=True)


def test_a_ledger_is_not_made_of_less_than_was_sealed(world):
    clinic = world["clinic"]

    def omit(answer: Told) -> None:
        answer.omit("clinic")

    def call_unsealed(answer: Told) -> None:
        answer.proof.tokens[0].unsealed.append(answer.part("clinic").upload)

    def without_seal(answer: Told) -> None:
        answer.omit("clinic")
        answer.proof.heads = []

    def twice(answer: Told) -> None:
        answer.proof.heads *= 2

    clinic.ask(world.cloud, age=(0, 99), proof=True)  # has seen its seal there
    for lie in (omit, call_unsealed, without_seal, twice):
        with pytest.raises(ProofError):
            clinic.seal(cloud=world.lies(lie).cloud)
    assert len(clinic.seal()) == 3, "the ledger is what it was"


def test_an_older_seal_is_not_followed_once_a_newer_one_was_seen(world):
    clinic = world["clinic"]
    world.cloud.receive(clinic.seal(cloud=world.cloud))
    clinic.seal(cloud=world.cloud)
    with pytest.raises(ProofError, match="not show the newest seal"):
        clinic.seal(cloud=world.old)


@pytest.mark.parametrize("is_reopened", [False, True])
def test_what_a_provider_sealed_is_held_against_a_cloud_once_one_took_it(
    world, tmp_path, is_reopened
):
    clinic = world["clinic"]
    world.send("clinic", table("clinic", [57], first=30))
    seal = clinic.seal()
    assert world.ids(clinic, age=(40, 60), proof=True) == ["clinic 0", "clinic 2", "clinic 30"]
    world.cloud.receive(seal)
    world.cloud.receive(seal)  # again
    if is_reopened:
        clinic.save(tmp_path / "clinic.keyring", "correct horse battery")
        clinic = Provider.open(tmp_path / "clinic.keyring", "correct horse battery")
    # Nobody has shown it the second seal, and the cloud goes back to the first.
    with pytest.raises(ProofError, match="shows seal 1, and 2 was seen before") as error:
        clinic.ask(world.old, age=(40, 60), proof=True)
    assert error.value.providers == ("clinic",)
    with pytest.raises(ProofError, match="not show the newest seal"):
        clinic.seal(cloud=world.old)
    assert world.ids(clinic, age=(40, 60), proof=True) == ["clinic 0", "clinic 2", "clinic 30"]


def test_a_seal_that_travels_by_other_means_is_held_against_a_cloud_that_showed_it(world):
    clinic = world["clinic"]
    world.cloud.receive(bytes(clinic.seal()))
    assert clinic.ask(world.old, age=(40, 60), proof=True).height == 2
    assert clinic.ask(world.cloud, age=(40, 60), proof=True).height == 2
    with pytest.raises(ProofError, match="shows seal 1, and 2 was seen before"):
        clinic.ask(world.old, age=(40, 60), proof=True)


# Clouds that were restored, removals, epochs


def test_a_restored_cloud_is_found_out_and_numbers_go_on(world):
    clinic = world["clinic"]
    world.cloud.receive(clinic.encrypt(table("clinic", [57], first=30), id="id"))
    world.seal("clinic")
    world.seal("clinic")
    assert world.ids(age=(57, 57), proof=True) == ["clinic 30"]
    restored = world.old
    with pytest.raises(ProofError) as error:
        world.owner.ask(restored, age=(40, 60), proof=True)
    assert error.value.providers == ("clinic",)
    with pytest.raises(ChangedError):
        restored.receive(clinic.seal())
    restored.receive(world.owner.removal("clinic"))
    seal = clinic.seal(cloud=restored)
    assert len(seal) == 0
    assert seal.number > 3
    restored.receive(seal)
    restored.receive(clinic.encrypt(table("clinic", AGES["clinic"]), id="id"))
    restored.receive(clinic.seal())
    assert sorted(world.owner.ask(restored, age=(40, 60), proof=True)["id"]) == inside()


def test_a_provider_whose_records_were_removed_is_unproven_until_it_seals(world):
    clinic, cloud = world["clinic"], world.cloud
    world.ids(age=(40, 60), proof=True)
    cloud.receive(world.owner.removal("clinic"))
    world.blames("clinic", why="had all of it removed, and it has not sealed since")
    seal = clinic.seal(cloud=cloud)
    assert (seal.number, len(seal)) == (2, 0)
    cloud.receive(seal)
    rest = [name for name in inside() if not name.startswith("clinic")]
    assert world.ids(age=(40, 60), proof=True) == rest
    world.send("clinic", table("clinic", AGES["clinic"]))
    world.seal("clinic")
    assert world.ids(age=(40, 60), proof=True) == inside()
    assert world.owner.compare(clinic) == {"clinic": 3}


def test_what_the_operator_removed_is_found(world):
    world.ids(age=(40, 60), proof=True)
    world.cloud.remove("clinic")
    world.blames("clinic", why="among those that the cloud adds up")


def test_answers_are_proven_after_a_revocation_and_a_renewal(world):
    world.owner.revoke("lab")
    world.enroll()
    for path in ("hospital", "clinic", "hospital/ward"):
        world.authorize(path)
    world.enroll()
    for path in ("hospital", "clinic", "hospital/ward"):
        world[path].catch_up(world.cloud)
        world.seal(path)
    assert world.ids(age=(40, 60), proof=True) == inside()
    assert world["clinic"].renew(world.cloud) == 3
    world.seal("clinic")
    query = world.owner.query(age=(40, 60), proof=True)
    answer = world.cloud.search(query)
    assert sorted(world.owner.decrypt(answer, query, proof=True)["id"]) == inside()
    # Who left is still proven by its last seal.
    of_lab = answer.proven.filter(pl.col("provider") == "lab")
    assert of_lab.select("seal", "is_proven").rows() == [(1, True)]
    world.lies(lambda answer: answer.omit("lab"))
    with pytest.raises(ProofError) as error:
        world.ids(age=(40, 60), proof=True)
    assert error.value.providers == ("lab",)
    # What it sent is removed; nobody misses it.
    world.lies(lambda answer: None)
    world.cloud.receive(world.owner.removal("lab"))
    rest = [name for name in inside() if not name.startswith("lab")]
    assert world.ids(age=(40, 60), proof=True) == rest


def test_records_of_who_left_and_was_removed_are_not_shown_as_proven(world):
    before = world.owner.query(age=(40, 60), proof=True)
    _, old = Told.of_answer(bytes(world.cloud.search(before)))
    world.owner.revoke("lab")
    world.enroll()
    for path in ("hospital", "clinic", "hospital/ward"):
        world.authorize(path)
        world.enroll()
        world[path].catch_up(world.cloud)
        world.seal(path)
    world.cloud.receive(world.owner.removal("lab"))
    rest = [name for name in inside() if not name.startswith("lab")]
    assert world.ids(age=(40, 60), proof=True) == rest

    def lie(answer: Told) -> None:
        of_lab, first = old.part("lab"), answer.parts[answer.index("hospital")]
        at = answer.index("hospital")
        answer.parts.insert(
            at + 1,
            told(
                of_lab, token=first.token, snapshot=first.snapshot, page=first.page, is_last=False
            ),
        )
        of_token = [number for number, part in enumerate(answer.parts) if part.token == first.token]
        for page, number in enumerate(of_token):
            is_last = number == of_token[-1]
            answer.parts[number] = told(answer.parts[number], page=page, is_last=is_last)

    assert world.lies(lie).ids(age=(40, 60)) == inside()
    with pytest.raises(ProofError) as error:
        world.ids(age=(40, 60), proof=True)
    assert error.value.providers == ("lab",)


def test_a_provider_proves_its_own_records_in_a_later_epoch(world):
    world.owner.revoke("lab")
    world.enroll()
    clinic = world.authorize("clinic")
    world.send("clinic", table("clinic", [52], first=20))
    world.seal("clinic")
    assert world.ids(clinic, age=(52, 52), proof=True) == ["clinic 20"]
    world.cloud.receive(world.owner.removal("clinic"))
    with pytest.raises(ProofError, match="had all of it removed"):
        clinic.ask(world.cloud, age=(52, 52), proof=True)


# Histories


@pytest.mark.parametrize("seed", range(6))
def test_proven_answers_of_a_random_history_are_what_a_plain_filter_finds(seed):
    draw = random.Random(seed)
    paths = ["a", "b", "c", "a/d", "a/e"]
    world = World({path: [1, 50] for path in paths})
    plain = {f"{path} {number}": age for path in paths for number, age in enumerate([1, 50])}
    sealed = dict.fromkeys(plain, True)

    def step(path: str) -> None:
        provider, cloud = world[path], world.cloud
        own = [name for name in plain if name.rpartition(" ")[0] == path]
        kind = draw.choice(["add", "update", "delete", "seal", "lost"])
        if kind in ("add", "lost"):
            first = draw.randrange(100, 10**6)
            ages = [draw.randrange(100) for _ in range(draw.randrange(1, 5))]
            upload = provider.encrypt(table(path, ages, first), id="id")
            if kind == "lost":
                world.cloud.receive(provider.seal(cloud=cloud))
                sealed.update(dict.fromkeys(own, True))
                return
            cloud.receive(upload)
            added = {f"{path} {first + at}": age for at, age in enumerate(ages)}
            plain.update(added)
            sealed.update(dict.fromkeys(added, False))
        elif kind == "update" and own:
            name, age = draw.choice(own), draw.randrange(100)
            changed = table(path, [age], int(name.rpartition(" ")[2]))
            cloud.receive(provider.update(changed, id="id", cloud=cloud))
            plain[name], sealed[name] = age, False
        elif kind == "delete" and len(own) > 1:
            name = draw.choice(own)
            cloud.receive(provider.delete([name], cloud=cloud))
            del plain[name], sealed[name]
        else:
            cloud.receive(provider.seal())
            sealed.update(dict.fromkeys(own, True))

    for _ in range(25):
        step(draw.choice(paths))
        low = draw.randrange(100)
        high = draw.randrange(low, 100)
        expected = sorted(name for name, age in plain.items() if low <= age <= high)
        ranges = {"age": (low, high)}
        if draw.random() < 0.4:
            expected = [name for name in expected if plain[name] <= 70]
            ranges["sbp"] = (60, 170)
        assert world.ids(proof=True, **ranges) == expected
        asker = world[draw.choice(paths)]
        own = asker.path
        mine = [name for name in expected if name.startswith((f"{own} ", f"{own}/"))]
        assert world.ids(asker, proof=True, **ranges) == mine
        assert world.owner.count(world.cloud, proof=True, **ranges) >= len(expected)
        known = [name for name in expected if sealed[name]]
        if known:
            victim = draw.choice(known)
            path = victim.rpartition(" ")[0]
            handle = second.handle_of(key_of(path), victim)
            world.lies(random_lie(draw, path, handle))
            with pytest.raises(ProofError) as error:
                world.ids(proof=True, **ranges)
            assert error.value.providers == (path,)
            world.lies(lambda answer: None)


def key_of(path: str) -> bytes:
    """Return a provider's key, which the cloud has not; the test finds its handles by it."""
    owner = second.Party.owner(SEED, SCHEMA.digest)
    place = second.Place()
    for name in path.split("/"):
        place = place.below(name, second.FIRST)
    return owner.key_of(place)


def random_lie(draw: random.Random, path: str, handle: int) -> Callable[[Told], None]:
    """Return a lie about one record of an answer."""
    kind = draw.choice(["omit", "digest", "gone", "dropped", "unsealed"])

    def lie(answer: Told) -> None:
        for at, part in enumerate(answer.parts):
            handles = [high << 64 | low for high, low in part.handles.tolist()]
            if part.provider != path or handle not in handles:
                continue
            row = handles.index(handle)
            token = [part.token for part in answer.parts]
            number = sorted(set(token), key=token.index).index(part.token)
            of = answer.proof.tokens[number] if answer.proof is not None else None
            if kind == "unsealed":
                if of is not None:
                    of.unsealed.append(part.upload)
                return
            listed = Listed(path.rpartition("/")[2], part.upload, [row_of(part, row)])
            answer.parts[at] = told(part, [other for other in range(len(part)) if other != row])
            if of is None:
                return
            if kind == "digest":
                of.ranges[0].dropped.append(
                    Listed(listed.provider, listed.upload, [(handle, bytes(32))])
                )
            elif kind == "gone":
                of.ranges[-1].gone.append(
                    Gone(listed.provider, listed.upload, listed.rows[0], 0, 0)
                )
            elif kind == "dropped":
                of.ranges[draw.randrange(len(of.ranges))].dropped.append(listed)

    return lie


# Who was removed, or removed and authorised again


def test_who_was_revoked_removed_and_authorised_again_goes_on_with_its_numbers(world):
    owner, cloud = world.owner, world.cloud
    world.ids(age=(40, 60), proof=True)
    owner.revoke("clinic")
    world.enroll()
    cloud.receive(owner.removal("clinic"))
    paths = [path for path in world.providers if "/" not in path]
    for path in [*paths, *(path for path in world.providers if "/" in path)]:
        world.authorize(path)
    world.enroll()
    for path, provider in world.providers.items():
        provider.catch_up(cloud)
        provider.renew(cloud)
        cloud.receive(provider.seal(cloud=cloud))
        assert provider.renew(cloud) == 0, path
    rest = [name for name in inside() if not name.startswith("clinic")]
    assert world.ids(age=(40, 60), proof=True) == rest
    world.send("clinic", table("clinic", AGES["clinic"]))
    world.seal("clinic")
    assert world.ids(age=(40, 60), proof=True) == inside()


def test_a_fresh_keyring_goes_on_after_a_removal_where_the_cloud_says_how_far_it_was(world):
    owner, cloud = world.owner, world.cloud
    world.ids(age=(40, 60), proof=True)
    cloud.receive(owner.removal("clinic"))
    fresh = world.authorize("clinic")
    with pytest.raises(ChangedError, match="number 2 comes next here"):
        cloud.receive(fresh.seal())
    cloud.receive(fresh.encrypt(table("clinic", AGES["clinic"]), id="id"))
    seal = fresh.seal(cloud=cloud)
    assert seal.number == 2
    cloud.receive(seal)
    assert world.ids(age=(40, 60), proof=True) == inside()


def test_a_cloud_without_the_seals_is_said_to_have_none(world):
    world.ids(age=(40, 60), proof=True)
    other = Cloud()
    other.enroll(world.owner.public)
    for ask in (world.owner.ask, world.owner.count):
        with pytest.raises(ProofError, match="it has none there") as error:
            ask(other, age=(40, 60), proof=True)
        assert set(error.value.providers) == set(world.providers)


def test_one_kind_of_proof_is_not_taken_for_the_other(world):
    query = world.owner.query(age=(40, 60), proof=True)
    kinds = ("sums", "signatures")
    answers = {kind: Cloud.search(world.cloud, query, proof=kind) for kind in kinds}
    for kind, other in (("sums", "signatures"), ("signatures", "sums")):
        world.owner.prove(answers[kind], query, proof=kind)
        with pytest.raises(ProofError, match=f"are {other}, not {kind}"):
            world.owner.prove(answers[other], query, proof=kind)
