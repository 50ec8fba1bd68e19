"""Files of records, found by encrypted keywords and fetched one by one, as the parties do it."""

import copy
import datetime
import io
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import Scene
from stores.dict_store import DictStore

import mopse
from mopse._mopse.message import Fetched, Listing
from mopse._party import keyword_bytes
from mopse.errors import (
    AnswerError,
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
    MopseError,
    OutdatedError,
    ProofError,
    ReplayError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)
from mopse.stores import MemoryStore, StoredFile

SCHEMA = mopse.Schema(age=mopse.Field(0, 120))
XRAY = np.random.default_rng(1).bytes(100_000)


class Story(Scene):
    """A hospital with a ward below it, and a clinic."""

    def __init__(self) -> None:
        super().__init__(SCHEMA, "hospital", "hospital/ward", "clinic")
        self.hospital, self.ward, self.clinic = self.providers.values()

    def attach(self, provider, record_id, content=b"text", *keywords, name="note.txt"):
        """Attach a text, send it, and return its number."""
        upload = provider.attach(
            record_id, content, name=name, media_type="text/plain", keywords=keywords
        )
        self.cloud.receive(bytes(upload))
        return upload.file

    def found(self, asker, *keywords):
        """Return what the files are called that have all of the keywords."""
        request = asker.find(*keywords)
        listing = mopse.FileListing.from_bytes(bytes(self.cloud.find(bytes(request))))
        return asker.files(listing, mopse.FileRequest(bytes(request)))

    def fetched(self, asker, file):
        """Return a file, fetched and opened."""
        request = asker.fetch(file)
        sealed = self.cloud.fetch(bytes(request))
        return asker.open_file(mopse.SealedFile.from_bytes(bytes(sealed)), request)


def handle(provider, record_id):
    """Return a record's handle as listings show it."""
    ((high, low),) = provider.handles([record_id]).tolist()
    return f"{high:016x}{low:016x}"


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_file_is_attached_found_fetched_and_opened(story):
    upload = story.hospital.attach(
        17,
        XRAY,
        name="chest.jpg",
        media_type="image/jpeg",
        keywords=["Pneumonia", "0171 234"],
    )
    story.cloud.receive(upload)
    request = story.owner.find("pneumonia", "0171 234")
    table = story.owner.files(story.cloud.find(request), request)
    record = handle(story.hospital, 17)
    assert table.rows() == [("hospital", record, upload.file, "chest.jpg", "image/jpeg", 100_000)]
    assert table.columns == ["provider", "record", "file", "name", "media_type", "size_bytes"]
    request = story.owner.fetch(upload.file)
    file = story.owner.open_file(story.cloud.fetch(request), request)
    assert file == mopse.File("chest.jpg", "image/jpeg", "hospital", record, XRAY)


@pytest.mark.parametrize("kind", ["bytes", "path", "str", "file", "array"])
def test_every_kind_of_source_is_attached(kind, story, tmp_path):
    path = tmp_path / "scan"
    path.write_bytes(XRAY)
    source = {
        "bytes": XRAY,
        "path": path,
        "str": str(path),
        "file": io.BytesIO(XRAY),
        "array": np.frombuffer(XRAY, dtype=np.uint8),
    }[kind]
    assert story.fetched(story.owner, story.attach(story.ward, 1, source)).content == XRAY


@pytest.mark.parametrize("content", [b"", b"x", bytes(1 << 16), bytes((1 << 22) + 1)])
def test_files_of_any_size_come_back(content, story):
    assert story.fetched(story.owner, story.attach(story.clinic, "a", content)).content == content


def test_one_query_reaches_every_provider_and_each_its_subtree(story):
    for provider in (story.hospital, story.ward, story.clinic):
        story.attach(provider, 1, b"text", "fracture")
    everyone = ["clinic", "hospital", "hospital/ward"]
    assert sorted(story.found(story.owner, "fracture")["provider"]) == everyone
    assert sorted(story.found(story.hospital, "fracture")["provider"]) == everyone[1:]
    assert story.found(story.ward, "fracture")["provider"].to_list() == ["hospital/ward"]
    assert story.found(story.clinic, "fracture")["provider"].to_list() == ["clinic"]


def test_the_number_and_the_keyword_must_both_match(story):
    story.attach(story.hospital, 1, b"text", "0171 234", "x-ray", name="wanted")
    story.attach(story.hospital, 1, b"text", "0171 234", "letter", name="other word")
    story.attach(story.hospital, 2, b"text", "0171 999", "x-ray", name="other number")
    assert story.found(story.owner, "0171 234", "x-ray")["name"].to_list() == ["wanted"]
    assert len(story.found(story.owner, "x-ray")) == 2
    assert story.found(story.owner, "0171 999", "letter").is_empty()
    assert story.found(story.owner, "0171 23").is_empty()


def test_wrong_owners_find_nothing(story):
    story.attach(story.hospital, 1, b"text", "fracture")
    other = Story()
    story.cloud.enroll(other.owner.public)
    request = other.owner.find("fracture")
    listing = story.cloud.find(request)
    assert len(listing) == 0
    assert other.owner.files(listing, request).is_empty()
    with pytest.raises(ScopeError, match="another owner"):
        story.owner.files(listing, request)


WORDS = ["fever", "cough", "x-ray", "0171 234", "0171 999"]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sets(st.sampled_from(WORDS)))),
    st.sets(st.sampled_from([*WORDS, "never"]), min_size=1),
)
def test_it_finds_what_a_plain_search_finds(attached, asked):
    story = Story()
    providers = [story.hospital, story.ward, story.clinic]
    expected = []
    for number, (at, words) in enumerate(attached):
        story.attach(providers[at], number, b"text", *words, name=str(number))
        expected += [str(number)] * (asked <= words)
    assert sorted(story.found(story.owner, *asked)["name"]) == sorted(expected)


