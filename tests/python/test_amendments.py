"""Amendments: a provider adds to another one's record, with the owner's permission, marked."""

import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scene import Scene
from stores.server import postgres

import mopse
from mopse import Cloud, Field, Schema, sharing
from mopse.errors import (
    DamagedFileError,
    InvalidInputError,
    MopseError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)
from mopse.messages import Permission

SCHEMA = Schema(age=Field(0, 99, proof=True), portions={"contact": ["name"]})
MARKS = ["amends", "amends_record", "amends_version", "amends_state"]
HOUR = datetime.timedelta(hours=1)


def table(*rows: tuple[int, int]) -> pl.DataFrame:
    """Return records of ids and ages."""
    ids, ages = zip(*rows, strict=True)
    return pl.DataFrame({"id": ids, "age": ages, "name": [f"name of {of}" for of in ids]})


@contextlib.contextmanager
def cloud_of(kind: str, folder: Path) -> Iterator[Cloud]:
    """Give a cloud: here in memory or in a file, or one that a service has."""
    if kind == "served":
        from service.serving import served_here

        with served_here(Cloud(), folder / "log.jsonl") as url:
            yield Cloud(url)
    elif kind == "postgres":
        yield Cloud(postgres().database())
    else:
        yield Cloud() if kind == "memory" else Cloud(str(folder / "phr.duckdb"))


@pytest.fixture(params=["memory", "duckdb", "postgres", "served"])
def scene(request: Any, tmp_path: Path) -> Iterator[Scene]:
    with cloud_of(request.param, tmp_path) as cloud:
        yield filled(cloud)


@pytest.fixture
def local() -> Scene:
    return filled(Cloud())


def filled(cloud: Cloud) -> Scene:
    """Return a hospital with records 1 to 3, and a ward with one of its own."""
    scene = Scene(SCHEMA, "hospital", "ward", "clinic", cloud=cloud)
    scene.send("hospital", table((1, 40), (2, 50), (3, 60)))
    scene.send("ward", table((1, 20)))
    return scene


def permitted(scene: Scene, *ids: int, **more: Any) -> Permission:
    return scene.owner.permit_amendments("ward", ids, of="hospital", cloud=scene.cloud, **more)


def amend(scene: Scene, *rows: tuple[int, int], **more: Any) -> mopse.messages.Receipt:
    if "permission" not in more:
        more["permission"] = permitted(scene, *(row[0] for row in rows))
    return scene.cloud.receive(scene["ward"].amend(table(*rows), id="id", **more))


