"""Listings that prove themselves: every lie of a dishonest cloud, and honest lists."""

import datetime
import hashlib
import random
import time
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import reference_messages as second
from proven_listings import DishonestLister, Find, ListedFile, Neighbours, ToldListing
from reference_messages import SealedFile
from scene import Scene
from stores.dict_store import DictStore

from mopse import Cloud, Field, FileListing, FileRequest, Owner, Provider, Schema, User
from mopse.errors import (
    AnswerError,
    ChangedError,
    InvalidInputError,
    MopseError,
    ProofError,
    SignatureError,
    WrongTypeError,
)

SCHEMA = Schema(age=Field(0, 99, proof=True))
SEED = 51
PATHS = ("hospital", "hospital/ward", "clinic")
FILES = {
    "hospital": [(1, ["scan", "knee"]), (1, ["scan"]), (2, ["letter"]), (3, ["scan", "hip"])],
    "hospital/ward": [(7, ["scan", "knee"])],
    "clinic": [(5, ["letter"]), (5, ["letter", "hip"])],
}
WORDS = [("scan",), ("letter",), ("scan", "knee"), ("knee", "scan"), ("hip", "letter"), ("none",)]


class Story(Scene):
    """Three providers in two groups with records and files, sealed."""

    def __init__(self, cloud: Cloud | None = None) -> None:
        self.liar = DishonestLister() if cloud is None else cloud
        owner = Owner.from_insecure_seed(SCHEMA, SEED)
        super().__init__(SCHEMA, *PATHS, owner=owner, cloud=self.liar)
        self.owner.catch_up(self.cloud)
        for path in PATHS:
            self.send(path, pl.DataFrame({"id": [*range(10)], "age": [*range(30, 40)]}))
        self.known: dict[str, list[tuple[int, list[str], str]]] = {path: [] for path in PATHS}
        self.keys: dict[str, bytes] = {}
        for path, files in FILES.items():
            for record, words in files:
                self.attach(path, record, *words)
            self.keys[path] = second.Party.owner(SEED, SCHEMA.digest).authorize(path).key
        self.seal()

    def attach(self, path: str, record: int, *words: str) -> str:
        """Attach a file and return its number."""
        name = f"{record} {'+'.join(words)}"
        upload = self[path].attach(
            record, b"x" * 100, name=name, media_type="text/plain", keywords=words
        )
        self.cloud.receive(upload)
        self.known[path].append((record, list(words), upload.file))
        return upload.file

    def seal(self, *paths: str) -> None:
        """Have providers seal what they have, all of them if none is named."""
        for path in paths or PATHS:
            self.cloud.receive(self[path].seal())

    def user(self) -> User:
        """Return a user who has seen nothing, and may read everything."""
        return User(SCHEMA, [self.owner.grant(path) for path in PATHS])

    def expected(self, *words: str, below: str = "") -> list[str]:
        """Return the files that have all keywords, as a plain table has them."""
        return sorted(
            number
            for path, files in self.known.items()
            for _, of, number in files
            if set(words) <= set(of) and path.startswith(below)
        )

    def of_records(self, **bounds: Any) -> FileRequest:
        """Return the request for the files of what a query finds."""
        query = self.owner.query(**bounds or {"age": (31, 32)})
        return self.owner.files_of(self.cloud.search(query))


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


def listed(asker: Any, cloud: Cloud, request: FileRequest, **how: Any) -> Any:
    """Return the files of a request by name, proven."""
    listing = FileListing.from_bytes(bytes(cloud.find(bytes(request), proof=True)))
    return asker.files(listing, request, proof=True, **how)


# Honest lists


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
@pytest.mark.parametrize("who", ["owner", "user", "hospital", "hospital/ward"])
def test_a_list_by_keywords_is_proven_and_is_what_a_plain_table_has(story, words, who):
    below = who if who in PATHS else ""
    issuer = story[who] if below else story.owner
    asker = story.user() if who == "user" else issuer
    request = issuer.find(*words, proof=True)
    table = listed(asker, story.cloud, request)
    assert table["file"].sort().to_list() == story.expected(*words, below=below)