def test_records_that_a_range_finds_lead_to_their_files(story):
    table = pl.DataFrame({"id": [1, 2, 3], "age": [30, 50, 55]})
    story.send("hospital", table)
    for record in (1, 2, 2):
        story.attach(story.hospital, record, b"text", name=f"of {record}")
    answer = story.cloud.search(story.owner.query(age=(40, 60)))
    request = story.owner.files_of(answer)
    files = story.owner.files(story.cloud.find(request), request)
    assert files["name"].to_list() == ["of 2", "of 2"]
    assert set(files["record"]) == {handle(story.hospital, 2)}


def test_fetching_one_file_moves_that_file_and_no_other(story):
    sizes = [10_000 * number for number in range(1, 65)]
    files = [story.attach(story.hospital, size, bytes(size), "scan") for size in sizes]
    for size, file in list(zip(sizes, files, strict=True))[::9]:
        request = story.owner.fetch(file)
        sealed = story.cloud.fetch(request)
        assert request.nbytes < 1000
        assert size < sealed.nbytes < size * 1.01 + 1000
    listing = story.cloud.find(story.owner.find("scan"))
    assert listing.nbytes < 64 * 500


def test_a_grant_for_a_record_opens_its_files_and_no_others(story):
    first = story.attach(story.hospital, 1, b"first", "scan")
    second = story.attach(story.hospital, 2, b"second", "scan")
    user = mopse.User(SCHEMA, [story.hospital.grant([1])])
    requests = [story.owner.fetch(file) for file in (first, second)]
    sealed = [story.cloud.fetch(request) for request in requests]
    assert user.open_file(sealed[0], requests[0]).content == b"first"
    with pytest.raises(ScopeError, match="the user has no right to this record of hospital"):
        user.open_file(sealed[1], requests[1])
    request = story.owner.find("scan")
    listing = story.cloud.find(request)
    with pytest.raises(ScopeError):
        user.files(listing, request)
    everything = mopse.User(SCHEMA, [story.hospital.grant()])
    assert everything.open_file(sealed[1], requests[1]).content == b"second"
    assert everything.files(listing, request)["size_bytes"].to_list() == [5, 6]
    with pytest.raises(ScopeError):
        mopse.User(SCHEMA, [story.clinic.grant()]).open_file(sealed[0], requests[0])


def test_what_travels_shows_neither_name_type_nor_keyword(story):
    upload = story.hospital.attach(
        17, b"secret text", name="hidden-name", media_type="hidden/type", keywords=["hidden word"]
    )
    story.cloud.receive(upload)
    request = story.owner.find("hidden word")
    listing = story.cloud.find(request)
    for message in (upload, request, listing, story.cloud.fetch(story.owner.fetch(upload.file))):
        assert b"hidden" not in bytes(message)
        assert b"secret" not in bytes(message)
        assert "hidden" not in repr(message)


def test_files_are_found_after_the_keyring_was_saved_and_opened(story, tmp_path):
    story.attach(story.hospital, 1, b"text", "scan")
    story.hospital.save(tmp_path / "keys", "password")
    again = mopse.Provider.open(tmp_path / "keys", "password")
    story.attach(again, 2, b"text", "scan")
    assert len(story.found(story.owner, "scan")) == 2


def test_an_outdated_keyring_is_told_so_catches_up_and_loses_no_file(story, tmp_path):
    words = ["scan", "never used before"]
    story.hospital.save(tmp_path / "keys", "password")
    for number in range(40):
        story.attach(story.hospital, 1, b"text", "scan", name=str(number))
    stale = mopse.Provider.open(tmp_path / "keys", "password")
    before = repr(story.cloud)
    with pytest.raises(InvalidInputError, match="catch up with the cloud, then attach the file"):
        story.attach(stale, 2, b"text", *words, name="new")
    assert repr(story.cloud) == before
    assert [stale.catch_up(story.cloud) for _ in range(2)] == [True, False]
    story.attach(stale, 2, b"text", *words, name="new")
    assert story.found(story.owner, *words)["name"].to_list() == ["new"]
    assert story.found(story.owner, words[1])["name"].to_list() == ["new"]
    assert len(story.found(story.owner, "scan")) == 41


def test_a_list_of_files_that_was_made_twice_is_refused_until_the_keyring_caught_up(story):
    def twenty():
        called = {"name": "n", "media_type": "a/b", "keywords": ["scan"]}
        return [story.hospital.attach(record, b"text", **called) for record in range(20)]

    twenty()  # the cell is run twice, and the second list is sent
    for upload in twenty():
        with pytest.raises(InvalidInputError, match=r"catch up with the cloud, then attach the fi"):
            story.cloud.receive(upload)
    assert story.found(story.owner, "scan").is_empty()
    story.hospital.catch_up(story.cloud)
    for upload in twenty():
        story.cloud.receive(upload)
    assert len(story.found(story.owner, "scan")) == 20


@pytest.mark.parametrize("lost", [0, 15, 16, 17, 40])
def test_what_is_taken_is_found_however_much_was_lost(story, lost):
    def attach(word):
        called = {"name": "n", "media_type": "a/b"}
        return story.hospital.attach(1, b"text", **called, keywords=[word, "all"])

    for number in range(lost):
        attach("scan")
        if number % 5 == 0:
            try:
                story.cloud.receive(attach("other"))
            except InvalidInputError:
                story.hospital.catch_up(story.cloud)
    try:
        story.cloud.receive(attach("scan"))
    except InvalidInputError:
        story.hospital.catch_up(story.cloud)
        story.cloud.receive(attach("scan"))
    assert len(story.found(story.owner, "scan")) == 1
    everything = story.found(story.owner, "all")
    assert len(everything) == 1 + len(story.found(story.owner, "other"))


