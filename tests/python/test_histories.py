"""Any order of what parties do, on two devices of each and from backups, beside an oracle.

The oracle is plain: who is a member in which epoch, which version of a record is live, and what a
message names. It says of every step what comes of it, also which error.
"""

import copy
import dataclasses
from typing import Any

import polars as pl
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
)

from mopse import Cloud, Field, Owner, Provider, Schema
from mopse._mopse.party import Keyring
from mopse.errors import (
    ChangedError,
    InvalidInputError,
    MopseError,
    OutdatedError,
    ReplayError,
    ScopeError,
)

SCHEMA = Schema(age=Field(0, 9))
NAMES = ["hospital", "clinic"]
CHEAP = (8, 1, 1)
DEVICES = st.sampled_from([0, 1])
NAME = st.sampled_from(NAMES)
IDS = st.sampled_from(["ann", "bob", "eve"])
ROWS = st.dictionaries(IDS, st.integers(0, 9), min_size=1, max_size=2)
ARRIVES = st.sampled_from([True, True, False])


@dataclasses.dataclass
class Known:
    """What is known of the hierarchy: epochs, readers' epochs, members, and announcements."""

    epochs: tuple[int, ...] = (0,)
    readers: tuple[int, ...] = (0,)
    members: tuple[tuple[str, int, int | None], ...] = ()
    chain: tuple[Any, ...] = ()

    @property
    def facts(self) -> tuple[Any, ...]:
        """What an announcement says."""
        return self.epochs, self.readers, self.members

    @property
    def current(self) -> list[str]:
        """Who is a member now."""
        return [name for name, _, last in self.members if last is None]

    def places(self, name: str) -> set[int]:
        """Return the epochs that somebody was a member in."""
        spans = [
            (first, len(self.epochs) - 1 if last is None else last)
            for of, first, last in self.members
            if of == name
        ]
        return {self.epochs[at] for first, last in spans for at in range(first, last + 1)}

    def add(self, name: str) -> None:
        """Make a member of somebody who is none."""
        if name not in self.current:
            self.members = tuple(sorted([*self.members, (name, len(self.epochs) - 1, None)]))

    def revoke(self, name: str, epoch: int) -> None:
        """Begin an epoch without somebody."""
        last = len(self.epochs) - 1
        self.members = tuple(
            (of, first, last if (of, end) == (name, None) else end)
            for of, first, end in self.members
        )
        self.epochs = (*self.epochs, epoch)

    def announce(self) -> None:
        """Announce what has changed since the last time."""
        if not self.chain or self.chain[-1] != self.facts:
            self.chain = (*self.chain, self.facts)

    def learn(self, other: "Known") -> bool:
        """Take over what a cloud knows, if it is not what was announced here, or before that."""
        if self.chain[: len(other.chain)] == other.chain:
            return False
        announced = {name for name, _, _ in self.chain[-1][2]} if self.chain else set()
        is_of_epoch = self.epochs[-1] == other.epochs[-1]
        since = [name for name in self.current if is_of_epoch and name not in announced]
        self.epochs, self.readers, self.members = other.epochs, other.readers, other.members
        self.chain = other.chain
        for name in since:
            self.add(name)
        return True


@dataclasses.dataclass
class Desk:
    """What a provider's device holds: its epochs, and what it knows of those above."""

    name: str
    epoch: int
    earlier: set[int]
    readers: int
    chain: tuple[Any, ...]


@dataclasses.dataclass
class Sent:
    """A message of a provider, and what it does."""

    message: Any
    number: int
    desk: Desk
    rows: dict[str, int]
    named: dict[str, int]
    removed: dict[tuple[int, str], int]


class Oracle:
    """What a cloud should hold."""

    def __init__(self) -> None:
        self.known = Known()
        self.live: dict[tuple[str, int, str], tuple[int, int]] = {}
        self.stones: dict[tuple[str, int, str], int] = {}
        self.done: dict[int, tuple[int, int, int]] = {}

    def of(self, name: str, epochs: set[int]) -> dict[tuple[int, str], int]:
        """Return the ages of a provider's records by epoch and id."""
        return {
            (epoch, record): age
            for (of, epoch, record), (_, age) in self.live.items()
            if of == name and epoch in epochs
        }

    def receive(self, sent: Sent) -> tuple[int, int, int, bool] | set[type[MopseError]]:
        """Do what a message says, or return which errors there may be."""
        desk = sent.desk
        if (desk.epoch, desk.readers) != (self.known.epochs[-1], self.known.readers[-1]):
            return {ScopeError}
        if sent.number in self.done:
            return *self.done[sent.number], True
        errors: set[type[MopseError]] = set()
        for record in sent.rows:
            at, named = (desk.name, desk.epoch, record), sent.named.get(record)
            live, stone = self.live.get(at, (None,))[0], self.stones.get(at)
            known = stone if live is None else live
            if (named is None and live is not None) or (named is not None and known is None):
                errors.add(InvalidInputError)
            elif named != known:
                errors.add(ChangedError)
        for (epoch, record), named in sent.removed.items():
            live = self.live.get((desk.name, epoch, record), (None,))[0]
            if live != named:
                errors.add(InvalidInputError if live is None else ChangedError)
        if errors:
            return errors
        replaced = sum((desk.name, desk.epoch, record) in self.live for record in sent.rows)
        for record, age in sent.rows.items():
            self.stones.pop((desk.name, desk.epoch, record), None)
            self.live[desk.name, desk.epoch, record] = sent.number, age
        for epoch, record in sent.removed:
            del self.live[desk.name, epoch, record]
            self.stones[desk.name, epoch, record] = sent.number
        self.done[sent.number] = len(sent.rows) - replaced, replaced, len(sent.removed)
        return *self.done[sent.number], False