@pytest.mark.parametrize("who", ["owner", "user"])
def test_a_list_of_records_is_proven(story, who):
    asker = story.owner if who == "owner" else story.user()
    request = story.of_records(age=(31, 32))
    listing = story.cloud.find(request, proof=True)
    table = asker.files(listing, request, proof=True)
    expected = [of for files in story.known.values() for record, _, of in files if record in (1, 2)]
    assert table["file"].sort().to_list() == sorted(expected)
    proven = listing.proven
    assert proven["is_proven"].all()
    assert dict(proven.select("provider", "files").iter_rows()) == {
        path: len(FILES[path]) for path in PATHS
    }
    assert (proven["unsealed"] == 0).all()
    assert proven["cause"].null_count() == proven.height


def test_a_list_without_a_proof_is_what_it_was(story):
    request = story.owner.find("scan")
    listing = story.cloud.find(request)
    assert (listing.proof_nbytes, listing.proven) == (0, None)
    assert story.owner.files(listing, request).height == len(story.expected("scan"))
    proven = story.cloud.find(story.owner.find("scan", proof=True), proof=True)
    assert proven.proof_nbytes == proven.nbytes - listing.nbytes


@pytest.mark.parametrize("seed", range(4))
def test_many_histories_are_proven(seed):
    choice = random.Random(seed)
    story = Story()
    words = ["scan", "knee", "hip", "letter", "blood"]
    for _ in range(40):
        path = choice.choice(PATHS)
        match choice.randrange(4):
            case 0 | 1:
                some = choice.sample(words, choice.randrange(4))
                story.attach(path, choice.randrange(10), *some)
            case 2:
                story.cloud.receive(story[path].seal())
            case 3:
                story.cloud.receive(story[path].seal(cloud=story.cloud))
    story.seal()
    for some in [("scan",), ("hip", "scan"), ("blood", "knee", "letter"), ("none",)]:
        request = story.owner.find(*some, proof=True)
        for asker in (story.owner, story.user()):
            table = listed(asker, story.cloud, request)
            assert table["file"].sort().to_list() == story.expected(*some)
    request = story.of_records(age=(30, 39))
    table = listed(story.owner, story.cloud, request)
    assert table["file"].sort().to_list() == story.expected()


def test_many_files_of_a_keyword_are_proven():
    story = Story()
    for number in range(300):
        story.attach("clinic", number % 10, "many", f"own {number}")
    story.seal()
    request = story.owner.find("many", proof=True)
    assert listed(story.owner, story.cloud, request).height == 300
    request = story.owner.find("many", "own 77", proof=True)
    assert listed(story.owner, story.cloud, request).height == 1


# Lies: what is told, and who is blamed


def by_name(listing: ToldListing, provider: str) -> ListedFile:
    """Return the first listed file of a provider."""
    return next(file for file in listing.files if file.provider == provider)


def place_of(listing: ToldListing, provider: str) -> int:
    """Return where the part of a provider stands, as the request has them: one of each here."""
    return {"clinic": 0, "hospital": 1, "hospital/ward": 2}[provider]


def leave_out(listing: ToldListing) -> None:
    """Leave a file out of the list."""
    listing.files.remove(by_name(listing, "hospital"))


def leave_out_of_both(listing: ToldListing) -> None:
    """Leave a file out of the list and of what is shown."""
    file = by_name(listing, "hospital")
    listing.files.remove(file)
    for find in listing.places[place_of(listing, "hospital")].finds:
        find.files = [of for of in find.files if of[:16] != second.u128(file.number)]


def call_late(listing: ToldListing) -> None:
    """Say that a sealed file came after the seal."""
    file = by_name(listing, "hospital")
    listing.places[place_of(listing, "hospital")].unsealed.append(file.number)


def call_late_and_leave_out(listing: ToldListing) -> None:
    """Leave a file out, and say that it came after the seal."""
    call_late(listing)
    leave_out(listing)


