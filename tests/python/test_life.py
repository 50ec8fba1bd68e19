"""The life of a record: added, changed, deleted, added again, renewed, removed; and who may do it.

What holds in every order is in `test_histories`; here is one test per rule.
"""

import itertools
import pickle
import re
import time

import polars as pl
import pytest
from scene import Scene

from mopse import Cloud, Field, Owner, Provider, Schema, Upload
from mopse.errors import (
    ChangedError,
    InvalidInputError,
    OutdatedError,
    ReplayError,
    ScopeError,
)
from mopse.messages import Receipt

SCHEMA = Schema(age=Field(0, 99), sbp=Field(60, 260))
DAY = 24 * 3600


def rows(**ages: int) -> pl.DataFrame:
    """Return a table of one record for each id, with an age."""
    return pl.DataFrame({"id": [*ages], "age": [*ages.values()], "sbp": [120] * len(ages)})


class Clinic(Scene):
    """Two providers, one of them with a ward; the hospital has stored three records."""

    def __init__(self, cloud: Cloud | None = None) -> None:
        super().__init__(SCHEMA, "hospital", "other", "hospital/ward", cloud=cloud)
        self.hospital = self["hospital"]
        self.upload = self.hospital.encrypt(rows(ann=40, bob=50, eve=60), id="id")
        self.cloud.receive(self.upload)

    def ages(self) -> dict[str, int]:
        """Return what the owner finds of the hospital."""
        found = self.owner.ask(self.cloud, age=(0, 99)).filter(provider="hospital")
        return dict(found.select("id", "age").iter_rows())

    def change(self, **ages: int) -> Upload:
        """Return an update of the hospital's that was looked up just now."""
        return self.hospital.update(rows(**ages), id="id", cloud=self.cloud)

    def again(self, path: str = "hospital") -> Provider:
        """Return another device of a provider: the same keys, and no memory."""
        above, _, name = path.rpartition("/")
        return self.owner.authorize(name, under=above or None)

    def is_as_before(self) -> bool:
        """Say whether the three records are what they were at first."""
        return self.ages() == {"ann": 40, "bob": 50, "eve": 60}


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


# Add, change, delete, add again


def test_a_record_is_added_changed_deleted_and_added_again(clinic):
    clinic.cloud.receive(clinic.change(bob=55))
    assert clinic.ages() == {"ann": 40, "bob": 55, "eve": 60}
    clinic.cloud.receive(clinic.hospital.delete(["bob"], cloud=clinic.cloud))
    assert clinic.ages() == {"ann": 40, "eve": 60}
    again = clinic.hospital.encrypt(rows(bob=56), id="id", cloud=clinic.cloud)
    clinic.cloud.receive(again)
    assert clinic.ages() == {"ann": 40, "bob": 56, "eve": 60}
    clinic.cloud.receive(clinic.change(bob=57))
    assert clinic.ages()["bob"] == 57


def test_a_receipt_says_what_was_done(clinic):
    hospital, cloud = clinic.hospital, clinic.cloud

    def receipt(**counts: int) -> Receipt:
        empty = dict.fromkeys(("added", "replaced", "removed", "files"), 0)
        return Receipt(provider="hospital", **(empty | {"repeated": False} | counts))

    added = hospital.encrypt(rows(joe=1, zoe=2), id="id")
    assert cloud.receive(added) == receipt(added=2)
    assert cloud.receive(added) == receipt(added=2, repeated=True)
    update = clinic.change(joe=3, ann=41, eve=61)
    assert cloud.receive(update) == receipt(replaced=3)
    deletion = hospital.delete(["joe", "zoe"], cloud=cloud)
    assert cloud.receive(deletion) == receipt(removed=2)
    file = hospital.attach("ann", b"x", name="n", media_type="text/plain")
    assert cloud.receive(file) == receipt(files=1)
    removal = clinic.owner.removal("hospital")
    assert cloud.receive(removal) == receipt(removed=3, files=1)
    assert cloud.receive(removal) == receipt(removed=3, files=1, repeated=True)