def caught(call: Any) -> Any:
    """Return what a call returns, or its error."""
    try:
        return call()
    except MopseError as error:
        return error


class _Histories(RuleBasedStateMachine):
    """Two devices of an owner, two of every provider, and one cloud."""

    messages = Bundle("messages")

    @initialize()
    def begin(self) -> None:
        """Begin with everybody authorised and told."""
        self.cloud, self.oracle, self.count = Cloud(), Oracle(), 0
        owner = Owner.generate(SCHEMA)
        self.owners: list[Owner] = [owner, self.copied(owner)]
        self.known = [Known(), Known()]
        self.desks: dict[tuple[str, int], tuple[Provider, Desk]] = {}
        self.backups: dict[Any, Any] = {}
        for device in (0, 1):
            for name in NAMES:
                self.authorize(device, name, device)
        self.enroll(0)

    def next(self) -> int:
        """Return a number that was never returned."""
        self.count += 1
        return self.count

    def copied(self, party: Any) -> Any:
        """Return a party as it comes out of its saved keyring."""
        saved = party._keyring.seal(b"password", CHEAP)
        is_owner = isinstance(party, Owner)
        keyring = Keyring.open(saved, b"password", is_owner, (256, 4, 4))
        return type(party)(keyring, SCHEMA)

    def sender(self, name: str, device: int) -> tuple[Provider, Desk]:
        """Return a provider's device."""
        return self.desks[name, device]

    # Owners

    @rule(owner=DEVICES, name=NAME, device=DEVICES)
    def authorize(self, owner: int, name: str, device: int) -> None:
        """Have an owner's device make a device of a provider, in place of what was there."""
        known = self.known[owner]
        provider = self.owners[owner].authorize(name)
        known.add(name)
        epoch = known.epochs[-1]
        desk = Desk(name, epoch, known.places(name) - {epoch}, known.readers[-1], known.chain)
        self.desks[name, device] = provider, desk

    @rule(owner=DEVICES, name=NAME)
    def revoke(self, owner: int, name: str) -> None:
        """Have an owner's device revoke a provider, if it is a member."""
        known = self.known[owner]
        got = caught(lambda: self.owners[owner].revoke(name))
        if name in known.current:
            assert got is None
            known.revoke(name, self.next())
        else:
            assert isinstance(got, InvalidInputError)

    @rule(owner=DEVICES)
    def renew_readers(self, owner: int) -> None:
        """Have one device say that a reader has left."""
        self.owners[owner].renew_readers()
        self.known[owner].readers = (*self.known[owner].readers, self.next())

    @rule(owner=DEVICES)
    def enroll(self, owner: int) -> None:
        """Have an owner's device announce what it knows."""
        known, cloud = self.known[owner], self.oracle.known
        known.announce()
        got = caught(lambda: self.cloud.enroll(self.owners[owner].public))
        if known.chain[: len(cloud.chain)] == cloud.chain:
            assert got is None
            self.oracle.known = copy.copy(known)
            cloud = self.oracle.known
            cloud.epochs, cloud.readers, cloud.members = known.chain[-1]
        elif cloud.chain[: len(known.chain)] == known.chain:
            assert isinstance(got, ReplayError)
        else:
            assert isinstance(got, ChangedError)

    @rule(owner=DEVICES)
    def catch_up(self, owner: int) -> None:
        """Have an owner's device learn what it has missed."""
        got = self.owners[owner].catch_up(self.cloud)
        assert got == self.known[owner].learn(self.oracle.known)
        assert self.owners[owner].providers == sorted(self.known[owner].current)

    # Backups

    @rule(owner=DEVICES)
    def back_up_an_owner(self, owner: int) -> None:
        """Keep a copy of a device."""
        kept = self.copied(self.owners[owner]), copy.copy(self.known[owner])
        self.backups[owner] = kept

    @precondition(lambda self: any(isinstance(key, int) for key in self.backups))
    @rule(drawn=st.data(), owner=DEVICES)
    def restore_an_owner(self, drawn: st.DataObject, owner: int) -> None:
        """Go on from a copy, on any device."""
        keys = sorted(key for key in self.backups if isinstance(key, int))
        kept, known = self.backups[drawn.draw(st.sampled_from(keys))]
        self.owners[owner], self.known[owner] = self.copied(kept), copy.copy(known)

    @rule(name=NAME, device=DEVICES)
    def back_up_a_provider(self, name: str, device: int) -> None:
        """Keep a copy of a device."""
        provider, desk = self.sender(name, device)
        self.backups[name] = self.copied(provider), desk

    @precondition(lambda self: any(isinstance(key, str) for key in self.backups))
    @rule(drawn=st.data(), device=DEVICES)
    def restore_a_provider(self, drawn: st.DataObject, device: int) -> None:
        """Go on from a copy, on any device."""
        keys = sorted(key for key in self.backups if isinstance(key, str))
        name = drawn.draw(st.sampled_from(keys))
        provider, desk = self.backups[name]
        self.desks[name, device] = self.copied(provider), dataclasses.replace(desk)

    # Providers

    @rule(name=NAME, device=DEVICES)
    def catch_up_a_provider(self, name: str, device: int) -> None:
        """Have a provider's device learn what it has missed, or that it has left."""
        provider, desk = self.sender(name, device)
        cloud = self.oracle.known
        got = caught(lambda: provider.catch_up(self.cloud))
        if desk.epoch != cloud.epochs[-1]:
            assert isinstance(got, ScopeError)
        elif desk.chain != cloud.chain and len(desk.chain) <= len(cloud.chain):
            assert got is True
            readers = cloud.readers[-1]
            later = dataclasses.replace(desk, readers=readers, chain=cloud.chain)
            self.desks[name, device] = provider, later
        else:
            assert got is False

    @rule(target=messages, name=NAME, device=DEVICES, rows=ROWS, arrives=ARRIVES)
    def encrypt_blindly(self, name: str, device: int, rows: dict[str, int], arrives: bool) -> Any:
        """Add records without asking."""
        provider, desk = self.sender(name, device)
        message = provider.encrypt(table(rows), id="id")
        return self.sent(Sent(message, self.next(), desk, rows, {}, {}), arrives)

    def sent(self, sent: Sent, arrives: bool) -> Sent:
        """Return a message, which may have arrived at once."""
        if arrives:
            self.deliver(sent)
        return sent

    def changed(
        self, name: str, device: int, records: list[str], make: Any, *, is_update: bool
    ) -> tuple[Any, dict[str, int], dict[tuple[int, str], int]] | None:
        """Make a message that looks records up first, if it can be made, and what it names."""
        _, desk = self.sender(name, device)
        got = caught(make)
        held = self.oracle
        if desk.epoch != held.known.epochs[-1]:
            assert isinstance(got, ScopeError)
            return None
        places = {desk.epoch, *desk.earlier}
        is_there = {
            record: any((name, epoch, record) in held.live for epoch in places)
            for record in records
        }
        if any(there != is_update for there in is_there.values()):
            assert isinstance(got, InvalidInputError)
            assert any(repr(record) in str(got) for record in records)
            return None
        named = {}
        for record in records:
            at = name, desk.epoch, record
            version = held.live[at][0] if at in held.live else held.stones.get(at)
            named |= {} if version is None else {record: version}
        removed = {
            (epoch, record): held.live[name, epoch, record][0]
            for epoch in desk.earlier
            for record in records
            if (name, epoch, record) in held.live
        }
        return got, named, removed

    @rule(
        target=messages,
        name=NAME,
        device=DEVICES,
        rows=ROWS,
        is_update=st.booleans(),
        arrives=ARRIVES,
    )
    def look_up_and_write(
        self, name: str, device: int, rows: dict[str, int], is_update: bool, arrives: bool
    ) -> Any:
        """Add or change records after a look at the cloud."""
        provider, desk = self.sender(name, device)
        write = provider.update if is_update else provider.encrypt
        made = self.changed(
            *(name, device, list(rows)),
            lambda: write(table(rows), id="id", cloud=self.cloud),
            is_update=is_update,
        )
        if made is None:
            return multiple()
        message, named, removed = made
        return self.sent(Sent(message, self.next(), desk, rows, named, removed), arrives)

    @rule(
        target=messages,
        name=NAME,
        device=DEVICES,
        records=st.sets(IDS, min_size=1, max_size=2),
        arrives=ARRIVES,
    )
    def delete(self, name: str, device: int, records: set[str], arrives: bool) -> Any:
        """Delete records after a look at the cloud."""
        provider, desk = self.sender(name, device)
        made = self.changed(
            *(name, device, sorted(records)),
            lambda: provider.delete(sorted(records), cloud=self.cloud),
            is_update=True,
        )
        if made is None:
            return multiple()
        message, _, removed = made
        here = {
            (desk.epoch, record): self.oracle.live[name, desk.epoch, record][0]
            for record in records
            if (name, desk.epoch, record) in self.oracle.live
        }
        return self.sent(Sent(message, self.next(), desk, {}, {}, removed | here), arrives)

    @rule(sent=messages)
    def deliver(self, sent: Sent) -> None:
        """Have a message arrive: now, later, again, or after others that were made later."""
        got = caught(lambda: self.cloud.receive(sent.message))
        expected = self.oracle.receive(sent)
        if isinstance(expected, set):
            assert type(got) in expected
        else:
            assert (got.added, got.replaced, got.removed, got.repeated) == expected

    @rule(name=NAME, device=DEVICES)
    def renew(self, name: str, device: int) -> None:
        """Have a provider's device encrypt anew what is of earlier epochs."""
        provider, desk = self.sender(name, device)
        old = self.oracle.of(name, desk.earlier)
        got = caught(lambda: provider.renew(self.cloud))
        cloud = self.oracle.known
        has_reader_left = old and desk.readers != cloud.readers[-1]
        if desk.epoch != cloud.epochs[-1] or has_reader_left:
            assert isinstance(got, ScopeError)
            return
        # Of a record that was added in several epochs, by a device that did not look, the newest
        # row stays, or the newest removal.
        renewed = 0
        for epoch, record in sorted(old, key=lambda at: cloud.epochs.index(at[0]), reverse=True):
            number, here = self.next(), (name, desk.epoch, record)
            del self.oracle.live[name, epoch, record]
            self.oracle.stones[name, epoch, record] = number
            if here not in self.oracle.live and here not in self.oracle.stones:
                self.oracle.live[here] = number, old[epoch, record]
                renewed += 1
        assert (got, got.superseded) == (renewed, len(old) - renewed)

    # Questions

    @rule(owner=DEVICES, bounds=st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted))
    def ask_as_an_owner(self, owner: int, bounds: list[int]) -> None:
        """Have an owner find what there is in all epochs that it knows."""
        known, cloud = self.known[owner], self.oracle.known
        got = caught(lambda: self.owners[owner].ask(self.cloud, age=tuple(bounds)))
        mine, theirs = len(known.chain), len(cloud.chain)
        if mine < theirs and cloud.chain[:mine] == known.chain:
            known.learn(cloud)  # it catches up by itself
        elif mine <= theirs and cloud.chain != known.chain:
            assert isinstance(got, ChangedError)
            assert not isinstance(got, OutdatedError)
            return
        expected = [
            (name, record, age)
            for name in NAMES
            for (_, record), age in self.oracle.of(name, set(known.epochs)).items()
            if bounds[0] <= age <= bounds[1]
        ]
        assert found(got) == sorted(expected)

    @rule(name=NAME, device=DEVICES)
    def ask_as_a_provider(self, name: str, device: int) -> None:
        """Have a provider find its own in all epochs that it has keys of."""
        provider, desk = self.sender(name, device)
        got = caught(lambda: provider.ask(self.cloud, age=(0, 9)))
        if desk.epoch != self.oracle.known.epochs[-1]:
            assert isinstance(got, ScopeError)
            return
        mine = self.oracle.of(name, {desk.epoch, *desk.earlier})
        assert found(got) == sorted((name, record, age) for (_, record), age in mine.items())

    def teardown(self) -> None:
        """Check that whoever catches up finds all there is and can write again."""
        if not hasattr(self, "owners"):
            return
        owner, known = self.owners[0], self.known[0]
        owner.catch_up(self.cloud)
        known.learn(self.oracle.known)
        self.ask_as_an_owner(0, [0, 9])
        self.authorize(0, "hospital", 0)
        self.enroll(0)
        provider, _ = self.sender("hospital", 0)
        receipt = self.cloud.receive(provider.encrypt(table({"new": 5}), id="id"))
        assert receipt.added == 1


def table(rows: dict[str, int]) -> pl.DataFrame:
    """Return a table of ages by their ids."""
    return pl.DataFrame({"id": [*rows], "age": [*rows.values()]})


def found(records: Any) -> list[tuple[str, str, int]]:
    """Return provider, id and age of what was found."""
    if isinstance(records, MopseError):
        raise records
    if records.is_empty():
        return []
    return sorted(records.select("provider", "id", "age").rows())


class TestHistories(_Histories.TestCase):
    """The machine as a test."""

    settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