def leave_a_provider_out(listing: ToldListing) -> None:
    """List no file of a provider, and show that it has none of the keyword."""
    listing.files = [file for file in listing.files if file.provider != "hospital"]
    for find in listing.places[place_of(listing, "hospital")].finds:
        find.files = []


def show_nothing(listing: ToldListing) -> None:
    """List no file of a provider, and show nothing of it."""
    listing.files = [file for file in listing.files if file.provider != "hospital"]
    listing.places[place_of(listing, "hospital")].finds = []


def hide_the_seal(listing: ToldListing) -> None:
    """Say of a provider that it has sealed nothing."""
    at = place_of(listing, "hospital")
    del listing.heads[at]
    leave_a_provider_out(listing)
    listing.places[at].finds = []


def change_a_description(listing: ToldListing) -> None:
    """List a file under another description."""
    file = by_name(listing, "hospital")
    file.description = bytes(len(file.description))


def exchange_parts(listing: ToldListing) -> None:
    """Show of one provider what another one has."""
    places = listing.places
    places[0], places[1] = places[1], places[0]


def forget_a_part(listing: ToldListing) -> None:
    """Show nothing of the last provider."""
    listing.places.pop()


def cut_a_path(listing: ToldListing) -> None:
    """Show a path that is too short."""
    find = listing.places[place_of(listing, "hospital")].finds[0]
    (find.path if find.between is None else find.between.path).pop()


def move(listing: ToldListing) -> None:
    """Show a line or a record at another place."""
    find = listing.places[place_of(listing, "hospital")].finds[0]
    if find.between is None:
        find.at += 1
    else:
        find.between.start += 1


BY_KEYWORD = [
    leave_out,
    leave_out_of_both,
    call_late,
    call_late_and_leave_out,
    leave_a_provider_out,
    show_nothing,
    hide_the_seal,
    cut_a_path,
    move,
]


@pytest.mark.parametrize("lie", BY_KEYWORD, ids=lambda lie: lie.__name__)
@pytest.mark.parametrize("by", ["keyword", "record"])
@pytest.mark.parametrize("who", ["owner", "user"])
def test_a_lie_is_found_blamed_and_passes_without_a_proof(lie, by, who):
    story = Story()
    asker = story.owner if who == "owner" else story.user()
    find = story.owner.find
    request = find("scan", proof=True) if by == "keyword" else story.of_records()
    true = listed(asker, story.cloud, request)
    asker = story.owner if who == "owner" else story.user()
    story.liar.lie = lie
    with pytest.raises(ProofError) as error:
        listed(asker, story.cloud, request)
    assert error.value.providers == ("hospital",)
    table, faults = listed(asker, story.cloud, request, faults="report")
    assert set(faults["provider"]) == {"hospital"}
    honest_part = true.filter(pl.col("provider") != "hospital")
    assert table.sort("file").equals(honest_part.sort("file"))
    # Without a proof the same lie passes.
    plain = find("scan") if by == "keyword" else request

    def as_told(listing: ToldListing) -> None:
        proven = ToldListing.of(bytes(Cloud.find(story.cloud, request, proof=True)))
        lie(proven)
        listing.files = proven.files

    story.liar.lie = as_told
    found = asker.files(story.cloud.find(plain), plain)
    assert found.height <= true.height


@pytest.mark.parametrize("by", ["keyword", "record"])
def test_a_file_under_another_description_is_not_the_one_that_was_sealed(story, by):
    request = story.owner.find("scan", proof=True) if by == "keyword" else story.of_records()
    listing = ToldListing.of(bytes(story.cloud.find(request, proof=True)))
    change_a_description(listing)
    with pytest.raises(ProofError) as error:
        story.owner.files(FileListing.from_bytes(bytes(listing)), request, proof=True)
    assert error.value.providers == ("hospital",)


