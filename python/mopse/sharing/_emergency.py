"""Emergency access: some of several trustees open one record together, and everybody's log says so.

```text
share  = "MOPSEEMG", version, head, share of the secret, sealed under its trustee's key
secret = SHA-256(head), grant of the portions, then the ids and lookups that were signed in advance
```

What is variable has its length in front, as 8 bytes, the lowest first.
"""

import dataclasses
import datetime
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from mopse._checks import integer, is_integer, items, key_bytes, mapping, spelt, text
from mopse._party import as_cloud, search
from mopse._shares import grant
from mopse._table import as_ids, record_ids
from mopse.errors import (
    AnswerError,
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    InvalidInputError,
    MopseError,
    ScopeError,
    WrongTypeError,
)
from mopse.messages import Query, as_message
from mopse.secret_sharing import join, split
from mopse.sharing._witness import statement
from mopse.user import User

if TYPE_CHECKING:
    import polars as pl

    from mopse._party import Party
    from mopse.cloud import Cloud

__all__ = ["EmergencyArrangement", "arrange_emergency", "open_in_emergency"]

_YEAR = datetime.timedelta(days=365)
_MAGIC = b"MOPSEEMG\x01"
_TRUSTEE_AT = 26
"""Where a share of `mopse.secret_sharing` has its number: after magic, version, set, threshold."""
_MOST_SECRET = 1 << 20


@dataclasses.dataclass(frozen=True)
class EmergencyArrangement:
    """Who can open records in an emergency, and which, from `arrange_emergency`. No secret.

    Attributes
    ----------
    owner : bytes
        The owner's verification key.
    provider : str
        Path of the provider whose records it opens.
    portions : tuple of str, or None
        Which portions of them; None for all.
    threshold, trustees : int
        How many trustees open a record, and of how many.
    made, ends : datetime
        When it was made, and until when it opens anything, UTC.
    keys : bytes
        SHA-256 of what names the readers' epochs that it opens: see `is_current`.
    number : bytes
        A random number, 16 bytes, that names it.
    shares : tuple of bytes
        The share of each trustee, in the order of their keys, sealed under these; none where this
        was read `from_share`.
    """

    owner: bytes
    provider: str
    portions: tuple[str, ...] | None
    threshold: int
    trustees: int
    made: datetime.datetime
    ends: datetime.datetime
    keys: bytes
    number: bytes
    shares: tuple[bytes, ...] = dataclasses.field(default=(), repr=False, compare=False)

    @classmethod
    def from_share(cls, share: bytes) -> Self:
        """Return the arrangement that a share says it is of; it takes no key.

        That the share says the truth is found out when it is used.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is no share of an arrangement.
        """
        head, _ = _read_share(as_message(share, "a trustee's share"))
        return cls._read(head)

    @classmethod
    def _read(cls, head: bytes) -> Self:
        try:
            owner, provider, counts, times, keys, number, has_portions, *portions = _unpacked(head)
            threshold, trustees = counts
            made, ends = (
                datetime.datetime.fromtimestamp(int.from_bytes(part, "little"), datetime.UTC)
                for part in (times[:8], times[8:])
            )
            named = tuple(part.decode() for part in portions) if has_portions == b"\x01" else None
            of = (owner, provider.decode(), named, threshold, trustees, made, ends, keys, number)
            arrangement = cls(*of)
            is_one = arrangement._head() == head
        except (ValueError, OverflowError, OSError):  # what is no text, number or time
            is_one = False
        if not is_one:
            raise DamagedFileError("the head of a trustee's share is malformed")
        return arrangement

    def _head(self) -> bytes:
        times = (int(moment.timestamp()).to_bytes(8, "little") for moment in (self.made, self.ends))
        return _packed(
            self.owner,
            self.provider.encode(),
            bytes((self.threshold, self.trustees)),
            b"".join(times),
            self.keys,
            self.number,
            b"\x00" if self.portions is None else b"\x01",
            *(name.encode() for name in self.portions or ()),
        )

    def about(self, record: Any, reason: str) -> bytes:
        """Return what the log's entry of an emergency is about: the entry has its SHA-256.

        So whoever knows the arrangement, as the owner and each trustee, can find out whether an
        entry is of this record and reason; who does not, as the cloud, cannot guess them.

        Parameters
        ----------
        record : int or str
            The id of the record.
        reason : str
            The reason that was given.
        """
        return _packed(b"emergency", self._head(), _named(record), text(reason, "reason").encode())

    def is_current(self, party: "Party") -> bool:
        """Return whether it opens what is sealed now: no readers' epoch began since.

        Parameters
        ----------
        party : Owner or Provider
            Who made it, or the same again from its keyring.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the party knows no such provider or portion.
        mopse.errors.ScopeError
            If it is not its to grant.
        """
        _keyring(party)
        return self.keys == _fingerprint(party, self.provider, self.portions)