def marked(records: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return provider, id, age, and what is amended and has become of it, in order."""
    wanted = ["provider", "id", "age", "amends", "amends_record", "amends_state"]
    return sorted(records.select(wanted).rows(), key=str)


ORIGINAL = ("hospital", 1, 40, None, None, None)
OWN = ("ward", 1, 20, None, None, None)


# Readers see both, marked


def test_readers_see_the_record_as_it_was_and_the_amendment_marked(scene):
    before = scene.owner.ask(scene.cloud, age=(0, 99))
    assert not {*before.columns} & {*MARKS}
    assert amend(scene, (1, 44)).added == 1
    found = scene.owner.ask(scene.cloud, age=(0, 49))
    amendment = ("ward", 1, 44, "hospital", "1", "same")
    assert marked(found) == sorted([ORIGINAL, OWN, amendment], key=str)
    assert found.columns == [*before.columns, *MARKS]
    plain = found.filter(pl.col("amends").is_null()).drop(MARKS)
    assert plain.sort("provider").equals(before.filter(pl.col("age") < 50).sort("provider"))
    # One that is found without the record says nothing of it.
    [row] = marked(scene.owner.ask(scene.cloud, age=44))
    assert row == ("ward", 1, 44, "hospital", "1", None)
    frames = scene.owner.ask(scene.cloud, age=(0, 49), by_provider=True)
    assert frames["hospital"].columns == before.columns
    assert marked(frames["ward"]) == sorted([OWN, amendment], key=str)
    assert scene["ward"].ask(scene.cloud, age=44)["amends"].to_list() == ["hospital"]
    assert scene.owner.ask(scene.cloud, age=(50, 99)).columns == before.columns


def test_a_record_leads_to_its_amendments_which_say_what_became_of_it(scene):
    def state(**more):
        found = scene.owner.amendments(scene.cloud, [1, 2], of="hospital", **more)
        return {row[:2]: row[5] for row in marked(found)}

    assert state() == {("hospital", 1): None, ("hospital", 2): None}
    amend(scene, (1, 44))
    assert state() == {("hospital", 1): None, ("hospital", 2): None, ("ward", 1): "same"}
    assert state(by=["clinic"]).keys() == {("hospital", 1), ("hospital", 2)}
    scene.cloud.receive(scene["hospital"].update(table((1, 41)), id="id", cloud=scene.cloud))
    assert state()["ward", 1] == "changed"
    scene.cloud.receive(scene["hospital"].delete([1], cloud=scene.cloud))
    assert state(by=["ward"]) == {("hospital", 2): None, ("ward", 1): "gone"}


def test_the_version_is_the_one_that_was_permitted(local):
    first = permitted(local, 1)
    local.cloud.receive(local["hospital"].update(table((1, 41)), id="id", cloud=local.cloud))
    amend(local, (1, 44), permission=first)
    second = permitted(local, 1)
    [state] = local.owner.ask(local.cloud, age=(41, 44))["amends_state"].drop_nulls()
    assert state == "changed"
    amend(local, (1, 45), permission=second, cloud=local.cloud)
    [state] = local.owner.ask(local.cloud, age=(41, 45))["amends_state"].drop_nulls()
    assert state == "same"


def test_an_amendment_is_changed_and_taken_back_as_any_record(scene):
    amend(scene, (1, 44), (2, 55))
    with pytest.raises(InvalidInputError, match=r"record 1 .* is stored already"):
        amend(scene, (1, 45))
    assert amend(scene, (1, 45), (3, 66), cloud=scene.cloud).replaced == 1
    query = scene["ward"].lookup([1], amending="hospital")
    assert amend(scene, (1, 46), versions=scene.cloud.search(query)).replaced == 1
    found = scene.owner.amendments(scene.cloud, [1, 2, 3], of="hospital", by=["ward"])
    assert sorted(found.drop_nulls("amends")["age"]) == [46, 55, 66]
    assert (
        scene.cloud.receive(
            scene["ward"].delete([1, 3], amending="hospital", cloud=scene.cloud)
        ).removed
        == 2
    )
    with pytest.raises(InvalidInputError, match=r"record 3 .* is not stored"):
        scene["ward"].delete([3], amending="hospital", cloud=scene.cloud)
    found = scene.owner.ask(scene.cloud, age=(0, 99))
    assert found["amends_record"].drop_nulls().to_list() == ["2"]
    assert found.filter(pl.col("provider") == "hospital").height == 3
    assert found.filter(pl.col("amends").is_null() & (pl.col("provider") == "ward")).height == 1


def test_ids_of_text_are_marked_as_they_are(local):
    named = pl.DataFrame({"id": ["Zoë", "7"], "age": [1, 2], "name": ["", ""]})
    local.send("clinic", named)
    permission = local.owner.permit_amendments("ward", ["Zoë"], of="clinic", cloud=local.cloud)
    one = named.head(1).with_columns(age=pl.lit(3))
    local.cloud.receive(local["ward"].amend(one, id="id", permission=permission))
    # The ids of this scene are of two types, which no column holds.
    found = local.owner.amendments(local.cloud, ["Zoë"], of="clinic")
    assert found["amends_record"].drop_nulls().to_list() == ["Zoë"]


def test_amendments_are_proven_as_what_their_provider_sealed(local):
    amend(local, (1, 44))
    for path in ("hospital", "ward", "clinic"):
        local.cloud.receive(local[path].seal())
    for proof in ("sums", "signatures"):
        found = local.owner.ask(local.cloud, age=(0, 99), proof=proof)
        assert found["amends"].drop_nulls().to_list() == ["hospital"]
    local.cloud.receive(local["ward"].seal(cloud=local.cloud))


def test_an_audit_log_has_an_amendment_as_an_upload(tmp_path):
    log = sharing.AuditLog()
    scene = filled(Cloud(audit_log=log))
    amend(scene, (1, 44))
    witness = sharing.Witness(scene.owner.key)
    witness.watch(scene.cloud, scene.owner)
    entries = witness.entries(scene.cloud, scene.owner)
    assert entries.filter(pl.col("what") == "upload")["who"].to_list() == [
        "hospital",
        "ward",
        "ward",
    ]


# Users


def user_of(scene: Scene, *shares: dict[str, Any]) -> mopse.User:
    user = mopse.User.generate()
    for share in shares:
        user.accept(scene.owner.share(user.public, **share))
    return user


def test_users_see_the_mark_wherever_their_grants_open_something(scene):
    amend(scene, (1, 44))
    query = scene.owner.query(age=(0, 49))
    answer = scene.cloud.search(query)
    both = user_of(scene, {"provider": "hospital"}, {"provider": "ward"})
    amendment = ("ward", 1, 44, "hospital", "1", "same")
    assert marked(both.decrypt(answer, query)) == sorted([ORIGINAL, OWN, amendment], key=str)
    without = user_of(scene, {"provider": "hospital"})
    found, _ = without.decrypt(answer, query, faults="report")
    assert found["provider"].to_list() == ["hospital"]
    assert "amends" not in found.columns
    some = user_of(scene, {"provider": "ward", "portions": ["contact"]})
    found, _ = some.decrypt(answer, query, faults="report")
    # The id is in another portion, and so it is not told which record is amended.
    assert found.select("name", *MARKS[:2]).sort("amends").rows() == [
        ("name of 1", None, None),
        ("name of 1", "hospital", None),
    ]
    later = scene.cloud.search(query := scene.owner.query(age=44))
    assert both.decrypt(later, query)["amends_state"].to_list() == [None]


def test_several_owners_and_several_users_meet_in_one_cloud(scene):
    other = Scene(SCHEMA, "hospital", cloud=scene.cloud)
    other.send("hospital", table((7, 70), (8, 71)))
    doctor, nurse = mopse.User.generate(), mopse.User.generate()
    for owner, users in ((scene.owner, [doctor, nurse]), (other.owner, [doctor, nurse])):
        for user in users:
            user.accept(owner.share(user.public, "hospital"))

    def read(user, of, ages):
        query = of.owner.query(age=ages)
        found, _ = user.ask(scene.cloud, query, faults="report")
        return sorted(found["id"].to_list()) if found.height else []

    for user in (doctor, nurse):
        assert read(user, scene, (30, 99)) == [1, 2, 3]
        assert read(user, other, (30, 99)) == [7, 8]
    assert doctor.granted["owner"].to_list() == [scene.owner.key, other.owner.key]
    anew = scene.owner.unshare(doctor.public)
    assert anew.keys() == {nurse.public}
    scene.enroll()
    scene["hospital"].catch_up(scene.cloud)
    [sealed] = anew[nurse.public]
    nurse.accept(sealed)
    scene.send("hospital", table((4, 80)))
    other.send("hospital", table((9, 72)))
    assert read(doctor, scene, (30, 99)) == [1, 2, 3], "what was granted stays readable"
    assert read(nurse, scene, (30, 99)) == [1, 2, 3, 4]
    for user in (doctor, nurse):
        assert read(user, other, (30, 99)) == [7, 8, 9], "the other owner took nothing back"


def test_of_two_owners_in_one_cloud_neither_permits_for_the_other(local):
    other = Scene(SCHEMA, "hospital", "ward", cloud=local.cloud)
    other.send("hospital", table((1, 40)))
    foreign = permitted(other, 1)
    with pytest.raises(ScopeError, match="it is of another owner"):
        amend(local, (1, 44), permission=foreign)


# What is refused


def test_nobody_amends_without_a_permission_that_is_its_own(scene):
    permission = permitted(scene, 1)
    rows = table((1, 44))
    with pytest.raises(ScopeError, match="it is another provider's"):
        scene["clinic"].amend(rows, id="id", permission=permission)
    with pytest.raises(ScopeError, match=r"record 2 \(row 1 of the table\) is not named"):
        scene["ward"].amend(table((1, 44), (2, 55)), id="id", permission=permission)
    with pytest.raises(WrongTypeError, match="a permission"):
        scene["ward"].amend(rows, id="id", permission=bytes(permission))
    with pytest.raises(DamagedFileError):
        scene.cloud.receive(bytes(permission))
    ended = permitted(scene, 1, expires_in=-HOUR)
    with pytest.raises(ScopeError, match="it has ended"):
        scene["ward"].amend(rows, id="id", permission=ended)
    assert scene.owner.ask(scene.cloud, age=(0, 99)).height == 4


def test_a_permission_that_was_changed_cut_or_forged_is_none(local):
    message = bytes(permitted(local, 1, 2))
    for at in range(len(message)):
        changed = bytearray(message)
        changed[at] ^= 4
        for odd in (bytes(changed), message[:at]):
            with pytest.raises((DamagedFileError, InvalidInputError, ScopeError, SignatureError)):
                Permission(odd)
    assert len(Permission(message)) == 2


def test_a_permission_that_ends_after_all_time_is_refused(scene):
    with pytest.raises(InvalidInputError, match="after the year 9999"):
        permitted(scene, 1, expires_in=datetime.timedelta.max)


def test_a_permission_ends_with_the_readers_epoch(scene):
    permission = permitted(scene, 1)
    scene.owner.renew_readers()
    scene.enroll()
    stale = scene["ward"].amend(table((1, 44)), id="id", permission=permission)
    with pytest.raises(ScopeError, match="readers' epoch"):
        scene.cloud.receive(stale)
    scene["ward"].catch_up(scene.cloud)
    with pytest.raises(ScopeError, match="it is of an epoch that has ended"):
        scene["ward"].amend(table((1, 44)), id="id", permission=permission)
    assert amend(scene, (1, 44)).added == 1
    # What was amended before stays, and so do its readers.
    scene.owner.renew_readers()
    scene.enroll()
    assert scene.owner.ask(scene.cloud, age=44)["amends_record"].to_list() == ["1"]


def test_a_permission_of_a_revoked_provider_is_none(local):
    permission = permitted(local, 1)
    local.owner.revoke("ward")
    local.enroll()
    stale = local["ward"].amend(table((1, 44)), id="id", permission=permission)
    with pytest.raises(ScopeError, match="epoch that its group has left"):
        local.cloud.receive(stale)
    ward = local.authorize("ward")
    local.enroll()
    ward.catch_up(local.cloud)
    with pytest.raises(ScopeError, match="it is of an epoch that has ended"):
        amend(local, (1, 44), permission=permission)


def test_what_is_not_stored_is_not_amended_nor_what_is_one_s_own(local):
    permit = local.owner.permit_amendments
    with pytest.raises(InvalidInputError, match=r"record 9 \(row 1 of the table\) is not stored"):
        permit("ward", [1, 9], of="hospital", cloud=local.cloud)
    local.cloud.receive(local["hospital"].delete([3], cloud=local.cloud))
    with pytest.raises(InvalidInputError, match="record 3"):
        permit("ward", [3], of="hospital", cloud=local.cloud)
    with pytest.raises(InvalidInputError, match="versions are needed"):
        permit("ward", [1], of="hospital")
    with pytest.raises(ScopeError, match="permit ward to amend records of ward"):
        permit("ward", [1], of="ward", cloud=local.cloud)
    for whom, whose in (("nobody", "hospital"), ("ward", "nobody"), ("", "hospital")):
        with pytest.raises(InvalidInputError):
            permit(whom, [1], of=whose, cloud=local.cloud)
    with pytest.raises(InvalidInputError):
        permit("ward", [], of="hospital", cloud=local.cloud)
    answer = local.cloud.search(local.owner.lookup([1], provider="hospital"))
    assert len(permit("ward", [1], of="hospital", versions=answer)) == 1
    with pytest.raises(InvalidInputError, match="it updates them"):
        local.owner.amendments(local.cloud, [1], of="hospital", by=["hospital"])


def test_an_amendment_cannot_be_amended(local):
    """A permission names records by their ids, and an amendment has none of its own."""
    local.cloud.receive(local["ward"].delete([1], cloud=local.cloud))
    amend(local, (1, 44))
    with pytest.raises(InvalidInputError, match=r"record 1 .* is not stored"):
        local.owner.permit_amendments("clinic", [1], of="ward", cloud=local.cloud)


def test_the_names_of_marks_are_kept(local):
    permission = permitted(local, 1)
    for name in MARKS:
        odd = table((1, 44)).with_columns(pl.lit("hospital").alias(name))
        with pytest.raises(InvalidInputError, match=name):
            local["ward"].amend(odd, id="id", permission=permission)
        # Nobody forges a mark by a column of its name.
        with pytest.raises(InvalidInputError, match=name):
            local["clinic"].encrypt(odd, id="id")


def test_renewing_leaves_amendments_which_are_amended_anew(local):
    amend(local, (1, 44))
    local.owner.authorize("leaver")
    local.owner.revoke("leaver")
    for path in ("hospital", "ward", "clinic"):
        local.authorize(path)
    local.enroll()
    for path in ("hospital", "ward", "clinic"):
        local[path].catch_up(local.cloud)
        renewed = local[path].renew(local.cloud)
        assert renewed == {"hospital": 3, "ward": 1, "clinic": 0}[path]
    # The hospital's records have moved, and the amendment names where they were.
    found = local.owner.amendments(local.cloud, [1], of="hospital")
    assert marked(found) == [ORIGINAL, ("ward", 1, 44, "hospital", "1", "gone")]
    receipt = amend(local, (1, 45), cloud=local.cloud)
    assert (receipt.added, receipt.removed) == (1, 1)
    found = local.owner.amendments(local.cloud, [1], of="hospital")
    assert marked(found) == [ORIGINAL, ("ward", 1, 45, "hospital", "1", "same")]


def test_an_authority_permits_among_those_below_it():
    scene = Scene(SCHEMA, "hospital", "hospital/ward", "hospital/lab", "clinic")
    scene.send("hospital/lab", table((1, 40)))
    permit = scene["hospital"].permit_amendments
    permission = permit("hospital/ward", [1], of="hospital/lab", cloud=scene.cloud)
    made = scene["hospital/ward"].amend(table((1, 44)), id="id", permission=permission)
    scene.cloud.receive(made)
    for party in (scene.owner, scene["hospital"]):
        found = party.amendments(scene.cloud, [1], of="hospital/lab")
        assert found["amends"].drop_nulls().to_list() == ["hospital/lab"]
    with pytest.raises(MopseError):
        permit("clinic", [1], of="hospital/lab", cloud=scene.cloud)
    with pytest.raises(ScopeError):
        permit("hospital", [1], of="hospital/lab", cloud=scene.cloud)


def test_seeded_experiments_repeat():
    def made():
        scene = Scene(SCHEMA, "hospital", "ward", seed=3)
        scene.send("hospital", table((1, 40)))
        permission = permitted(scene, 1)
        return bytes(permission), bytes(
            scene["ward"].amend(table((1, 44)), id="id", permission=permission)
        )

    assert made() == made()