@pytest.mark.parametrize("lie", [exchange_parts, forget_a_part], ids=lambda lie: lie.__name__)
def test_a_proof_of_another_request_is_refused(story, lie):
    request = story.owner.find("scan", proof=True)
    listing = ToldListing.of(bytes(story.cloud.find(request, proof=True)))
    lie(listing)
    with pytest.raises(ProofError):
        story.owner.files(FileListing.from_bytes(bytes(listing)), request, proof=True)


def test_a_line_of_another_keyword_or_seal_is_refused(story):
    owner, cloud = story.owner, story.cloud
    request, other = owner.find("scan", proof=True), owner.find("letter", proof=True)
    true = ToldListing.of(bytes(cloud.find(request, proof=True)))
    of_other = ToldListing.of(bytes(cloud.find(other, proof=True)))
    lies: list[Callable[[ToldListing], None]] = []
    for at in range(3):

        def another_keyword(listing: ToldListing, at: int = at) -> None:
            listing.places[at].finds = of_other.places[at].finds

        lies.append(another_keyword)

        def no_keyword(listing: ToldListing, at: int = at) -> None:
            # Between lines that are side by side, but not those where it would stand.
            shown = Find(2, Neighbours(0, None, None, []))
            listing.places[at].finds = [shown]

        lies.append(no_keyword)

        def doubled(listing: ToldListing, at: int = at) -> None:
            listing.places[at].finds *= 2

        lies.append(doubled)
    for lie in lies:
        listing = ToldListing.of(bytes(true))
        lie(listing)
        if bytes(listing) == bytes(true):
            continue
        with pytest.raises(ProofError):
            owner.files(FileListing.from_bytes(bytes(listing)), request, proof=True)


def test_files_of_the_request_in_another_order_are_proven_all_the_same(story):
    request = story.owner.find("scan", proof=True)
    listing = ToldListing.of(bytes(story.cloud.find(request, proof=True)))
    listing.files.reverse()
    found = story.owner.files(FileListing.from_bytes(bytes(listing)), request, proof=True)
    assert found.height == len(story.expected("scan"))


def test_a_file_that_is_listed_under_a_keyword_it_lacks_is_found_also_among_conjunctions(story):
    request = story.owner.find("scan", "knee", proof=True)
    listing = ToldListing.of(bytes(story.cloud.find(request, proof=True)))
    more = ToldListing.of(bytes(story.cloud.find(story.owner.find("scan"))))
    have = {file.number for file in listing.files}
    listing.files += [file for file in more.files if file.number not in have][:1]
    with pytest.raises((AnswerError, ProofError)):
        story.owner.files(FileListing.from_bytes(bytes(listing)), request, proof=True)


@pytest.mark.parametrize("by", ["keyword", "record"])
def test_no_byte_of_a_listing_can_be_changed_or_cut(story, by):
    owner = story.owner
    request = owner.find("scan", "knee", proof=True) if by == "keyword" else story.of_records()
    message = bytes(story.cloud.find(request, proof=True))
    true = owner.files(FileListing.from_bytes(message), request, proof=True)
    choice = random.Random(9)
    places = choice.sample(range(len(message)), 600)
    changed = [
        message[:at] + bytes([message[at] ^ 1 << choice.randrange(8)]) + message[at + 1 :]
        for at in places
    ]
    changed += [message[:at] for at in choice.sample(range(len(message)), 60)]
    for one in changed:
        try:
            found = owner.files(FileListing.from_bytes(one), request, proof=True)
        except MopseError:
            continue
        assert found.equals(true)


# What came since, older seals, other seals


def test_a_file_that_came_after_the_seal_is_refused_or_reported():
    story = Story()
    request = story.owner.find("scan", proof=True)
    before = story.expected("scan")
    late = story.attach("clinic", 9, "scan")
    for asker in (story.owner, story.user()):
        with pytest.raises(ProofError, match="came after the seal of its provider") as error:
            listed(asker, story.cloud, request)
        assert error.value.providers == ("clinic",)
        listing = story.cloud.find(request, proof=True)
        table, faults = asker.files(listing, request, proof=True, faults="report")
        assert table["file"].sort().to_list() == before
        assert faults["file"].to_list() == [late]
        assert dict(listing.proven.select("provider", "unsealed").iter_rows())["clinic"] == 1
        assert listing.proven["is_proven"].all()
    story.seal("clinic")
    assert late in listed(story.owner, story.cloud, request)["file"].to_list()