def test_messages_say_what_they_change(clinic):
    update = clinic.change(ann=41, bob=51)
    deletion = clinic.hospital.delete(["eve"], cloud=clinic.cloud)
    for message, counts in ((clinic.upload, (3, 0, 0)), (update, (2, 2, 0)), (deletion, (0, 0, 1))):
        for seen in (message, Upload(bytes(message))):
            assert (len(seen), seen.replaced, seen.removed) == counts
    assert "replaced=2" in repr(update)
    assert "removed=1" in repr(deletion)


def test_ids_may_be_numbers_too():
    scene = Scene(SCHEMA, "a")
    table = pl.DataFrame({"id": [17, -23], "age": [1, 2], "sbp": [100, 110]})
    scene.send("a", table)
    scene.cloud.receive(
        scene["a"].update(table.with_columns(age=pl.lit(9)), id="id", cloud=scene.cloud)
    )
    scene.cloud.receive(scene["a"].delete([17], cloud=scene.cloud))
    assert scene.owner.ask(scene.cloud, age=9)["id"].to_list() == [-23]
    for wrong in ([], [None], [17, 17], [1.5], "17", None):
        with pytest.raises(InvalidInputError):
            scene["a"].delete(wrong, cloud=scene.cloud)


def test_a_changed_record_leaves_its_old_place_in_every_index(clinic):
    clinic.cloud.receive(clinic.change(bob=90))
    assert clinic.cloud.count(clinic.owner.query(age=50)) == 0
    assert clinic.cloud.count(clinic.owner.query(age=90)) == 1
    assert clinic.cloud.count(clinic.owner.query(age=(0, 99), sbp=120)) == 3


def test_columns_and_types_may_change_with_an_update(clinic):
    table = rows(bob=51).with_columns(note=pl.lit("new"))
    clinic.cloud.receive(clinic.hospital.update(table, id="id", cloud=clinic.cloud))
    found = clinic.owner.ask(clinic.cloud, age=(0, 99)).sort("id")
    assert found["note"].to_list() == [None, "new", None]


def test_an_update_may_empty_a_field(clinic):
    table = rows(bob=51).with_columns(age=pl.lit(None, pl.Int64))
    clinic.cloud.receive(clinic.hospital.update(table, id="id", cloud=clinic.cloud))
    assert clinic.cloud.count(clinic.owner.query(age=(0, 99))) == 2
    assert clinic.cloud.count(clinic.owner.query(sbp=120)) == 3


# Versions: nothing is lost, and nothing comes back


def test_of_two_changes_of_one_version_the_second_is_refused(clinic):
    first, second = (clinic.change(bob=age) for age in (51, 52))
    clinic.cloud.receive(first)
    with pytest.raises(ChangedError, match=r"record 'bob' \(row 0 of the table\)"):
        clinic.cloud.receive(second)
    assert clinic.ages()["bob"] == 51
    clinic.cloud.receive(clinic.change(bob=52))
    assert clinic.ages()["bob"] == 52


def test_a_stale_row_keeps_the_whole_change_out(clinic):
    stale = clinic.change(ann=1, bob=2, eve=3)
    clinic.cloud.receive(clinic.change(eve=61))
    with pytest.raises(ChangedError, match="record 'eve'"):
        clinic.cloud.receive(stale)
    assert clinic.ages() == {"ann": 40, "bob": 50, "eve": 61}


def test_a_deletion_of_what_was_changed_since_is_refused(clinic):
    deletion = clinic.hospital.delete(["ann", "bob"], cloud=clinic.cloud)
    clinic.cloud.receive(clinic.change(bob=51))
    with pytest.raises(ChangedError, match=r"record 'bob' \(row 1 of the table\)"):
        clinic.cloud.receive(deletion)
    assert len(clinic.ages()) == 3


def test_a_change_of_what_was_deleted_since_is_refused(clinic):
    update = clinic.change(bob=51)
    clinic.cloud.receive(clinic.hospital.delete(["bob"], cloud=clinic.cloud))
    with pytest.raises(ChangedError, match="record 'bob'"):
        clinic.cloud.receive(update)
    assert "bob" not in clinic.ages()


