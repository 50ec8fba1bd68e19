"""Files of records, found by encrypted keywords and fetched one by one, as the parties do it."""

import datetime
import io

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import Scene

import mopse
from mopse._party import keyword_bytes
from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
    MopseError,
    ReplayError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)

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
        request = bytes(asker.find(*keywords))
        listing = mopse.FileListing.from_bytes(bytes(self.cloud.find(request)))
        return asker.files(listing)

    def fetched(self, asker, file):
        """Return a file, fetched and opened."""
        sealed = self.cloud.fetch(bytes(asker.fetch(file)))
        return asker.open_file(mopse.SealedFile.from_bytes(bytes(sealed)))


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
    listing = story.cloud.find(story.owner.find("pneumonia", "0171 234"))
    table = story.owner.files(listing)
    assert table.rows() == [("hospital", upload.file, "chest.jpg", "image/jpeg", 100_000)]
    assert table.columns == ["provider", "file", "name", "media_type", "size_bytes"]
    file = story.owner.open_file(story.cloud.fetch(story.owner.fetch(upload.file)))
    assert file == mopse.File("chest.jpg", "image/jpeg", "hospital", XRAY)


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
    listing = story.cloud.find(other.owner.find("fracture"))
    assert len(listing) == 0
    assert other.owner.files(listing).is_empty()


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
    listing = story.cloud.find(story.owner.files_of(answer))
    assert story.owner.files(listing)["name"].to_list() == ["of 2", "of 2"]


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
    sealed = [story.cloud.fetch(story.owner.fetch(file)) for file in (first, second)]
    assert user.open_file(sealed[0]).content == b"first"
    with pytest.raises(ScopeError, match="the user has no right to this record of hospital"):
        user.open_file(sealed[1])
    listing = story.cloud.find(story.owner.find("scan"))
    with pytest.raises(ScopeError):
        user.files(listing)
    everything = mopse.User(SCHEMA, [story.hospital.grant()])
    assert everything.open_file(sealed[1]).content == b"second"
    assert everything.files(listing)["size_bytes"].to_list() == [5, 6]
    with pytest.raises(ScopeError):
        mopse.User(SCHEMA, [story.clinic.grant()]).open_file(sealed[0])


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
    counts = story.cloud.count_keywords(bytes(stale.find(*words)))
    assert counts == [40, 0]
    stale.catch_up(words, counts)
    story.attach(stale, 2, b"text", *words, name="new")
    assert story.found(story.owner, *words)["name"].to_list() == ["new"]
    assert story.found(story.owner, words[1])["name"].to_list() == ["new"]
    assert len(story.found(story.owner, "scan")) == 41


def test_catching_up_never_goes_back(story):
    story.attach(story.hospital, 1, b"text", "scan", name="first")
    story.hospital.catch_up(["scan"], [0])
    story.attach(story.hospital, 1, b"text", "scan", name="second")
    assert len(story.found(story.owner, "scan")) == 2
    assert story.cloud.count_keywords(story.owner.find("scan")) == []
    assert story.cloud.count_keywords(story.clinic.find("scan")) == [0]


@pytest.mark.parametrize(
    ("keywords", "counts", "error"),
    [
        (["scan"], [], InvalidInputError),
        (["scan"], [-1], InvalidInputError),
        (["scan"], [2**64], InvalidInputError),
        (["scan"], [1.0], WrongTypeError),
        (["scan"], "1", WrongTypeError),
        (["scan"], 1, WrongTypeError),
        ("scan", [1], WrongTypeError),
        ([" "], [1], InvalidInputError),
    ],
)
def test_counts_that_are_none_are_refused(story, keywords, counts, error):
    with pytest.raises(error):
        story.hospital.catch_up(keywords, counts)
    assert story.cloud.count_keywords(story.hospital.find("scan")) == [0]


def test_a_count_that_cannot_grow_is_refused(story):
    story.hospital.catch_up(["scan"], [2**64 - 1])
    with pytest.raises(InvalidInputError, match="the number of uses of a keyword"):
        story.attach(story.hospital, 1, b"text", "scan")


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


def test_a_provider_fetches_from_its_subtree_only(story):
    file = story.attach(story.clinic, 1)
    with pytest.raises(ScopeError, match="hospital has no right to files of clinic"):
        story.cloud.fetch(story.hospital.fetch(file))
    inside = story.attach(story.ward, 1, b"inside")
    assert story.fetched(story.hospital, inside).content == b"inside"
    sealed = story.cloud.fetch(story.owner.fetch(file))
    with pytest.raises(ScopeError):
        story.hospital.open_file(sealed)
    with pytest.raises(ScopeError, match="another owner"):
        Story().owner.open_file(sealed)


def test_requests_end(story):
    story.attach(story.hospital, 1, b"text", "scan")
    past = datetime.timedelta(seconds=-5)
    for call in (
        lambda: story.cloud.find(story.owner.find("scan", expires_in=past)),
        lambda: story.cloud.fetch(story.owner.fetch("0" * 32, expires_in=past)),
    ):
        with pytest.raises(ExpiredError):
            call()


@pytest.mark.parametrize("what", ["upload", "request", "sealed", "listing"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_changed_messages_are_refused(what, data):
    story = Story()
    upload = story.hospital.attach(1, b"text", name="n", media_type="a/b", keywords=["scan"])
    story.cloud.receive(upload)
    message = bytearray(
        {
            "upload": lambda: bytes(upload),
            "request": lambda: bytes(story.owner.find("scan")),
            "sealed": lambda: bytes(story.cloud.fetch(story.owner.fetch(upload.file))),
            "listing": lambda: bytes(story.cloud.find(story.owner.find("scan"))),
        }[what]()
    )
    message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    receive = {
        "upload": lambda m: story.cloud.receive(m),
        "request": lambda m: story.cloud.find(m),
        "sealed": lambda m: story.owner.open_file(mopse.SealedFile.from_bytes(m)),
        "listing": lambda m: story.owner.files(mopse.FileListing.from_bytes(m)),
    }[what]
    with pytest.raises(MopseError):
        receive(bytes(message))


def test_cut_messages_are_refused(story):
    upload = story.hospital.attach(1, b"text", name="n", media_type="a/b", keywords=["scan"])
    story.cloud.receive(upload)
    request = bytes(story.owner.find("scan"))
    sealed = bytes(story.cloud.fetch(story.owner.fetch(upload.file)))
    for cut in (0, 8, 9, 40, -1, -64):
        with pytest.raises((DamagedFileError, SignatureError)):
            story.cloud.receive(mopse.FileUpload(bytes(upload)[:cut]))
        with pytest.raises((DamagedFileError, SignatureError)):
            story.cloud.find(request[:cut])
        with pytest.raises((DamagedFileError, DecryptionError)):
            story.owner.open_file(mopse.SealedFile.from_bytes(sealed[:cut]))


def test_a_listing_does_not_pass_for_a_file(story):
    story.attach(story.hospital, 1, b"text", "scan")
    listing = story.cloud.find(story.owner.find("scan"))
    bare = mopse.SealedFile(listing._stored[0])
    with pytest.raises(DecryptionError, match="the file does not open"):
        story.owner.open_file(bare)
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
        lambda: story.owner.files(request),
        lambda: story.owner.open_file(listing),
        lambda: story.owner.files_of(listing),
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