def test_a_keyring_that_goes_to_another_cloud_catches_up_there(story):
    for _ in range(40):
        story.attach(story.hospital, 1, b"text", "scan")
    story.hospital.catch_up(story.cloud)
    story.cloud = mopse.Cloud()
    story.enroll()
    with pytest.raises(InvalidInputError, match="catch up with the cloud"):
        story.attach(story.hospital, 1, b"text", "scan")
    story.hospital.catch_up(story.cloud)
    story.attach(story.hospital, 1, b"text", "scan")
    assert len(story.found(story.owner, "scan")) == 1


def test_copies_of_a_keyring_catch_up_with_each_other(story, tmp_path):
    story.hospital.save(tmp_path / "keys", "password")
    copies = [mopse.Provider.open(tmp_path / "keys", "password") for _ in range(2)]
    for turn in range(6):
        copy = copies[turn % 2]
        copy.catch_up(story.cloud)
        for _ in range(10):
            story.attach(copy, turn, b"text", "scan")
    copies[1].save(tmp_path / "keys", "password")
    story.attach(mopse.Provider.open(tmp_path / "keys", "password"), 7, b"text", "scan")
    assert len(story.found(story.owner, "scan")) == 61


def test_notes_travel_and_are_learnt_where_there_is_no_cloud(story):
    stale = story.owner.authorize("hospital")
    story.attach(story.hospital, 1, b"text", "scan", "hidden")
    request = stale.request_notes()
    notes = mopse.FileNotes.from_bytes(bytes(story.cloud.notes(bytes(request))))
    assert (len(notes), notes.provider) == (1, "hospital")
    assert b"hidden" not in bytes(notes)
    stale.learn_uses(notes, request)
    story.attach(stale, 1, b"text", "scan")
    assert len(story.found(story.owner, "scan")) == 2
    late = stale.request_notes(expires_in=datetime.timedelta(seconds=-5))
    with pytest.raises(ExpiredError):
        story.cloud.notes(late)
    with pytest.raises(InvalidInputError, match="for no notes"):
        story.cloud.notes(stale.find("scan"))


def test_notes_of_something_else_are_refused_and_nothing_is_learnt(story):
    story.attach(story.hospital, 1, b"text", "scan")
    request, again = story.hospital.request_notes(), story.hospital.request_notes()
    notes = story.cloud.notes(request)
    of_clinic = story.clinic.request_notes()
    for answer, asked, error in [
        (notes, again, AnswerError),
        (notes, story.hospital.find("scan"), AnswerError),
        (story.cloud.notes(of_clinic), of_clinic, ScopeError),
        (notes, of_clinic, ScopeError),
        (mopse.FileNotes.from_bytes(bytes(notes)[:-1] + b"x"), request, DecryptionError),
    ]:
        with pytest.raises(error):
            story.hospital.learn_uses(answer, asked)
    story.attach(story.hospital, 1, b"text", "scan")
    assert len(story.found(story.owner, "scan")) == 2


def test_a_lie_of_the_cloud_is_mended_by_the_truth(story):
    for _ in range(20):
        story.attach(story.hospital, 1, b"text", "scan")

    class Forgetful(mopse.Cloud):
        def notes(self, request):
            empty = mopse.Cloud()
            empty.enroll(story.owner.public)
            return empty.notes(request)

    story.hospital.catch_up(Forgetful(story.cloud._store))
    with pytest.raises(InvalidInputError, match="catch up"):
        story.attach(story.hospital, 1, b"text", "scan")
    story.hospital.catch_up(story.cloud)
    story.attach(story.hospital, 1, b"text", "scan")
    assert len(story.found(story.owner, "scan")) == 21


@pytest.mark.parametrize("arguments", [(["scan"], [1]), (["scan"],), ("scan",), (None,), (7, 7)])
def test_catching_up_takes_a_cloud_and_says_so(story, arguments):
    with pytest.raises(WrongTypeError, match=r"catch_up\(cloud\)"):
        story.hospital.catch_up(*arguments)
    with pytest.raises(WrongTypeError, match=r"catch_up\(cloud\)"):
        story.hospital.catch_up(story.cloud, [1])


def test_what_comes_after_a_removal_is_found_however_much_was_removed(story):
    for _ in range(40):
        story.attach(story.hospital, 1, b"text", "scan")
    story.cloud.remove("hospital")
    assert "files=0" in repr(story.cloud)
    story.attach(story.hospital, 1, b"text", "scan", name="after")
    assert story.found(story.owner, "scan")["name"].to_list() == ["after"]


def test_a_message_that_got_lost_hides_no_later_file(story):
    story.hospital.attach(1, b"text", name="lost", media_type="a/b", keywords=["scan"])
    story.attach(story.hospital, 2, b"text", "scan", name="kept")
    assert story.found(story.owner, "scan")["name"].to_list() == ["kept"]


def test_files_may_arrive_in_any_order(story):
    uploads = [
        story.hospital.attach(1, b"text", name=str(n), media_type="a/b", keywords=["scan"])
        for n in range(5)
    ]
    for upload in reversed(uploads):
        story.cloud.receive(upload)
    assert story.found(story.owner, "scan")["name"].to_list() == list("01234")