def test_what_was_deleted_is_added_only_by_who_knows_of_it(clinic):
    held_back = clinic.hospital.encrypt(rows(joe=1), id="id")
    clinic.cloud.receive(clinic.hospital.encrypt(rows(joe=2), id="id"))
    clinic.cloud.receive(clinic.hospital.delete(["joe"], cloud=clinic.cloud))
    for blind in (held_back, clinic.hospital.encrypt(rows(joe=3), id="id")):
        with pytest.raises(ChangedError, match="record 'joe'"):
            clinic.cloud.receive(blind)
    assert "joe" not in clinic.ages()
    informed = clinic.hospital.encrypt(rows(joe=4), id="id", cloud=clinic.cloud)
    clinic.cloud.receive(informed)
    assert clinic.ages()["joe"] == 4


def test_a_copy_that_was_held_back_brings_nothing_back(clinic):
    history = [clinic.upload, clinic.change(bob=51)]
    clinic.cloud.receive(history[-1])
    history.append(clinic.hospital.delete(["bob"], cloud=clinic.cloud))
    clinic.cloud.receive(history[-1])
    history.append(clinic.hospital.encrypt(rows(bob=52), id="id", cloud=clinic.cloud))
    clinic.cloud.receive(history[-1])
    held_back = clinic.change(bob=53)
    clinic.cloud.receive(clinic.change(bob=54))
    for message in history:
        assert clinic.cloud.receive(message).repeated
    with pytest.raises(ChangedError):
        clinic.cloud.receive(held_back)
    assert clinic.ages() == {"ann": 40, "bob": 54, "eve": 60}


def test_versions_can_be_looked_up_where_parties_run_apart(clinic):
    hospital, cloud = clinic.hospital, clinic.cloud
    answer = cloud.search(bytes(hospital.lookup(["bob", "eve", "joe"])))
    update = hospital.update(rows(bob=51), id="id", versions=answer)
    deletion = hospital.delete(["eve"], versions=answer)
    new = hospital.encrypt(rows(joe=5), id="id", versions=answer)
    for message in (deletion, new, update):
        cloud.receive(bytes(message))
    assert clinic.ages() == {"ann": 40, "bob": 51, "joe": 5}
    with pytest.raises(InvalidInputError, match="not both"):
        hospital.update(rows(bob=5), id="id", versions=answer, cloud=cloud)


def test_versions_of_another_provider_are_no_versions(clinic):
    clinic.send("other", rows(bob=7))
    answer = clinic.cloud.search(clinic["other"].lookup(["bob"]))
    with pytest.raises(InvalidInputError, match="record 'bob'"):
        clinic.hospital.update(rows(bob=51), id="id", versions=answer)
    assert clinic.ages()["bob"] == 50


# What is stored already, and what is not


def test_a_record_that_is_stored_is_refused_by_its_id(clinic):
    table = rows(joe=1, zoe=2, bob=3)
    for of_cloud in ({}, {"cloud": clinic.cloud}):
        stored = re.escape("record 'bob' (row 2 of the table)") + ".* stored already"
        with pytest.raises(InvalidInputError, match=stored):
            clinic.cloud.receive(clinic.hospital.encrypt(table, id="id", **of_cloud))
    assert clinic.is_as_before()


def test_a_record_that_is_not_stored_is_refused_by_its_id(clinic):
    not_stored = r"record 'joe' \(row 1 of the table\).* not stored"
    with pytest.raises(InvalidInputError, match=not_stored):
        clinic.change(bob=1, joe=2)
    with pytest.raises(InvalidInputError, match=not_stored):
        clinic.hospital.delete(["bob", "joe"], cloud=clinic.cloud)
    clinic.cloud.receive(clinic.hospital.delete(["bob"], cloud=clinic.cloud))
    for change in (
        lambda: clinic.change(bob=1),
        lambda: clinic.hospital.delete(["bob"], cloud=clinic.cloud),
    ):
        with pytest.raises(InvalidInputError, match="record 'bob'"):
            change()