def arrange_emergency(
    party: "Party",
    provider: str,
    *,
    keys: Sequence[bytes],
    threshold: int = 2,
    portions: Sequence[str] | None = None,
    ids: Any = None,
    expires_in: datetime.timedelta = _YEAR,
) -> EmergencyArrangement:
    """Return shares for trustees, of whom some can open a provider's records in an emergency.

    Give each trustee its share, and keep neither the keys nor anything else: the emergency key
    itself is in nobody's hands.

    Parameters
    ----------
    party : Owner or Provider
        Who makes it: the owner, the provider itself, or one above it.
    provider : str
        Path of the provider.
    keys : sequence of bytes
        The key of each trustee, 32 uniformly random bytes each, known to that trustee. Secret.
    threshold : int
        How many of them open a record together; 2 to their number.
    portions : sequence of str, optional
        Which portions of the records, by the names in the schema or ``rest``; all otherwise.
    ids : sequence, optional
        Ids of records that are found even where whoever opens them cannot look them up, as another
        hospital: a lookup of each is signed in advance. Some 3,000 at most.
    expires_in : datetime.timedelta
        How long it opens anything; a year by default.

    Returns
    -------
    EmergencyArrangement
        Its ``shares``, in the order of the keys, and what is said of them.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such provider or portion, there are not 2 to 255 keys, two are the same or
        one has another length, the threshold is none, an id is null, or there are too many.
    mopse.errors.ScopeError
        If the provider's records are not the party's to grant.

    Notes
    -----
    Shares are Shamir's, see `mopse.secret_sharing`: fewer than the threshold tell nothing of the
    key. **Whoever combines enough shares could open every record** of the provider's portions,
    sealed in any readers' epoch up to the present one: `open_in_emergency` opens one and drops the
    key, but that is a promise of the code, and none of mathematics. Choose trustees who do not
    conspire, and have each keep its share and its key apart: who steals both from enough of them
    is those trustees.

    After an emergency have a new readers' epoch begin, `mopse.Owner.renew_readers`, give every
    cloud `mopse.Owner.public` again and arrange anew: the old shares open nothing of what is sealed
    from then on, and still what was sealed before. `EmergencyArrangement.is_current` tells.

    Costs some microseconds a trustee and a signature for each of the ids. What a share has in the
    clear is what `EmergencyArrangement` says.

    References
    ----------
    .. [1] A. Shamir, "How to Share a Secret", Communications of the ACM 22 (1979).

    Examples
    --------
    >>> import secrets, mopse
    >>> from mopse import sharing
    >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    >>> hospital = owner.authorize("hospital")
    >>> cloud = mopse.Cloud(audit_log=sharing.AuditLog())
    >>> cloud.enroll(owner.public)
    >>> table = {"id": [17, 18], "age": [41, 70]}
    >>> _ = cloud.receive(hospital.encrypt(table, id="id"))
    >>> keys = [secrets.token_bytes(32) for _ in range(3)]
    >>> arranged = sharing.arrange_emergency(owner, "hospital", keys=keys, portions=["rest"])
    >>> given = {keys[0]: arranged.shares[0], keys[2]: arranged.shares[2]}
    >>> sharing.open_in_emergency(given, cloud, hospital, 17, reason="unconscious").rows()
    [(17, 41, 'hospital')]
    >>> sharing.Witness(owner.key).entries(cloud, owner)["what"].to_list()
    ['enrolment', 'upload', 'emergency', 'search']
    """
    _keyring(party)
    holders = _holders(keys)
    needed = integer(threshold, "threshold", 2, len(holders))
    named = None if portions is None else items(portions, "portions", "list of strings")
    named = None if named is None else [spelt(name) for name in named]
    opening = grant(party, provider, None, named, expires_in)
    if named is not None and all(name == "files" for name in named):
        raise InvalidInputError("portions are of files alone, and a record is opened: name another")
    lookups: list[bytes] = []
    if ids is not None:
        wanted = as_ids(ids)
        record_ids(wanted.to_frame(), "ids")
        for record in wanted.unique(maintain_order=True).to_list():
            query = party.lookup([record], provider=provider, expires_in=expires_in)
            lookups += (_named(record), bytes(query))
    now = datetime.datetime.now(datetime.UTC)
    arrangement = EmergencyArrangement(
        party.key,
        provider,
        None if named is None else tuple(named),
        needed,
        len(holders),
        now.replace(microsecond=0),
        (now + expires_in).replace(microsecond=0),
        _fingerprint(party, provider, named),
        secrets.token_bytes(16),
    )
    head = arrangement._head()
    secret = _packed(hashlib.sha256(head).digest(), opening, *lookups)
    if len(secret) > _MOST_SECRET:
        raise InvalidInputError(
            f"{len(lookups) // 2} ids take {len(secret)} bytes to share, expected {_MOST_SECRET} "
            "at most: arrange for fewer at once"
        )
    shares = split(secret, needed, holders)
    whole = tuple(_MAGIC + _packed(head, share) for share in shares)
    return dataclasses.replace(arrangement, shares=whole)