def test_a_file_is_received_once_also_after_removal(story):
    upload = story.hospital.attach(1, b"text", name="n", media_type="a/b", keywords=["scan"])
    story.cloud.receive(upload)
    with pytest.raises(ReplayError, match='a file of provider "hospital" was received before'):
        story.cloud.receive(upload)
    story.cloud.remove("hospital")
    assert story.found(story.owner, "scan").is_empty()
    with pytest.raises(ReplayError):
        story.cloud.receive(upload)
    with pytest.raises(InvalidInputError, match="there is no such file"):
        story.fetched(story.owner, upload.file)


def test_removing_a_provider_says_how_many_records_and_takes_its_files(story):
    story.send("hospital", {"id": [1, 2], "age": [3, 4]})
    story.attach(story.hospital, 1, b"text", "scan")
    story.attach(story.clinic, 1, b"text", "scan")
    assert "files=2" in repr(story.cloud)
    assert story.cloud.remove("hospital") == 2
    assert "files=1" in repr(story.cloud)
    assert story.found(story.owner, "scan")["provider"].to_list() == ["clinic"]


def test_files_of_an_epoch_that_was_left_stay_readable_for_the_owner(story):
    old = story.attach(story.clinic, 1, b"old", "scan")
    late = story.clinic.attach(1, b"late", name="n", media_type="a/b", keywords=["scan"])
    story.owner.revoke("hospital")
    story.enroll()
    clinic = story.owner.authorize("clinic")
    new = story.attach(clinic, 1, b"new", "scan")
    with pytest.raises(ScopeError, match="epoch"):
        story.cloud.receive(late)
    assert set(story.found(story.owner, "scan")["file"]) == {old, new}
    assert story.fetched(story.owner, old).content == b"old"
    with pytest.raises(ScopeError):
        story.cloud.find(story.hospital.find("scan"))


def test_a_keyring_that_does_not_know_of_a_provider_is_told_so_and_finds_its_files_then(tmp_path):
    story = Story()
    story.attach(story.hospital, 1, b"old", "scan")
    story.owner.save(tmp_path / "owner", "password")
    annex = story.owner.authorize("annex", under="hospital")
    story.attach(annex, 2, b"new", "scan")
    story.enroll()
    with pytest.raises(OutdatedError, match="hospital"):
        story.found(story.hospital, "scan")
    for leaver in (None, "clinic"):  # a member more, and an epoch more
        if leaver:
            story.owner.save(tmp_path / "owner", "password")
            story.owner.revoke(leaver)
            story.authorize("hospital")
        story.enroll()
        restored = mopse.Owner.open(tmp_path / "owner", "password")
        with pytest.raises(OutdatedError, match="catch up"):
            story.found(restored, "scan")
        assert restored.catch_up(story.cloud)
        assert len(story.found(restored, "scan")) == 2


@pytest.mark.parametrize("ids", [[17, 18], ["ann", "bob"]], ids=["integers", "text"])
def test_files_of_a_record_are_found_from_every_epoch_that_it_was_in(ids):
    story = Story()
    story.authorize("lab")
    story.enroll()
    story.send("hospital", {"id": ids, "age": [40, 50]})
    hospital = story.hospital
    expected = {story.attach(hospital, ids[0], b"first", "scan", name="first")}
    story.attach(hospital, ids[1], b"of another", "scan")
    called = handle(hospital, ids[0])
    for leaver in ("clinic", "lab"):
        story.owner.revoke(leaver)
        story.enroll()
        hospital = story.authorize("hospital")
        hospital.catch_up(story.cloud)
        for is_renewed in (False, True):
            if is_renewed:
                assert hospital.renew(story.cloud) == 2
                called = handle(hospital, ids[0])
            for asker in (story.owner, hospital):
                request = asker.files_of(story.cloud.search(asker.query(age=40)))
                table = asker.files(story.cloud.find(bytes(request)), request)
                assert {*table["file"]} == expected
                assert {*table["record"]} == {called}, "as the answer has it"
                for number in expected:
                    fetch = asker.fetch(number, listed=request)
                    file = asker.open_file(story.cloud.fetch(bytes(fetch)), fetch)
                    assert (file.record, file.provider) == (called, "hospital")
            expected.add(story.attach(hospital, ids[0], b"later", "scan"))
    assert len(expected) == 5
    assert len(story.found(story.owner, "scan")) == 6


def renewed(story):
    """Let the clinic leave, and renew two records of the hospital, each with a file from before."""
    story.send("hospital", {"id": [17, 18], "age": [40, 50]})
    before = handle(story.hospital, 17)
    for record in (17, 18):
        story.attach(story.hospital, record, b"text", "scan", name=str(record))
    grant = story.owner.grant("hospital")
    story.owner.revoke("clinic")
    story.enroll()
    hospital = story.authorize("hospital")
    hospital.renew(story.cloud)
    return hospital, before, grant


def test_a_request_that_travelled_names_records_as_they_were(story):
    hospital, before, _ = renewed(story)
    request = hospital.files_of(story.cloud.search(hospital.query(age=40)))
    for there in (mopse.FileRequest(bytes(request)), copy.copy(request)):
        listing = story.cloud.find(there)
        assert story.owner.files(listing, there)["record"].to_list() == [before]
        assert story.owner.files(listing, request)["record"].to_list() == [handle(hospital, 17)]
    (number,) = story.owner.files(listing, request)["file"]
    assert story.fetched(hospital, number).record == before
    with pytest.raises(WrongTypeError):
        hospital.fetch(number, listed=bytes(request))


def test_files_of_another_record_are_refused_under_its_handle_in_any_epoch(story):
    renewed(story)
    requests = [
        story.owner.files_of(story.cloud.search(story.owner.query(age=age))) for age in (40, 50)
    ]
    other = story.cloud.find(requests[1])._listing.files
    with pytest.raises(AnswerError, match="is of a record that was not asked for"):
        story.owner.files(listing_of(requests[0], *other), requests[0])