def test_without_versions_nothing_is_changed(clinic):
    with pytest.raises(InvalidInputError, match="give cloud=, or versions="):
        clinic.hospital.update(rows(bob=1), id="id")
    with pytest.raises(InvalidInputError, match="give cloud=, or versions="):
        clinic.hospital.delete(["bob"])


# Uploads are a set


def test_a_cell_of_a_notebook_that_is_run_twice_changes_nothing_the_second_time(clinic):
    for _ in range(2):
        clinic.cloud.receive(clinic.upload)
    with pytest.raises(InvalidInputError, match=r"record '(ann|bob|eve)'"):  # encrypted anew
        clinic.cloud.receive(clinic.hospital.encrypt(rows(ann=40, bob=50, eve=60), id="id"))
    assert clinic.is_as_before()
    for _ in range(2):
        clinic.cloud.receive(clinic.change(bob=51))
    assert clinic.ages()["bob"] == 51


def test_an_upload_that_was_made_and_thrown_away_locks_nobody_out(clinic):
    for number in range(3):
        clinic.hospital.encrypt(rows(joe=number), id="id")
        clinic.change(bob=number)
        clinic.hospital.delete(["eve"], cloud=clinic.cloud)
    clinic.cloud.receive(clinic.hospital.encrypt(rows(joe=9), id="id"))
    clinic.cloud.receive(clinic.change(bob=9))
    assert clinic.ages() == {"ann": 40, "bob": 9, "eve": 60, "joe": 9}


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_uploads_arrive_in_any_order(order):
    scene = Scene(SCHEMA, "a")
    uploads = [scene["a"].encrypt(rows(**{f"p{at}": at}), id="id") for at in range(3)]
    for at in order:
        scene.cloud.receive(uploads[at])
    for at in reversed(order):
        assert scene.cloud.receive(uploads[at]).repeated
    assert sorted(scene.owner.ask(scene.cloud, age=(0, 2))["age"]) == [0, 1, 2]


def test_two_devices_of_a_provider_write_side_by_side(clinic):
    other = clinic.again()
    clinic.cloud.receive(other.encrypt(rows(joe=1), id="id"))
    clinic.cloud.receive(clinic.hospital.encrypt(rows(zoe=2), id="id"))
    clinic.cloud.receive(other.update(rows(zoe=3), id="id", cloud=clinic.cloud))
    clinic.cloud.receive(clinic.hospital.update(rows(joe=4), id="id", cloud=clinic.cloud))
    assert clinic.ages() == {"ann": 40, "bob": 50, "eve": 60, "joe": 4, "zoe": 3}
    mine, theirs = clinic.change(bob=51), other.update(rows(bob=52), id="id", cloud=clinic.cloud)
    clinic.cloud.receive(theirs)
    with pytest.raises(ChangedError, match="record 'bob'"):
        clinic.cloud.receive(mine)


def test_one_record_at_two_providers_is_two_records(clinic):
    clinic.send(["other", "hospital/ward"], rows(bob=7))
    clinic.cloud.receive(clinic["other"].update(rows(bob=8), id="id", cloud=clinic.cloud))
    clinic.cloud.receive(clinic["hospital/ward"].delete(["bob"], cloud=clinic.cloud))
    found = clinic.owner.ask(clinic.cloud, age=(0, 99)).filter(id="bob")
    assert dict(found.select("provider", "age").iter_rows()) == {"hospital": 50, "other": 8}


# Clocks


def test_a_clock_of_three_days_ahead_is_refused_and_locks_nobody(clinic, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3 * DAY)
    early = clinic.hospital.encrypt(rows(joe=1), id="id")
    update = clinic.hospital.update(
        rows(bob=1), id="id", versions=clinic.cloud.search(clinic.hospital.lookup(["bob"]))
    )
    monkeypatch.setattr(time, "time", lambda: now)
    for message in (early, update):
        with pytest.raises(InvalidInputError, match="hours ahead"):
            clinic.cloud.receive(message)
    clinic.cloud.receive(clinic.hospital.encrypt(rows(joe=2), id="id"))
    assert clinic.ages() == {"ann": 40, "bob": 50, "eve": 60, "joe": 2}
    monkeypatch.setattr(time, "time", lambda: now + 2 * DAY)
    with pytest.raises(InvalidInputError, match="stored already"):
        clinic.cloud.receive(early)  # it has come true meanwhile