def open_in_emergency(
    shares: Mapping[bytes, bytes],
    cloud: "Cloud",
    party: "Party",
    record: Any,
    *,
    reason: str,
) -> "pl.DataFrame":
    """Open one record with the shares of enough trustees, once the cloud has written that down.

    Parameters
    ----------
    shares : mapping from bytes to bytes
        The trustees' shares, by their keys. Secret.
    cloud : Cloud
        Where the record is; it must keep a log.
    party : Owner or Provider
        Who opens it, as the hospital where the patient lies. It signs what is written in the log,
        and looks the record up, where its keyring can; else a lookup must have been arranged, see
        `arrange_emergency`.
    record : int or str
        The id of the record.
    reason : str
        Why. The log holds a digest of it, see `EmergencyArrangement.about`: keep it.

    Returns
    -------
    polars.DataFrame
        The record, as from `mopse.User.decrypt`: one row, of the portions that were arranged.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are fewer shares than the threshold, no reason, or no such record at the cloud; or
        if the cloud keeps no log. Without a log nothing is opened.
    mopse.errors.DecryptionError
        If a share was changed or is under another key; the message says whose, counted from 1 in
        the order of the arrangement.
    mopse.errors.ScopeError
        If a share is of another arrangement, or that of another owner; if the record was sealed
        for readers of later, so that the arrangement is outdated; or if the party cannot look the
        record up and nobody has arranged it.
    mopse.errors.ExpiredError
        If the arrangement has ended.
    mopse.errors.DamagedFileError
        If a share is malformed.
    mopse.errors.MopseError
        As `mopse.Cloud.receive`, `mopse.Cloud.search` and `mopse.User.decrypt` do.

    Notes
    -----
    The entry ``emergency`` is in the log before a share is joined: attempts that fail are there
    too, but for those that cannot open anything, as with too few shares. Its order is this
    function's: who has the shares and other code opens without it, if the cloud gives it the
    record. That the cloud did write it rests on its word until a `Witness` reads the log; where a
    lookup of the arrangement is used, the ``search`` after it is that of who arranged it.

    The shares open one record, and **could have opened all** that `arrange_emergency` says. Nothing
    keeps a reference to the key afterwards; Python overwrites no memory, so that a dump of it can
    still hold it. Who wrote the record is not shown: see the notes of `mopse.User`.
    """
    keyring = _keyring(party)
    place = as_cloud(cloud)
    name = _named(record)
    if not text(reason, "reason").strip():
        raise InvalidInputError("reason is empty: say why the record is opened")
    arrangement, given = _given(shares)
    if arrangement.owner != bytes(keyring.owner):
        raise ScopeError("the arrangement is of another owner than the party")
    if datetime.datetime.now(datetime.UTC) > arrangement.ends:
        raise ExpiredError(f"the arrangement ended on {arrangement.ends:%d %b %Y, %H:%M} UTC")
    place.receive(statement(party, "emergency", arrangement.about(record, reason)))

    secret = opening = lookups = reader = None  # whatever happens, no frame of an error holds them
    try:
        secret = _joined(given)
        digest, opening, *rest = _unpacked(secret)
        if digest != hashlib.sha256(arrangement._head()).digest():
            raise DecryptionError("what the shares say of their arrangement was changed")
        lookups = dict(zip(rest[::2], rest[1::2], strict=True))
        query = _lookup(party, arrangement.provider, record, lookups.get(name))
        answer = search(place, query)
        reader = User(party.schema, [opening])
        found = reader.decrypt(answer, query)
        epochs = [part.readers for part in answer._parts if len(part)]
        later = [number for number, salt in epochs if bytes(salt) not in opening]
    finally:
        del secret, opening, lookups, reader
    if len(found) == 1:
        return found
    if later:
        raise ScopeError(
            f"the arrangement is outdated: readers' epoch {max(later)} of provider "
            f"{arrangement.provider!r}, for which the record is sealed, began after it was made"
        )
    if answer.closed:
        raise ScopeError("the record has nothing in the portions that were arranged")
    if len(found):
        raise AnswerError(f"the cloud gave {len(found)} records, and one was asked for")
    raise InvalidInputError(f"provider {arrangement.provider!r} has no such record at the cloud")