def test_files_from_before_stay_with_grants_from_before(story):
    _, _, grant = renewed(story)
    request = story.owner.files_of(story.cloud.search(story.owner.query(age=40)))
    listing = story.cloud.find(request)
    assert mopse.User(SCHEMA, [grant]).files(listing, request)["name"].to_list() == ["17"]
    later = mopse.User(SCHEMA, [story.owner.grant("hospital")])
    with pytest.raises(ScopeError):
        later.files(listing, request)


def test_a_provider_fetches_from_its_subtree_only(story):
    file = story.attach(story.clinic, 1)
    with pytest.raises(ScopeError, match="hospital has no right to files of clinic"):
        story.cloud.fetch(story.hospital.fetch(file))
    inside = story.attach(story.ward, 1, b"inside")
    assert story.fetched(story.hospital, inside).content == b"inside"
    request = story.owner.fetch(file)
    sealed = story.cloud.fetch(request)
    with pytest.raises(ScopeError):
        story.hospital.open_file(sealed, request)
    with pytest.raises(ScopeError, match="another owner"):
        Story().owner.open_file(sealed, request)


def test_requests_end(story):
    story.attach(story.hospital, 1, b"text", "scan")
    past = datetime.timedelta(seconds=-5)
    for call in (
        lambda: story.cloud.find(story.owner.find("scan", expires_in=past)),
        lambda: story.cloud.fetch(story.owner.fetch("0" * 32, expires_in=past)),
    ):
        with pytest.raises(ExpiredError, match=r"^the request has expired$"):
            call()


def test_files_are_opened_until_the_grant_of_their_record_ends(story, monkeypatch):
    number = story.attach(story.hospital, 1, b"text", "scan")
    hour = datetime.timedelta(hours=1)
    grant = story.owner.grant("hospital", [1], portions=["files"], expires_in=hour)
    user = mopse.User(story.owner.schema, [grant])
    find, fetch = story.owner.find("scan"), story.owner.fetch(number)
    listing, sealed = story.cloud.find(find), story.cloud.fetch(fetch)
    assert user.files(listing, find).height == 1
    assert user.open_file(sealed, fetch).content == b"text"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3602)
    message = "the grant of records of provider 'hospital' has expired"
    for call in (lambda: user.files(listing, find), lambda: user.open_file(sealed, fetch)):
        with pytest.raises(ExpiredError, match=f"^{message}$"):
            call()
    files, faults = user.files(listing, find, faults="report")
    assert (files.height, faults["cause"].to_list()) == (0, [message])


@pytest.mark.parametrize("what", ["upload", "request", "sealed", "listing", "notes"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_changed_messages_are_refused(what, data):
    story = Story()
    upload = story.hospital.attach(1, b"text", name="n", media_type="a/b", keywords=["scan"])
    story.cloud.receive(upload)
    find, fetch = story.owner.find("scan"), story.owner.fetch(upload.file)
    ask = story.hospital.request_notes()
    message = bytearray(
        {
            "upload": lambda: bytes(upload),
            "request": lambda: bytes(find),
            "sealed": lambda: bytes(story.cloud.fetch(fetch)),
            "listing": lambda: bytes(story.cloud.find(find)),
            "notes": lambda: bytes(story.cloud.notes(ask)),
        }[what]()
    )
    message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    receive = {
        "upload": lambda m: story.cloud.receive(m),
        "request": lambda m: story.cloud.find(m),
        "sealed": lambda m: story.owner.open_file(mopse.SealedFile.from_bytes(m), fetch),
        "listing": lambda m: story.owner.files(mopse.FileListing.from_bytes(m), find),
        "notes": lambda m: story.hospital.learn_uses(mopse.FileNotes.from_bytes(m), ask),
    }[what]
    with pytest.raises(MopseError):
        receive(bytes(message))


def test_cut_messages_are_refused(story):
    upload = story.hospital.attach(1, b"text", name="n", media_type="a/b", keywords=["scan"])
    story.cloud.receive(upload)
    request, fetch = bytes(story.owner.find("scan")), story.owner.fetch(upload.file)
    sealed = bytes(story.cloud.fetch(fetch))
    for cut in (0, 8, 9, 40, -1, -64):
        with pytest.raises((DamagedFileError, SignatureError)):
            story.cloud.receive(mopse.FileUpload(bytes(upload)[:cut]))
        with pytest.raises((DamagedFileError, SignatureError)):
            story.cloud.find(request[:cut])
        with pytest.raises((DamagedFileError, DecryptionError)):
            story.owner.open_file(mopse.SealedFile.from_bytes(sealed[:cut]), fetch)


def test_a_listing_does_not_pass_for_a_file(story):
    file = story.attach(story.hospital, 1, b"text", "scan")
    listing = story.cloud.find(story.owner.find("scan"))
    request = story.owner.fetch(file)
    bare = mopse.SealedFile(Fetched(request._decoded.id, listing._listing.files[0]))
    with pytest.raises(DecryptionError, match="the file does not open"):
        story.owner.open_file(bare, request)
    with pytest.raises(DamagedFileError):
        mopse.SealedFile.from_bytes(bytes(bare))
    with pytest.raises(InvalidInputError, match="there is no such file"):
        story.cloud.fetch(story.owner.find("scan"))
    assert len(story.cloud.find(story.owner.fetch("0" * 32))) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("X-Ray", "x-ray"),
        ("  chest   film ", "chest film"),
        ("ﬁlm", "film"),  # a ligature
        ("STRASSE", "straße"),
        ("e\u0301tude", "étude"),
        ("\uff10\uff11\uff17\uff11", "0171"),  # wide digits
        ("\u03aa\u0301", "\u0390"),  # iota with two marks: folding takes it apart
    ],
)
def test_what_reads_the_same_is_one_keyword(one, other):
    assert keyword_bytes(one) == keyword_bytes(other)