@pytest.mark.parametrize("days", [-20_000, -400, -3, 1.9])
def test_a_clock_that_is_behind_or_a_little_ahead_does_no_harm(clinic, monkeypatch, days):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + days * DAY)
    upload = clinic.hospital.encrypt(rows(joe=1), id="id")
    monkeypatch.setattr(time, "time", lambda: now)
    clinic.cloud.receive(upload)
    clinic.cloud.receive(clinic.hospital.encrypt(rows(zoe=1), id="id"))
    assert len(clinic.ages()) == 5


def test_a_clock_in_the_year_2262_locks_no_path_for_ever(clinic, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: 9_214_646_400)
    far = clinic.hospital.encrypt(rows(joe=1), id="id")
    monkeypatch.setattr(time, "time", lambda: now)
    with pytest.raises(InvalidInputError, match="hours ahead"):
        clinic.cloud.receive(far)
    clinic.cloud.receive(clinic.hospital.encrypt(rows(joe=2), id="id"))
    clinic.cloud.receive(clinic.change(joe=3))
    assert clinic.ages()["joe"] == 3


# Who left, and what stays


def test_the_uploads_of_a_stolen_key_end_with_the_revocation(clinic):
    thief, prepared = clinic.again(), []
    clinic.cloud.receive(thief.encrypt(rows(joe=1), id="id"))
    prepared.append(thief.encrypt(rows(zoe=1), id="id"))
    prepared.append(thief.update(rows(bob=99), id="id", cloud=clinic.cloud))
    prepared.append(thief.delete(["ann"], cloud=clinic.cloud))
    clinic.owner.revoke("hospital")
    clinic.enroll()
    for message in (*prepared, thief.encrypt(rows(max=1), id="id")):
        with pytest.raises(ScopeError, match="epoch"):
            clinic.cloud.receive(message)
    assert clinic.ages() == {"ann": 40, "bob": 50, "eve": 60, "joe": 1}
    clinic.cloud.receive(clinic.owner.removal("hospital"))
    hospital = clinic.authorize("hospital")
    clinic.enroll()
    clinic.cloud.receive(hospital.encrypt(rows(ann=40, joe=2), id="id"))
    clinic.cloud.receive(hospital.update(rows(joe=3), id="id", cloud=clinic.cloud))
    assert clinic.ages() == {"ann": 40, "joe": 3}


def test_who_is_authorised_again_changes_deletes_and_renews_what_it_sent_before(clinic):
    clinic.owner.revoke("other")
    clinic.enroll()
    hospital = clinic.authorize("hospital")
    with pytest.raises(InvalidInputError, match="record 'bob'"):
        hospital.encrypt(rows(bob=1), id="id", cloud=clinic.cloud)
    receipt = clinic.cloud.receive(hospital.update(rows(bob=51), id="id", cloud=clinic.cloud))
    assert (receipt.added, receipt.removed) == (1, 1)
    clinic.cloud.receive(hospital.delete(["ann"], cloud=clinic.cloud))
    assert clinic.ages() == {"bob": 51, "eve": 60}
    before = len(clinic.owner.query(age=1))
    assert hospital.renew(clinic.cloud) == 1
    assert clinic.ages() == {"bob": 51, "eve": 60}
    assert hospital.renew(clinic.cloud) == 0, "nothing is left to renew"
    assert len(clinic.owner.query(age=1)) == before
    clinic.cloud.receive(hospital.update(rows(eve=61, bob=52), id="id", cloud=clinic.cloud))
    assert clinic.ages() == {"bob": 52, "eve": 61}


