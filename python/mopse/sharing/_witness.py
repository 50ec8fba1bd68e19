"""Witnesses: who remembers what a cloud signed of an owner's log, and holds the cloud to it."""

import hashlib
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mopse import _mopse
from mopse._audit import Checkpoint, verification_key
from mopse._checks import bytes_of, instance, integer, items, string
from mopse._files import SHARED, as_file, read_whole, write_whole
from mopse._party import as_cloud
from mopse._requests import FOR_EVER
from mopse.errors import InvalidInputError, ScopeError, WrongTypeError
from mopse.messages import Statement

if TYPE_CHECKING:
    import polars as pl

    from mopse._party import Party
    from mopse.cloud import Cloud

__all__ = ["EVENTS", "STATEMENTS", "Witness", "statement"]

EVENTS: tuple[str, ...] = tuple(_mopse.audit.words())
"""What may stand in a log, in one word each."""

STATEMENTS: tuple[str, ...] = EVENTS[EVENTS.index("grant") :]
"""What parties may state."""

_MINUTES = 5


class Witness:
    """Who keeps what a cloud signed of an owner's log, and finds out when the log is another one.

    Any party of the owner can be one; it takes no secret, and several are better than one, for
    they can `compare`.

    Parameters
    ----------
    owner : bytes
        The owner's verification key, ``owner.key`` of any of its parties.
    identity : bytes, optional
        The key of the cloud's log, `AuditLog.identity`, from whoever operates it; by default that
        of the first log that answers is believed, and no other afterwards.

    Notes
    -----
    A witness that was never shown the true log cannot know it from another; nor one that is alone
    with a cloud that shows it a log of its own. Times are the cloud's word.
    """

    def __init__(self, owner: bytes, *, identity: bytes | None = None) -> None:
        self._witness = _mopse.audit.Witness(
            verification_key(owner, "owner"),
            None if identity is None else verification_key(identity, "identity"),
        )

    @property
    def owner(self) -> bytes:
        """Verification key of the owner whose log it watches."""
        return bytes(self._witness.owner)

    @property
    def identity(self) -> bytes | None:
        """Key of the cloud's log, once it is known."""
        identity = self._witness.identity
        return None if identity is None else bytes(identity)

    @property
    def seen(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that are kept, ascending by size: the last, and a thousand at most."""
        return tuple(Checkpoint(seen.encode()) for seen in self._witness.seen)

    @property
    def last(self) -> Checkpoint | None:
        """The last of them."""
        seen = self._witness.seen
        return Checkpoint(seen[-1].encode()) if seen else None

    def watch(
        self, cloud: "Cloud", party: "Party", *, others: Sequence[Checkpoint] = ()
    ) -> Checkpoint:
        """Have the cloud show that its log goes on from all that was seen of it.

        Parameters
        ----------
        cloud : Cloud
            One that keeps a log.
        party : Owner or Provider
            Who signs the request; any party of the owner.
        others : sequence of Checkpoint, optional
            What other witnesses have seen: the log must go on from these too. At most 32.

        Returns
        -------
        Checkpoint
            The log as it is now; it is kept.

        Raises
        ------
        mopse.errors.RewrittenError
            If entries were removed, changed or reordered, or the cloud shows different logs: the
            message says after which entry at the earliest. What was seen is kept.
        mopse.errors.SignatureError
            If another log answers, or a checkpoint is of another.
        mopse.errors.ScopeError
            If the party or a checkpoint is of another owner.
        mopse.errors.InvalidInputError
            If the cloud keeps no log.

        Notes
        -----
        Some 32 log2(n) bytes for each of 64 checkpoints at most, and a signature each side.
        """
        self._ask(cloud, party, None, others)
        seen = self.last
        assert seen is not None, "one was read"
        return seen

    def entries(self, cloud: "Cloud", owner: "Party", start: int = 0) -> "pl.DataFrame":
        """Return what stands in the log, from an entry on; it must go on from all that was seen.

        Parameters
        ----------
        cloud : Cloud
            One that keeps a log.
        owner : Owner
            Who signs the request: entries are for the owner alone.
        start : int
            Number of the first entry, from 0 on.

        Returns
        -------
        pl.DataFrame
            Columns ``number``, ``time`` (UTC; null after the year 9999), ``what`` (one of
            `EVENTS`), ``who`` (a path, empty for the owner), ``digest`` (SHA-256 of the message; of
            an upload, of its signed head; of an attachment, of the SHA-512 of all before its
            signature; of a statement, what it is about) and ``amount`` (records or files changed or
            given). All entries there are, none more or less, as the checkpoint that is kept now has
            them.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the log has fewer entries.
        mopse.errors.ScopeError
            If the party is not the owner.
        mopse.errors.MopseError
            As `watch` does.

        Notes
        -----
        4,096 entries a request. Statements are verified by the signature of who made them; that
        the cloud was sent the other messages rests on its word, unless whoever sent one compares
        its digest.
        """
        import polars as pl

        first = integer(start, "start", 0, 2**63)
        rows: list[tuple[Any, ...]] = []
        while True:
            found = self._ask(cloud, owner, first + len(rows), ())
            rows += found
            seen = self.last
            if not found or seen is None or first + len(rows) >= seen.size:
                break
        schema: dict[str, Any] = {
            "number": pl.UInt64,
            "time": pl.Int64,
            "what": pl.Enum(EVENTS),
            "who": pl.String,
            "digest": pl.Binary,
            "amount": pl.UInt64,
        }
        told = (
            (number, None if time >= FOR_EVER else time, *who, bytes(digest), amount)
            for number, time, *who, digest, amount in rows
        )
        table = pl.DataFrame(list(told), schema=schema, orient="row")
        moment = pl.from_epoch("time", time_unit="s").dt.replace_time_zone("UTC")
        return table.with_columns(moment)

    def compare(self, other: Checkpoint, cloud: "Cloud", party: "Party") -> Checkpoint:
        """Hold the log that this witness has seen against what another one has.

        Parameters
        ----------
        other : Checkpoint
            The other one's, ``other.last``, by whatever way there is.
        cloud, party
            As for `watch`.

        Raises
        ------
        mopse.errors.RewrittenError
            If they have seen different logs. Two checkpoints of one size and different roots show
            anybody that the cloud signed both.
        mopse.errors.MopseError
            As `watch` does.
        """
        checkpoint = instance(other, Checkpoint, "the other checkpoint")
        return self.watch(cloud, party, others=[checkpoint])

    def _ask(
        self, cloud: "Cloud", party: "Party", start: int | None, others: Sequence[Checkpoint]
    ) -> list[tuple[Any, ...]]:
        given = items(others, "others", "sequence of checkpoints")
        checked = [instance(other, Checkpoint, "one of others")._checked for other in given]
        if len(checked) > _MOST_OTHERS:
            raise InvalidInputError(f"others are {len(checked)}, expected {_MOST_OTHERS} at most")
        if any(bytes(other.columns[1]) != self.owner for other in checked):
            raise ScopeError("one of others is of another owner's log")
        for other in checked:
            self._witness.check(other)
        own = self._witness.sizes
        if checked:  # the last is among them
            own = own[:: max(1, len(own) // _MOST_OTHERS)] + own[-1:]
        sizes = sorted({*own, *(other.columns[2] for other in checked)})
        keyring = getattr(party, "_keyring", None)
        if keyring is None:
            raise WrongTypeError(f"party is an owner or a provider, not {type(party).__name__}")
        if bytes(keyring.owner) != self.owner:
            raise ScopeError("party is of another owner than the witness")
        expiry = int(time.time()) + 60 * _MINUTES
        request, message = keyring.audit_request(sizes, start, expiry)
        answer = as_cloud(cloud).audit(message)
        return self._witness.read(request, answer, checked)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was seen to a file, in the place of the one before; it holds no secret."""
        write_whole(as_file(path), self._witness.encode(), SHARED)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Witness":
        """Read what `save` wrote.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is none.
        mopse.errors.SignatureError
            If a checkpoint in it was changed.
        mopse.errors.FileAccessError
            If it cannot be read.
        """
        return cls._of(read_whole(as_file(path)))

    @classmethod
    def _of(cls, content: bytes) -> "Witness":
        opened = cls.__new__(cls)
        opened._witness = _mopse.audit.Witness.decode(content)
        return opened

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return type(self)._of, (bytes(self._witness.encode()),)

    def __repr__(self) -> str:
        seen = self._witness.seen
        size = seen[-1].columns[2] if seen else 0
        return f"Witness(owner={self.owner[:8].hex()}, size={size})"


_MOST_OTHERS = 32


def statement(party: "Party", what: str, about: Any) -> Statement:
    """Return a signed statement for a cloud's audit log: that something happened elsewhere.

    Parameters
    ----------
    party : Owner or Provider
        Who states it.
    what : str
        One of `STATEMENTS`.
    about : bytes-like
        What it is about, as a sealed grant. The log holds its SHA-256 and nothing else of it.

    Returns
    -------
    Statement
        For `mopse.Cloud.receive`, once.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such statement.

    Examples
    --------
    >>> import mopse
    >>> from mopse import sharing
    >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    >>> _ = owner.authorize("hospital")
    >>> cloud = mopse.Cloud(audit_log=sharing.AuditLog())
    >>> cloud.enroll(owner.public)
    >>> grant = owner.share(mopse.User.generate().public, provider="hospital")
    >>> _ = cloud.receive(sharing.statement(owner, "grant", grant))
    >>> sharing.Witness(owner.key).entries(cloud, owner)["what"].to_list()
    ['enrolment', 'grant']
    """
    word = string(what, "what")
    if word not in STATEMENTS:
        raise InvalidInputError(f"what is {word!r}, expected one of {', '.join(STATEMENTS)}")
    keyring = getattr(party, "_keyring", None)
    if keyring is None:
        raise WrongTypeError(f"party is an owner or a provider, not {type(party).__name__}")
    digest = hashlib.sha256(bytes_of(about, "what it is about")).digest()
    return Statement._signed(keyring.statement(word, digest))