def test_an_older_seal_is_refused_by_who_has_seen_a_newer_one():
    story = Story()
    request = story.owner.find("scan", proof=True)
    old = ToldListing.of(bytes(story.cloud.find(request, proof=True)))
    story.attach("hospital", 4, "scan")
    story.seal("hospital")
    story.liar.lie = lambda listing: vars(listing).update(vars(ToldListing.of(bytes(old))))
    stranger = story.user()
    assert listed(stranger, story.cloud, request).height == len(story.expected("scan")) - 1
    story.liar.lie = lambda listing: None
    user = story.user()
    assert listed(user, story.cloud, request).height == len(story.expected("scan"))
    story.liar.lie = lambda listing: vars(listing).update(vars(ToldListing.of(bytes(old))))
    with pytest.raises(ProofError, match="it shows seal 1, and 2 was seen before"):
        listed(user, story.cloud, request)


def test_a_fork_is_found_when_two_compare():
    one, other = Story(), Story()
    one.attach("hospital", 4, "scan")
    other.attach("hospital", 4, "letter")
    users = []
    for story in (one, other):
        story.seal("hospital")
        users.append(story.user())
        listed(users[-1], story.cloud, story.owner.find("scan", proof=True))
    with pytest.raises(ProofError, match="two histories") as error:
        users[0].compare(users[1])
    # From one seed all else is sealed alike.
    assert error.value.providers == ("hospital",)


def test_seals_may_be_too_old(monkeypatch):
    hours = 3600
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * hours)
    owner = Owner.generate(SCHEMA)
    other = Scene(SCHEMA, "a", owner=owner)
    other.cloud.receive(other["a"].seal())
    request = owner.find("scan", proof=True)
    assert listed(owner, other.cloud, request, max_age=datetime.timedelta(hours=1)).height == 0
    monkeypatch.setattr(time, "time", lambda: now + 20 * hours)
    request = owner.find("scan", proof=True)
    assert listed(owner, other.cloud, request).height == 0
    with pytest.raises(ProofError, match="its seal is 10 hours old"):
        listed(owner, other.cloud, request, max_age=datetime.timedelta(hours=5))


def test_who_has_sealed_nothing_is_named():
    owner = Owner.generate(SCHEMA)
    scene = Scene(SCHEMA, "a", "b", owner=owner)
    scene.cloud.receive(scene["a"].seal())
    request = owner.find("scan", proof=True)
    with pytest.raises(ProofError, match="'b': it has sealed nothing") as error:
        listed(owner, scene.cloud, request)
    assert error.value.providers == ("b",)


def test_a_provider_whose_files_were_removed_is_named_until_it_seals():
    story = Story()
    story.cloud.receive(story.owner.removal("clinic"))
    request = story.owner.find("letter", proof=True)
    with pytest.raises(ProofError, match="had all of it removed") as error:
        listed(story.owner, story.cloud, request)
    assert error.value.providers == ("clinic",)
    story.cloud.receive(story["clinic"].seal(cloud=story.cloud))
    found = listed(story.owner, story.cloud, request)
    assert set(found["provider"]) == {"hospital"}
    new = story.attach("clinic", 1, "letter")
    story.seal("clinic")
    assert new in listed(story.owner, story.cloud, request)["file"].to_list()