def test_of_a_record_that_two_epochs_hold_the_newer_row_is_kept(clinic):
    clinic.owner.revoke("other")
    clinic.enroll()
    hospital = clinic.authorize("hospital")
    clinic.cloud.receive(hospital.encrypt(rows(bob=51, eve=61), id="id"))  # nobody looked
    assert len(clinic.owner.ask(clinic.cloud, age=(0, 99))) == 5
    renewed = hospital.renew(clinic.cloud)
    assert (renewed, renewed.superseded) == (1, 2)
    assert repr(renewed) == "Renewed(1, superseded=2)"
    assert pickle.loads(pickle.dumps(renewed)).superseded == 2
    assert clinic.ages() == {"ann": 40, "bob": 51, "eve": 61}
    assert len(clinic.owner.ask(clinic.cloud, age=(0, 99))) == 3
    again = hospital.renew(clinic.cloud)
    assert (again, again.superseded) == (0, 0)


def test_two_devices_of_a_seeded_provider_draw_other_numbers():
    def made() -> tuple[list[bytes], Cloud]:
        owner, cloud = Owner.from_insecure_seed(SCHEMA, 1), Cloud()
        devices = [owner.authorize("hospital"), owner.authorize("hospital")]
        wards = [device.authorize("ward") for device in devices]
        cloud.enroll(owner.public)
        uploads = [
            party.encrypt(rows(ann=age), id="id")
            for party, age in zip([*devices, *wards], (1, 2, 3, 4), strict=True)
        ]
        numbers = {Upload(bytes(upload))._decoded.id for upload in uploads}
        assert len(numbers) == 4
        return [bytes(upload) for upload in uploads], cloud

    once, cloud = made()
    assert made()[0] == once
    cloud.receive(once[0])
    with pytest.raises(InvalidInputError, match="stored already"):
        cloud.receive(once[1])


def test_what_was_renewed_is_found_by_no_key_of_the_old_epoch(clinic):
    answer = clinic.cloud.search(clinic.owner.query(age=(0, 99)))
    assert answer.providers == {"hospital": 3}
    clinic.owner.revoke("other")
    clinic.enroll()
    hospital = clinic.authorize("hospital")
    query = clinic.owner.query(age=(0, 99))
    answer = clinic.cloud.search(query)
    assert clinic.owner.decrypt(answer, query).height == 3
    assert answer.left == {"hospital": 3}
    hospital.renew(clinic.cloud)
    query = clinic.owner.query(age=(0, 99))
    answer = clinic.cloud.search(query)
    assert clinic.owner.decrypt(answer, query).height == 3
    assert answer.left == {}


def test_a_renewal_that_was_interrupted_goes_on(clinic):
    for number in range(3):
        clinic.cloud.receive(clinic.hospital.encrypt(rows(**{f"p{number}": number}), id="id"))
    clinic.owner.revoke("other")
    clinic.enroll()
    hospital = clinic.authorize("hospital")

    class Breaks(Cloud):
        """A cloud whose line is cut after the second message."""

        left = 2

        def receive(self, message: Upload) -> Receipt:
            """Take it, or be cut off."""
            if self.left == 0:
                raise ConnectionError
            self.left -= 1
            return super().receive(message)

    with pytest.raises(ConnectionError):
        hospital.renew(Breaks(clinic.cloud._store))
    assert len(clinic.ages()) == 6
    assert hospital.renew(clinic.cloud) == 2
    assert len(clinic.ages()) == 6


def test_a_removal_is_carried_out_once(clinic):
    removal = clinic.owner.removal("hospital")
    assert clinic.cloud.receive(removal).removed == 3
    with pytest.raises(ReplayError):
        clinic.cloud.receive(clinic.upload)
    clinic.cloud.receive(clinic.hospital.encrypt(rows(ann=1, bob=2), id="id"))
    assert clinic.cloud.receive(removal).repeated
    assert clinic.ages() == {"ann": 1, "bob": 2}