def test_what_is_no_keyword_file_or_source_is_refused(story, tmp_path):
    attach = story.hospital.attach
    called = {"name": "n", "media_type": "a/b"}
    with pytest.raises(InvalidInputError, match="a keyword is empty"):
        attach(1, b"", keywords=["  "], **called)
    with pytest.raises(InvalidInputError, match="surrogate"):
        story.owner.find("\ud800")
    for keywords in ("word", [7], 7):
        with pytest.raises(WrongTypeError):
            attach(1, b"", keywords=keywords, **called)
    many = [f"word {number}" for number in range(4097)]
    with pytest.raises(InvalidInputError, match="4097, expected 4096 at most"):
        attach(1, b"", keywords=many, **called)
    with pytest.raises(InvalidInputError, match="4097, expected 4096 at most"):
        story.owner.find(*many)
    assert story.owner.find(*many[1:], many[1]).nbytes > 3 * 4096 * 64
    with pytest.raises(InvalidInputError, match="at least one keyword"):
        story.owner.find()
    with pytest.raises(WrongTypeError):
        story.owner.find("word", expires_in=3)
    with pytest.raises(InvalidInputError, match="32 hexadecimal digits"):
        story.owner.fetch("chest.jpg")
    with pytest.raises(WrongTypeError):
        story.owner.fetch(17)
    with pytest.raises(InvalidInputError, match="aes-256-ctr authenticates nothing"):
        attach(1, b"", cipher="aes-256-ctr", **called)
    with pytest.raises(InvalidInputError, match="no cipher"):
        attach(1, b"", cipher="des-cbc", **called)
    for record in (None, 1.5, [1]):
        with pytest.raises(InvalidInputError):
            attach(record, b"", **called)
    for name, media_type in ((7, "a/b"), ("n", None)):
        with pytest.raises(WrongTypeError):
            attach(1, b"", name=name, media_type=media_type)
    with pytest.raises(MissingFileError):
        attach(1, tmp_path / "nothing", **called)
    with pytest.raises(FileAccessError):
        attach(1, tmp_path, **called)
    with pytest.raises(WrongTypeError, match="binary mode"):
        attach(1, io.StringIO("text"), **called)


def test_messages_of_other_kinds_are_refused(story):
    upload = story.hospital.attach(1, b"", name="n", media_type="a/b", keywords=["scan"])
    request = story.owner.find("scan")
    story.cloud.receive(upload)
    listing = story.cloud.find(request)
    for call in (
        lambda: story.owner.files(request, request),
        lambda: story.owner.files(listing, listing),
        lambda: story.owner.files(listing, bytes(request)),
        lambda: story.owner.open_file(listing, request),
        lambda: story.owner.files_of(listing),
        lambda: story.hospital.learn_uses(listing, request),
        lambda: mopse.FileListing([]),
        lambda: mopse.FileNotes([]),
        lambda: story.cloud.find("scan"),
        lambda: mopse.SealedFile(b"bytes"),
        lambda: mopse.FileUpload("text"),
    ):
        with pytest.raises(WrongTypeError):
            call()
    for call in (
        lambda: story.cloud.find(bytes(upload)),
        lambda: story.cloud.receive(bytes(request)),
        lambda: mopse.FileListing.from_bytes(bytes(request)),
    ):
        with pytest.raises(DamagedFileError):
            call()


def test_a_message_of_another_kind_is_named(story):
    query, request = story.owner.query(age=5), story.owner.find("scan")
    story.attach(story.hospital, 1, b"text", "scan")
    for call, message in [
        (lambda: story.cloud.find(query), "a request is wanted, not Query"),
        (lambda: story.cloud.search(request), "a query is wanted, not FileRequest"),
        (lambda: story.cloud.receive(request), "an upload is wanted, not FileRequest"),
        (lambda: mopse.FileUpload(request), "a file is wanted, not FileRequest"),
        (lambda: mopse.FileListing.from_bytes(query), "a listing is wanted, not Query"),
        (lambda: mopse.SealedFile.from_bytes(5), "a file must be bytes, not int"),
    ]:
        with pytest.raises(WrongTypeError, match=message):
            call()


class Liar(MemoryStore):
    """A store whose listings and files are changed by a cloud that lies."""

    def __init__(self) -> None:
        self.lie = lambda files: files

    def files(self, owner, provider, epochs, numbers):
        """Return what a cloud would like to be found by a keyword."""
        return self.lie(super().files(owner, provider, epochs, numbers))

    def files_of(self, owner, provider, epochs, handles):
        """Return what a cloud would like to be a record's."""
        return self.lie(super().files_of(owner, provider, epochs, handles))

    def file(self, owner, number):
        """Return what a cloud would like to be a file."""
        (file,) = self.lie([super().file(owner, number)])
        return file


def lying():
    """Return a scene whose cloud lies, and two files of two records at each of two providers."""
    story = Story()
    store = Liar()
    story.cloud = mopse.Cloud(store)
    story.enroll()
    for path in ("hospital", "clinic"):
        story.send(path, {"id": [17, 18], "age": [40, 50]})
    files = {
        (path, record): story.attach(story[path], record, b"text", "chest", name=f"{path} {record}")
        for path in ("hospital", "clinic")
        for record in (17, 18)
    }
    return story, store, files