def test_after_a_revocation_files_of_earlier_epochs_are_stated_where_they_are():
    story = Story()
    late = story.attach("hospital", 8, "scan")  # no seal of its epoch has it yet
    story.owner.revoke("clinic")
    story.enroll()
    story.cloud.receive(story.owner.removal("clinic"))
    del story.known["clinic"]
    for path in ("hospital", "hospital/ward"):
        story.authorize(path)
    for path in ("hospital", "hospital/ward"):
        story[path].catch_up(story.cloud)
        story[path].renew(story.cloud)
        story.seal(path)
    story.owner.catch_up(story.cloud)
    new = story.attach("hospital", 1, "scan")
    story.seal("hospital")
    for words in (("scan",), ("knee", "scan"), ("letter",)):
        request = story.owner.find(*words, proof=True)
        listing = story.cloud.find(request, proof=True)
        table = story.owner.files(listing, request, proof=True)
        assert table["file"].sort().to_list() == story.expected(*words)
    assert {late, new} <= set(story.expected("scan"))
    shown = listing.proven.filter(provider="hospital")
    assert sorted(shown["files"]) == [1, len(FILES["hospital"]) + 1]
    assert listing.proven.filter(provider="clinic")["seal"].to_list() == [None]
    # What is stated already is not stated again.
    story["hospital"].renew(story.cloud)
    again = story.cloud.find(request, proof=True)
    story.owner.files(again, request, proof=True)
    assert again.proven.sort("provider", "seal").equals(listing.proven.sort("provider", "seal"))


def test_a_user_is_told_that_a_provider_was_removed_and_has_left():
    story = Story()
    story.owner.revoke("clinic")
    story.enroll()
    story.cloud.receive(story.owner.removal("clinic"))
    for path in ("hospital", "hospital/ward"):
        story.authorize(path)
    for path in ("hospital", "hospital/ward"):
        story[path].renew(story.cloud)
        story.seal(path)
    story.owner.catch_up(story.cloud)
    del story.known["clinic"]
    user = User(SCHEMA, [story.owner.grant(path) for path in ("hospital", "hospital/ward")])
    request = story.owner.find("none", proof=True)
    assert listed(user, story.cloud, request).height == 0
    # Not by who keeps the announcement back, nor while it is a member.
    listing = ToldListing.of(bytes(story.cloud.find(request, proof=True)))
    listing.announcements = []
    with pytest.raises(ProofError, match="had all of it removed"):
        user.files(FileListing.from_bytes(bytes(listing)), request, proof=True)


# Ledgers


def test_a_lost_ledger_is_made_again_with_its_files(tmp_path):
    story = Story()
    late = story.attach("hospital", 6, "scan", "lost")
    keyring = tmp_path / "hospital"
    story["hospital"].save(keyring, "a long password, once")
    (tmp_path / "hospital.ledger").unlink()
    again = Provider.open(keyring, "a long password, once")
    with pytest.raises(InvalidInputError):
        again.seal()
    story.cloud.receive(again.seal(cloud=story.cloud))
    request = story.owner.find("lost", proof=True)
    assert listed(story.owner, story.cloud, request)["file"].to_list() == [late]
    again.save(keyring, "a long password, once")
    opened = Provider.open(keyring, "a long password, once")
    more = opened.attach(3, b"x", name="x", media_type="a/b", keywords=["lost"])
    story.cloud.receive(more)
    story.cloud.receive(opened.seal())
    assert listed(story.owner, story.cloud, request).height == 2


def test_a_file_that_never_came_makes_the_seal_one_of_other_files():
    story = Story()
    hospital = story["hospital"]
    hospital.attach(1, b"x", name="lost", media_type="a/b", keywords=["scan"])
    with pytest.raises(ChangedError, match="is of 5 files that are not the 4 stored here"):
        story.cloud.receive(hospital.seal())
    request = story.owner.find("scan", proof=True)
    assert listed(story.owner, story.cloud, request).height == len(story.expected("scan"))
    story.cloud.receive(hospital.seal(cloud=story.cloud))
    assert listed(story.owner, story.cloud, request).height == len(story.expected("scan"))