def _keyring(party: Any) -> Any:
    keyring = getattr(party, "_keyring", None)
    if keyring is None:
        raise WrongTypeError(f"party is an owner or a provider, not {type(party).__name__}")
    return keyring


def _fingerprint(party: "Party", provider: str, portions: Sequence[str] | None) -> bytes:
    """Return a digest of the keys that a grant holds: another once a readers' epoch has begun."""
    return hashlib.sha256(grant(party, provider, None, portions, None)).digest()


def _holders(keys: Any) -> list[bytes]:
    holders = [key_bytes(key) for key in items(keys, "keys", "list of bytes")]
    if not 2 <= len(holders) <= 255:
        raise InvalidInputError(f"keys are of {len(holders)} trustees, expected 2 to 255")
    for trustee, key in enumerate(holders, 1):
        if len(key) != 32:
            raise InvalidInputError(
                f"the key of trustee {trustee} has {len(key)} bytes, expected 32"
            )
        if key in holders[: trustee - 1]:
            raise InvalidInputError(
                f"the key of trustee {trustee} is that of an earlier trustee too"
            )
    return holders


def _named(record: Any) -> bytes:
    """Return what stands for a record's id: an integer and a text are never the same."""
    if not (is_integer(record) or isinstance(record, str)):
        raise WrongTypeError(f"record must be an id, integer or text, not {type(record).__name__}")
    column = as_ids([record])
    try:
        record_ids(column.to_frame(), "ids")
    except InvalidInputError as error:
        raise type(error)(f"record is no id: {error}") from None
    only = column.item()
    return b"text " + only.encode() if isinstance(only, str) else b"integer %d" % only