def openers(story):
    """Return who opens all there is: the owner, and a user with two grants."""
    grants = [story.owner.grant(path) for path in ("hospital", "clinic")]
    return story.owner, mopse.User(SCHEMA, grants)


def refused(story, listing, request, match):
    """Check that a listing is refused by everyone, also where faults are reported."""
    for opener in openers(story):
        for faults in ("raise", "report"):
            with pytest.raises(AnswerError, match=match) as error:
                opener.files(listing, request, faults=faults)
            assert isinstance(error.value, MopseError)
            assert isinstance(error.value, ValueError)


def test_honest_listings_and_files_are_opened_by_everyone():
    story, _, files = lying()
    answer = story.cloud.search(story.owner.query(age=40))
    by_record = story.owner.files_of(answer)
    by_keyword = story.owner.find("chest")
    for opener in openers(story):
        found = opener.files(story.cloud.find(by_record), by_record)
        assert sorted(found["name"]) == ["clinic 17", "hospital 17"]
        assert set(found["record"]) == {handle(story[path], 17) for path in ("hospital", "clinic")}
        report = opener.files(story.cloud.find(by_keyword), by_keyword, faults="report")
        assert len(report.records) == 4
        assert report.faults.is_empty()
        request = story.owner.fetch(files["clinic", 18])
        file = opener.open_file(story.cloud.fetch(request), request)
        assert (file.name, file.record) == ("clinic 18", handle(story.clinic, 18))


def test_a_listing_of_another_request_is_refused():
    story, _, _ = lying()
    for ask in (
        lambda age: story.owner.files_of(story.cloud.search(story.owner.query(age=age))),
        lambda age: story.owner.find("chest"),
    ):
        one, other = ask(40), ask(50)
        refused(story, story.cloud.find(other), one, "it is of another request")
        listing = story.cloud.find(one)
        relabelled = bytearray(bytes(listing))
        relabelled[9:25] = bytes(story.cloud.find(other))[9:25]
        refused(story, mopse.FileListing.from_bytes(relabelled), one, "of another request")
        story.owner.files(listing, one)


def test_another_records_files_are_refused_where_records_were_asked_for():
    story, store, _ = lying()
    request, other = (
        story.owner.files_of(story.cloud.search(story.owner.query(age=age))) for age in (40, 50)
    )
    honest = story.cloud.find(other)._listing.files
    store.lie = lambda files: [f for f in honest if [f.provider] == [g.provider for g in files]]
    refused(story, story.cloud.find(request), request, "of a record that was not asked for")


LACKS = "file {}, of provider '{}', is without a keyword of the request"
WORDS_OF = {"chest": ["Chest"], "hand": ["hand"], "both": ["HAND", " chest"], "none": []}


def listing_of(request, *files):
    """Return a listing that says of any files that they answer a request."""
    made = mopse.FileListing(Listing(request._decoded.id, list(files)))
    return mopse.FileListing.from_bytes(bytes(made))


def with_words():
    """Return a scene, and what a cloud has of the clinic's files with some keywords, by name."""
    story, _, _ = lying()
    for name, words in WORDS_OF.items():
        story.attach(story.clinic, 17, b"text", *words, name=name)
    story.attach(story.hospital, 17, b"text", "skull", name="of another provider")
    request = story.owner.files_of(story.cloud.search(story.owner.query(age=40)))
    listing = story.cloud.find(request)
    names = story.owner.files(listing, request)["name"]
    return story, dict(zip(names, listing._listing.files, strict=True))


@pytest.mark.parametrize(
    ("asked", "having"),
    [
        (["chest"], {"chest", "both"}),
        (["Hand"], {"hand", "both"}),
        (["chest", "hand"], {"both"}),
        (["hand", "skull"], set()),
        (["skull"], set()),
    ],
)
def test_files_are_listed_under_the_keywords_that_they_have_and_no_others(asked, having):
    story, stored = with_words()
    request = story.owner.find(*asked)
    for opener in openers(story):
        assert having <= {*opener.files(story.cloud.find(request), request)["name"]}
    for name in WORDS_OF:
        listing = listing_of(request, stored[name])
        if name in having:
            for opener in openers(story):
                assert opener.files(listing, request)["name"].to_list() == [name]
        else:
            refused(story, listing, request, LACKS.format(0, "clinic"))


def test_one_file_without_the_keyword_refuses_the_whole_listing():
    story, stored = with_words()
    request = story.owner.find("skull")
    honest = stored["of another provider"]
    for name in WORDS_OF:
        listing = listing_of(request, honest, stored[name])
        refused(story, listing, request, LACKS.format(1, "clinic"))
    assert story.owner.files(listing_of(request, honest), request).height == 1


def test_a_description_that_proves_a_keyword_opens_for_its_own_file_only():
    story, stored = with_words()
    request = story.owner.find("chest")
    one, other = stored["none"], stored["both"]
    place = (one.owner, one.provider, one.epochs, one.readers, one.handle, one.number)
    moved = StoredFile(*place, other.description, None)
    changed = bytearray(one.description)
    changed[-1] ^= 1
    for lie in (moved, StoredFile(*place, bytes(changed), None)):
        listing = listing_of(request, lie)
        for opener in openers(story):
            with pytest.raises(DecryptionError, match="does not open"):
                opener.files(listing, request)
            report = opener.files(listing, request, faults="report")
            assert report.records.is_empty()
            assert report.faults["file"].to_list() == [f"{one.number:032x}"]