@pytest.mark.parametrize("lie", ["omit", "describe", "note", "move", "another seal"])
def test_a_cloud_cannot_have_a_provider_seal_other_files_than_it_sealed_before(lie):
    story = Story()
    old = []

    def tell(listing: ToldListing) -> None:
        if not listing.places or not listing.places[0].notes:
            return
        if lie == "omit":
            listing.files.pop()
            listing.places[0].notes.pop()
        elif lie == "describe":
            listing.files[0].description = listing.files[1].description
        elif lie == "note":
            notes = listing.places[0].notes
            notes[0], notes[1] = notes[1], notes[0]
        elif lie == "move":
            listing.files[0].handle = listing.files[1].handle + 1
        else:
            vars(listing).update(vars(ToldListing.of(old[0])), request=listing.request)

    if lie == "another seal":

        def keep(listing: ToldListing) -> None:
            old.append(bytes(listing))

        story.liar.lie = keep
        story["hospital"].seal(cloud=story.cloud)
        story.liar.lie = lambda listing: None
        story["hospital"].seal(cloud=story.cloud)
        story.attach("hospital", 5, "scan")
        story.cloud.receive(story["hospital"].seal(cloud=story.cloud))
    story.liar.lie = tell
    with pytest.raises(MopseError):
        story["hospital"].seal(cloud=story.cloud)
    story.liar.lie = lambda listing: None
    story.cloud.receive(story["hospital"].seal(cloud=story.cloud))


def test_a_file_since_the_last_seal_is_sealed_only_if_its_provider_attached_it():
    story = Story()
    story.attach("hospital", 6, "scan")

    def describe(listing: ToldListing) -> None:
        if listing.places and listing.places[0].notes:
            number = listing.places[0].unsealed[0]
            late = next(file for file in listing.files if file.number == number)
            late.description = listing.files[0].description

    story.liar.lie = describe
    with pytest.raises(ProofError, match="not the one that this provider attached"):
        story["hospital"].seal(cloud=story.cloud)


# What lines tell


def lines_of(seal: bytes, files: list[tuple[int, list[str]]]) -> list[bytes]:
    """Return the lines of a seal, which are at its end, one for each entry."""
    count = sum(len(words) for _, words in files)
    at = len(seal) - 48 * count
    return [seal[at + 48 * number : at + 48 * number + 48] for number in range(count)]


def test_there_are_as_many_lines_as_entries_whatever_the_keywords():
    sizes = set()
    for files in (
        [(1, ["a", "b"]), (2, ["a", "b"]), (3, ["a"])],
        [(1, ["a", "b"]), (2, ["c", "d"]), (3, ["e"])],
    ):
        scene = Scene(SCHEMA, "a")
        for record, words in files:
            scene.cloud.receive(
                scene["a"].attach(record, b"x", name="x", media_type="a/b", keywords=words)
            )
        seal = bytes(scene["a"].seal())
        sizes.add(len(seal))
        lines = lines_of(seal, files)
        assert second.committed(lines) in seal
        assert lines == sorted(lines, key=lambda line: int.from_bytes(line[:16], "little"))
    assert len(sizes) == 1


def test_lines_of_two_seals_have_nothing_in_common_and_look_random():
    story = Story()
    hospital = story["hospital"]
    seen: list[bytes] = []
    for _ in range(40):
        seal = hospital.seal()
        story.cloud.receive(seal)
        seen += lines_of(bytes(seal), FILES["hospital"])
    assert len(set(seen)) == len(seen) == 40 * 6
    assert len({line[:16] for line in seen}) == len({line[16:] for line in seen}) == len(seen)
    # Ones among 92,160 bits: 5 standard deviations, passed by chance with probability 6e-7.
    bits = b"".join(seen)
    ones = sum(byte.bit_count() for byte in bits)
    assert abs(ones - 4 * len(bits)) < 5 * (2 * len(bits)) ** 0.5


def test_a_request_for_a_proof_shows_the_cloud_tags_and_no_word(story):
    plain, proven = story.owner.find("scan"), story.owner.find("scan", proof=True)
    places = 3
    assert proven.nbytes == plain.nbytes + 16 * places
    for path in PATHS:
        tag = second.keyword_tag(story.keys[path], "scan")
        assert tag in bytes(proven)
        assert tag not in bytes(plain)