def _lookup(party: "Party", provider: str, record: Any, arranged: bytes | None) -> Query:
    """Return the party's own query for a record, or the one that was signed in advance."""
    try:
        return party.lookup([record], provider=provider)
    except (InvalidInputError, ScopeError):
        if arranged is None:
            raise ScopeError(
                f"the party cannot look up records of provider {provider!r}, and no lookup of this "
                "one was arranged: see ids of arrange_emergency"
            ) from None
    return Query(arranged, {})


def _given(shares: Any) -> tuple[EmergencyArrangement, dict[int, tuple[bytes, bytes]]]:
    """Return the arrangement that all shares are of, and key and share by the trustee's number."""
    heads: dict[int, bytes] = {}
    given: dict[int, tuple[bytes, bytes]] = {}
    for position, (key, share) in enumerate(mapping(shares, "shares").items()):
        holder = key_bytes(key)
        try:
            head, sealed = _read_share(as_message(share, "a trustee's share"))
        except DamagedFileError as error:
            raise DamagedFileError(f"share {position} of those given: {error}") from None
        trustee = sealed[_TRUSTEE_AT]
        if len(holder) != 32:
            raise InvalidInputError(
                f"the key of trustee {trustee} has {len(holder)} bytes, expected 32"
            )
        if heads and head not in heads.values():
            raise ScopeError(f"the share of trustee {trustee} is of another arrangement")
        if trustee in given:
            raise InvalidInputError(f"the share of trustee {trustee} is given twice")
        heads[trustee], given[trustee] = head, (holder, sealed)
    if not heads:
        raise InvalidInputError("no trustee's share is given")
    arrangement = EmergencyArrangement._read(next(iter(heads.values())))
    if len(given) < arrangement.threshold:
        raise InvalidInputError(
            f"the shares of {arrangement.threshold} trustees are needed, and {len(given)} given"
        )
    return arrangement, given


def _joined(given: Mapping[int, tuple[bytes, bytes]]) -> bytes:
    """Return the secret of shares; each is looked at alone first, to say whose is wrong."""
    for trustee, (key, sealed) in given.items():
        whose = f"the share of trustee {trustee}"
        try:
            join({key: sealed})
        except InvalidInputError:
            continue  # it opens, and is too few
        except DecryptionError:
            raise DecryptionError(f"{whose} was changed, or is under another key") from None
        except DamagedFileError as error:
            raise DamagedFileError(f"{whose}: {error}") from None
    try:
        return join(dict(given.values()))
    except MopseError:
        raise DecryptionError(
            "the shares give no secret together: one is of another arrangement, or was made up"
        ) from None


def _packed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def _unpacked(whole: bytes) -> list[bytes]:
    """Return the parts of what `_packed` made; a ValueError for anything else."""
    parts, at = [], 0
    while at < len(whole):
        end = at + 8 + int.from_bytes(whole[at : at + 8], "little")
        if end > len(whole) or at + 8 > len(whole):
            raise ValueError("cut short")
        parts.append(whole[at + 8 : end])
        at = end
    return parts


def _read_share(share: bytes) -> tuple[bytes, bytes]:
    """Return the head of a trustee's share, and the sealed share of the secret."""
    if not share.startswith(_MAGIC):
        raise DamagedFileError("it is no trustee's share, or of an unknown version")
    try:
        head, sealed = _unpacked(share[len(_MAGIC) :])
    except ValueError:
        raise DamagedFileError("the trustee's share is malformed") from None
    if len(sealed) <= _TRUSTEE_AT:
        raise DamagedFileError("the trustee's share is malformed")
    return head, sealed