def test_a_file_of_another_provider_is_refused():
    story, store, _ = lying()
    clinic, hospital = (story[path].find("chest") for path in ("clinic", "hospital"))
    foreign = story.cloud.find(hospital)._listing.files
    store.lie = lambda files: [*files, *foreign]
    with pytest.raises(AnswerError, match="file 2, of provider 'hospital', is of a provider that"):
        story.clinic.files(story.cloud.find(clinic), clinic)
    with pytest.raises(AnswerError, match="not asked"):
        story.clinic.files(story.cloud.find(clinic), clinic, faults="report")
    user = mopse.User(SCHEMA, [story.owner.grant(path) for path in ("hospital", "clinic")])
    with pytest.raises(AnswerError, match="not asked"):
        user.files(story.cloud.find(clinic), clinic)


def test_a_file_that_comes_twice_is_refused():
    story, store, _ = lying()
    answer = story.cloud.search(story.owner.query(age=(40, 50)))
    for request in (story.owner.find("chest"), story.owner.files_of(answer)):
        store.lie = lambda files: files + files[:1]
        refused(story, story.cloud.find(request), request, "is one that came before")


def test_another_owners_file_is_refused():
    story, store, _ = lying()

    def stolen(files):
        return [
            StoredFile(
                *(bytes(32), f.provider, f.epochs, f.readers, f.handle, f.number),
                *(f.description, None),
            )
            for f in files
        ]

    store.lie = stolen
    request = story.owner.find("chest")
    refused(story, story.cloud.find(request), request, "is of another owner")


def test_another_file_than_was_fetched_is_refused():
    story, store, files = lying()
    request = story.owner.fetch(files["hospital", 17])
    again = story.owner.fetch(files["hospital", 17])
    other = story.owner.fetch(files["hospital", 18])
    swapped = story.cloud.fetch(other)
    for opener in openers(story):
        with pytest.raises(AnswerError, match="it is of another request"):
            opener.open_file(swapped, request)
        with pytest.raises(AnswerError, match="it is of another request"):
            opener.open_file(story.cloud.fetch(again), request)
    store.lie = lambda _: [swapped._fetched.file]
    for opener in openers(story):
        with pytest.raises(AnswerError, match="it has another number than was asked for"):
            opener.open_file(story.cloud.fetch(request), request)


# What shows that a provider attached a file

FACTS = ("owner", "provider", "epochs", "readers", "handle", "number", "description", "body")


def deed_of(sealed):
    """Return what follows a fetched file: what else was signed with it."""
    file = sealed._fetched.file
    return bytes(sealed)[len(bytes(mopse.SealedFile(Fetched(sealed._fetched.request, file)))) :]


def test_a_fetched_file_shows_that_its_provider_attached_it(story):
    number = story.attach(story.ward, 5, XRAY, "lung", name="chest.png")
    user = mopse.User(SCHEMA, [story.owner.grant("hospital/ward", [5])])
    for asker in (story.owner, story.hospital, story.ward):
        request = asker.fetch(number)
        sealed = story.cloud.fetch(request, proof=True)
        sealed = mopse.SealedFile.from_bytes(bytes(sealed))
        for opener in (asker, user):
            opened = opener.open_file(sealed, request, proof=True)
            assert (opened.content, opened.provider) == (XRAY, "hospital/ward")
            assert opener.open_file(sealed, request) == opened
        bare = story.cloud.fetch(request)
        assert deed_of(bare) == b""
        assert len(deed_of(sealed)) < 1500
        for opener in (asker, user):
            with pytest.raises(ProofError, match="signature did not come"):
                opener.open_file(bare, request, proof=True)


def test_a_deed_is_of_one_file_as_it_is(story):
    one, other = (story.attach(story.ward, 5, b"one"), story.attach(story.ward, 5, b"two"))
    request = story.owner.fetch(one)
    sealed = story.cloud.fetch(request, proof=True)
    theirs = deed_of(story.cloud.fetch(story.owner.fetch(other), proof=True))
    mine = deed_of(sealed)
    bare = bytes(sealed)[: -len(mine)]
    for deed in (theirs, mine[:-1] + bytes([mine[-1] ^ 1]), mine[:40] + b"\1" + mine[41:]):
        told = mopse.SealedFile.from_bytes(bare + deed)
        assert story.owner.open_file(told, request).content == b"one", "unnoticed without a proof"
        with pytest.raises(SignatureError, match="not signed by whom it names"):
            story.owner.open_file(told, request, proof=True)
    file = sealed._fetched.file
    for changed in (
        {"handle": file.handle ^ 1},
        {"number": file.number ^ 1},
        {"description": file.description + b"\0"},
        {"body": file.body[:-1] + bytes([file.body[-1] ^ 1])},
        {"provider": "hospital/other"},
    ):
        facts = {name: getattr(file, name) for name in FACTS} | changed
        fetched = Fetched(sealed._fetched.request, StoredFile(*facts.values()))
        told = mopse.SealedFile.from_bytes(bytes(mopse.SealedFile(fetched)) + mine)
        with pytest.raises(SignatureError):
            told._fetched.prove()


def test_a_deed_goes_with_its_provider_and_every_store_keeps_it(story):
    number = story.attach(story.ward, 5, b"one")
    story.cloud.receive(story.owner.removal("hospital/ward"))
    with pytest.raises(InvalidInputError, match="no such file"):
        story.cloud.fetch(story.owner.fetch(number), proof=True)
    other = Story.__new__(Story)
    Scene.__init__(other, SCHEMA, "clinic", cloud=mopse.Cloud(DictStore()))
    kept = other.attach(other["clinic"], 5, b"one")
    request = other.owner.fetch(kept)
    sealed = other.cloud.fetch(request, proof=True)
    assert other.owner.open_file(sealed, request, proof=True).content == b"one"
    plain = other.cloud.fetch(request)
    with pytest.raises(ProofError, match="did not come"):
        other.owner.open_file(plain, request, proof=True)