# The second implementation


@pytest.mark.parametrize("path", PATHS)
def test_a_seal_with_files_is_what_the_second_implementation_makes(path):
    story = Story()
    request = story.owner.find("scan", proof=True)
    everything = ToldListing.of(bytes(Cloud.find(story.cloud, request, proof=True)))
    known = {file.number: file for file in everything.files}
    for words in (("letter",), ("knee",)):
        more = ToldListing.of(bytes(Cloud.find(story.cloud, story.owner.find(*words))))
        known |= {file.number: file for file in more.files}
    files = [
        SealedFile(
            known[int(number, 16)].handle,
            int(number, 16),
            hashlib.sha256(bytes(known[int(number, 16)])).digest(),
            tuple(words),
        )
        for _, words, number in story.known[path]
    ]
    seal = bytes(story[path].seal())
    key = story.keys[path]
    count = sum(len(file.keywords) for file in files)
    filed = sorted((of.handle, of.number, of.digest) for of in files)
    by_record = second.committed([second.u128(a) + second.u128(b) + c for a, b, c in filed])
    assert by_record in seal
    content = seal[: seal.index(by_record) + len(by_record)]
    lines = second.lines_of(key, hashlib.sha256(content).digest(), files)
    assert seal[len(seal) - 48 * count :] == b"".join(lines)
    assert second.committed(lines) in seal


# Refusals


def test_a_proof_of_a_request_that_was_not_made_for_one_is_refused(story):
    request = story.owner.find("scan")
    with pytest.raises(ProofError, match="made without proof=True"):
        story.cloud.find(request, proof=True)
    with pytest.raises(ProofError, match="no proof came with the listing"):
        story.owner.files(story.cloud.find(request), request, proof=True)
    proven = story.owner.find("scan", proof=True)
    with pytest.raises(ProofError, match="no proof came with the listing"):
        story.owner.files(story.cloud.find(proven), proven, proof=True)


def test_wrong_values_are_refused_by_name(story):
    request = story.owner.find("scan", proof=True)
    listing = story.cloud.find(request, proof=True)
    with pytest.raises(WrongTypeError, match="proof"):
        story.owner.find("scan", proof="yes")
    with pytest.raises(WrongTypeError, match="proof"):
        story.cloud.find(request, proof=1)
    with pytest.raises(WrongTypeError, match="proof"):
        story.owner.files(listing, request, proof="signatures")
    with pytest.raises(InvalidInputError, match="max_age"):
        story.owner.files(listing, request, max_age=datetime.timedelta(hours=1))


def test_a_store_that_keeps_no_seals_says_so():
    scene = Scene(SCHEMA, "a", cloud=Cloud(DictStore()))
    request = scene.owner.find("scan", proof=True)
    with pytest.raises(InvalidInputError, match="keeps no seals"):
        scene.cloud.find(request, proof=True)


def test_a_forged_seal_is_refused(story):
    request = story.owner.find("scan", proof=True)
    listing = ToldListing.of(bytes(story.cloud.find(request, proof=True)))
    head = listing.heads[0]
    listing.heads[0] = head[:-1] + bytes([head[-1] ^ 1])
    with pytest.raises(SignatureError):
        story.owner.files(FileListing.from_bytes(bytes(listing)), request, proof=True)


def test_all_files_of_a_place_are_for_its_own_provider(story):
    [message] = story["clinic"]._keyring.request_shelves(True, int(time.time()) + 60)
    assert story.cloud.find(message, proof=True).nbytes > 0
    listing = story.cloud.find(message, proof=True)
    request = FileRequest(message)
    with pytest.raises(ProofError, match="only files of keywords or records"):
        story["clinic"].files(listing, request, proof=True)
    with pytest.raises(MopseError):
        story["hospital"]._keyring.shelf(listing._listing, request._decoded, {})