def test_a_removal_is_asked_for_by_nobody_below_or_beside(clinic):
    clinic.send(["other", "hospital/ward"], rows(zoe=1))
    for asker, path in [
        (clinic["other"], "hospital"),
        (clinic["hospital/ward"], "hospital"),
        (clinic.hospital, "other"),
    ]:
        with pytest.raises(InvalidInputError, match=path):
            asker.removal(path)
    clinic.cloud.receive(clinic.hospital.removal("hospital/ward"))
    clinic.cloud.receive(clinic.hospital.removal("hospital"))
    assert clinic.owner.ask(clinic.cloud, age=(0, 99))["provider"].to_list() == ["other"]


def test_a_removal_takes_every_epoch_and_goes_on_after_a_revocation(clinic):
    clinic.owner.revoke("other")
    clinic.enroll()
    hospital = clinic.authorize("hospital")
    clinic.cloud.receive(hospital.encrypt(rows(joe=1), id="id", cloud=clinic.cloud))
    assert clinic.cloud.receive(clinic.owner.removal("hospital")).removed == 4
    clinic.send("hospital", rows(ann=1))
    assert clinic.ages() == {"ann": 1}
    assert clinic.cloud.receive(clinic.owner.removal("other")).removed == 0


# Who misses what


def test_a_keyring_that_missed_an_announcement_is_told_and_catches_up(clinic, tmp_path):
    clinic.owner.save(tmp_path / "owner", "password")
    ward = clinic.hospital.authorize("second ward")
    clinic.cloud.enroll(clinic.hospital.announcements)
    clinic.cloud.receive(ward.encrypt(rows(joe=1), id="id"))
    old = Owner.open(tmp_path / "owner", "password")
    query = old.query(age=1)
    for ask in (clinic.cloud.search, clinic.cloud.count):
        with pytest.raises(OutdatedError, match="catch up"):
            ask(query)
    assert old.catch_up(clinic.cloud)
    assert not old.catch_up(clinic.cloud)
    assert old.providers == ["hospital", "hospital/second ward", "hospital/ward", "other"]
    assert old.ask(clinic.cloud, age=1)["id"].to_list() == ["joe"]


def test_whoever_asks_catches_up_by_itself(clinic):
    ward = clinic.hospital.authorize("second ward")
    clinic.cloud.enroll(clinic.hospital.announcements)
    clinic.cloud.receive(ward.encrypt(rows(joe=1), id="id"))
    assert clinic.owner.ask(clinic.cloud, age=1).height == 1


def test_a_provider_of_an_epoch_that_was_left_is_told_to_be_authorised_again(clinic):
    clinic.owner.revoke("other")
    clinic.enroll()
    for provider in clinic.providers.values():
        with pytest.raises(ScopeError, match="epoch"):
            provider.catch_up(clinic.cloud)


def test_a_cloud_that_heard_nothing_of_a_revocation_refuses_the_new_epoch(clinic):
    clinic.owner.revoke("other")
    hospital = clinic.authorize("hospital")
    upload = hospital.encrypt(rows(joe=1), id="id")
    with pytest.raises(ScopeError, match="epoch"):
        clinic.cloud.receive(upload)
    clinic.enroll()
    clinic.cloud.receive(upload)
    assert len(clinic.ages()) == 4


def test_of_two_copies_that_revoke_the_second_catches_up_and_does_it_again(clinic, tmp_path):
    clinic.owner.save(tmp_path / "owner", "password")
    copy = Owner.open(tmp_path / "owner", "password")
    clinic.owner.revoke("other")
    copy.revoke("hospital")
    clinic.enroll()
    with pytest.raises(ChangedError):
        clinic.cloud.enroll(copy.public)
    assert copy.catch_up(clinic.cloud)
    assert copy.providers == ["hospital", "hospital/ward"], "its own revocation is undone"
    copy.revoke("hospital")
    clinic.cloud.enroll(copy.public)
    assert copy.providers == []
    with pytest.raises(ScopeError, match="epoch"):
        clinic.cloud.receive(clinic.authorize("hospital").encrypt(rows(joe=1), id="id"))
