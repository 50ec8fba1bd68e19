"""Requests for access: users who ask, and parties who decide."""

import datetime
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import polars as pl

from mopse import _mopse
from mopse._checks import instance, items, spelt, string, text, truth
from mopse._table import as_ids, record_ids
from mopse.errors import InvalidInputError
from mopse.messages import as_message
from mopse.schema import Field, Schema

__all__ = ["FOR_EVER", "AccessRequest", "Asking", "Deciding", "Decision"]

_WEEK = datetime.timedelta(days=7)
FOR_EVER = 253_402_300_800
"""When the year 9999 has ended, in seconds since 1970: no table has a later moment."""


class AccessRequest(NamedTuple):
    """A request for access, from `mopse.User.request`."""

    number: str
    """Its number, 32 hexadecimal digits."""
    message: bytes
    """What is sent to whom it is sealed to."""


class Decision(NamedTuple):
    """What was decided on a request, from `mopse.User.read_decision`."""

    number: str
    """The number of the request."""
    is_approved: bool
    """Whether what was asked for was given."""
    reason: str
    """Why it was refused, if it was and that was said."""


class Deciding:
    """What owners and providers do with requests."""

    _keyring: _mopse.party.Keyring
    _schema: Schema

    def address(self, *, post_quantum: bool = False) -> bytes:
        """Return where users seal requests for records of this party to, signed. No secret.

        It is the same as long as the party has its present keys: after a revocation a provider has
        a new one.

        Parameters
        ----------
        post_quantum : bool
            Whether requests are sealed by X-Wing, and not by X25519 alone: see
            `mopse.User.generate`.
        """
        is_post_quantum = truth(post_quantum, "post_quantum")
        return bytes(_mopse.party.address(self._keyring, is_post_quantum))

    def receive_request(self, request: bytes) -> str:
        """Open a request for access, or the withdrawal of one, and remember it.

        Parameters
        ----------
        request : bytes
            From `mopse.User.request` or `mopse.User.withdraw`, sealed to an `address` of this
            party. One that comes again changes nothing.

        Returns
        -------
        str
            The number of the request; `requests` says what it asks for. `save` the keyring then.

        Raises
        ------
        mopse.errors.ScopeError
            If it is sealed to another party, or to an address of an epoch that was left.
        mopse.errors.DecryptionError
            If it was changed.
        mopse.errors.SignatureError
            If the user whose keys it holds did not sign it.
        mopse.errors.ExpiredError
            If it has run out.
        mopse.errors.InvalidInputError
            If it asks for records of a provider that is not in reach; or is the withdrawal of what
            was not asked here.
        mopse.errors.ChangedError
            If it is the withdrawal of what was decided before.
        mopse.errors.DamagedFileError
            If it is malformed.

        Notes
        -----
        That the public keys are those of the person who is said to ask is not in them: compare the
        name that `requests` has with the person's, as for `share`.
        """
        sealed = as_message(request, "a sealed request")
        return as_hex(_mopse.party.receive_request(self._keyring, sealed, _now()))

    @property
    def requests(self) -> pl.DataFrame:
        """What was asked for, and what became of it: a row for each request, by number.

        ``request``, its number; ``user``, SHA-256 of the public keys of who asks; ``provider``, how
        many ``records`` and which ``portions`` and until when, as in `shared`; ``reason``, when it
        was ``asked``, by the user's clock, and runs out, ``until``; its ``state``: open, approved,
        refused, withdrawn or run out; when it was ``decided``, and ``why`` it was refused.
        """
        told = _mopse.party.requests_to(self._keyring, _now())
        return _table(told, "user")

    def approve(
        self,
        request: str,
        *,
        portions: Sequence[str] | None = None,
        expires_in: datetime.timedelta | None = None,
    ) -> bytes:
        """Give what a request asks for, or less; it is shared with the user then, as by `share`.

        Parameters
        ----------
        request : str
            Number of one that is open.
        portions : sequence of str, optional
            Which of the portions that were asked for; all of them otherwise.
        expires_in : datetime.timedelta, optional
            How long the user opens records with it, if less than was asked for.

        Returns
        -------
        bytes
            For `mopse.User.read_decision`, sealed to the user. `save` the keyring then.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such request or portion, or more would be given than was asked for.
        mopse.errors.ChangedError
            If it was decided, was withdrawn or has run out.

        Notes
        -----
        What is shared so is in `shared`, and taken back by `unshare`; what a provider has approved
        of its own records, by whoever renews its readers: see `unshare`.
        """
        number = as_number(request, "request", "requests")
        asked = self.requests.filter(pl.col("request") == request).to_dicts()
        known = [*self._schema.portions, "rest", "files"]
        named = None
        if portions is not None:
            named = _portions(portions, "the approval")
        elif asked and asked[0]["records"] is not None and asked[0]["portions"] is None:
            named = known  # keys of records are keys of portions of them
        given = named or (asked[0]["portions"] if asked else None) or ()
        unknown = [name for name in given if name not in known]
        if unknown:
            raise InvalidInputError(f"the schema has no portion {unknown[0]!r}: {known}")
        end = None if expires_in is None else end_of(expires_in)
        return bytes(_mopse.party.approve_request(self._keyring, number, named, end, _now()))

    def refuse(self, request: str, reason: str = "") -> bytes:
        """Refuse a request.

        Parameters
        ----------
        request : str
            Number of one that is open.
        reason : str
            What the user is told, 4,096 bytes at most.

        Returns
        -------
        bytes
            For `mopse.User.read_decision`, sealed to the user. `save` the keyring then.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such request, or the reason is too long.
        mopse.errors.ChangedError
            If it was decided, was withdrawn or has run out.
        """
        why = text(reason, "reason")
        return bytes(
            _mopse.party.refuse_request(
                self._keyring, as_number(request, "request", "requests"), why, _now()
            )
        )

    def forget_request(self, request: str) -> None:
        """Forget a request; what was shared on it stays shared.

        One that comes again until it runs out is taken for a new one.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such request.
        """
        _mopse.party.forget_request(self._keyring, as_number(request, "request", "requests"))


class Asking:
    """What users with keys of their own do to ask for records."""

    _grants: _mopse.party.Grants
    _schemas: dict[bytes, Schema]

    def _note(self, given: Any) -> None:
        owner, fields, portions, proven = given
        of = {name: Field._of(field, proof=name in proven) for name, field in fields}
        named = {name: tuple(columns) for name, columns in portions}
        self._schemas[bytes(owner)] = Schema._of(of, portions=named)

    def request(
        self,
        address: bytes,
        provider: str,
        ids: Sequence[Any] | None = None,
        *,
        portions: Sequence[str] | None = None,
        reason: str = "",
        expires_in: datetime.timedelta | None = None,
        within: datetime.timedelta = _WEEK,
    ) -> AccessRequest:
        """Ask for records; the request is sealed to whoever may give them, and remembered.

        Parameters
        ----------
        address : bytes
            Of the owner, or of the provider for an owner who is away: `mopse.Owner.address`. That
            it is theirs is for you to make sure.
        provider : str
            Path of the provider whose records they are.
        ids : sequence, optional
            Ids of the records, 65,536 at most; all records of the provider's otherwise.
        portions : sequence of str, optional
            Which portions of them, as of `mopse.Owner.grant`: ``["files"]`` are their files.
        reason : str
            Why, for whoever decides; 4,096 bytes at most.
        expires_in : datetime.timedelta, optional
            How long they are to be opened; for ever otherwise.
        within : datetime.timedelta
            How long the request may be decided; a week by default.

        Returns
        -------
        AccessRequest
            Its number, and what is sent. `save` the user then: what is decided names it.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys; an id is null, or the reason too long.
        mopse.errors.SignatureError
            If the address was changed.
        mopse.errors.DamagedFileError
            If it is malformed.

        Notes
        -----
        **Leakage.** Who sees it on its way learns whose records are asked for, and about how many:
        not by whom, which, or why.

        Examples
        --------
        >>> import mopse
        >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
        >>> hospital = owner.authorize("hospital")
        >>> doctor = mopse.User.generate()
        >>> asked = doctor.request(owner.address(), "hospital", [17], reason="a fracture")
        >>> number = owner.receive_request(asked.message)
        >>> doctor.read_decision(owner.approve(number)).is_approved
        True
        """
        to = as_message(address, "an address")
        path = text(provider, "a provider's path")
        named = None
        if portions is not None:
            named = _portions(portions, "the request")
        found = None if ids is None else record_ids(as_ids(ids).to_frame(), "ids")
        if ids is not None and as_ids(ids).is_empty():
            raise InvalidInputError("ids of the request name no record")
        end = 2**64 - 1 if expires_in is None else end_of(expires_in)
        now = _now()
        span = now, now + _seconds(within, "within")
        why = text(reason, "reason")
        number, message = _mopse.party.make_request(
            self._grants, to, path, found, named, end, why, span
        )
        return AccessRequest(as_hex(number), bytes(message))

    def withdraw(self, request: str) -> bytes:
        """Take a request back, and return what tells whom it was sealed to.

        Where it comes before the request it is refused: it is then sent again.

        Parameters
        ----------
        request : str
            Its number.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such request.
        mopse.errors.ChangedError
            If it was decided.
        """
        number = as_number(request, "request", "requests")
        return bytes(_mopse.party.withdraw_request(self._grants, number, _now()))

    def read_decision(self, decision: bytes) -> Decision:
        """Open what was decided on a request of this user, and open records with what was given.

        Parameters
        ----------
        decision : bytes
            From `mopse.Owner.approve` or `mopse.Owner.refuse`. One that comes again changes
            nothing.

        Returns
        -------
        Decision
            Which request, whether it was approved, and why not. `save` the user then.

        Raises
        ------
        mopse.errors.ScopeError
            If it is for another user, or by a party that may not decide on it.
        mopse.errors.AnswerError
            If it is on nothing that this user has asked for, or has forgotten.
        mopse.errors.ChangedError
            If something else was decided before, or the request was withdrawn.
        mopse.errors.DecryptionError
            If it was changed.
        mopse.errors.SignatureError
            If whoever it names did not sign it.
        mopse.errors.ExpiredError
            If what it gives has ended.
        mopse.errors.DamagedFileError
            If it is malformed.
        """
        sealed = as_message(decision, "a sealed decision")
        number = as_hex(_mopse.party.read_decision(self._grants, sealed, _now()))
        for _, head in self._grants.given():
            self._note(head)
        state, why = self.requests.filter(pl.col("request") == number).select("state", "why").row(0)
        return Decision(number, state == "approved", why or "")

    @property
    def requests(self) -> pl.DataFrame:
        """What this user has asked for, and what became of it: as `mopse.Owner.requests` has it.

        ``owner``, the owner's key, takes the place of ``user``.
        """
        return _table(_mopse.party.requests_of(self._grants, _now()), "owner")

    def forget_request(self, request: str) -> None:
        """Forget a request; what was given on it stays, and what is decided later is refused.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such request.
        """
        _mopse.party.forget_own_request(self._grants, as_number(request, "request", "requests"))


def _now() -> int:
    return int(time.time())


def as_hex(number: int) -> str:
    """Return a number as tables show it."""
    return f"{number:032x}"


def as_number(number: Any, what: str, table: str) -> int:
    """Return the number that a table shows as text."""
    written = string(number, what)
    if len(written) != 32 or not set(written) <= set("0123456789abcdef"):
        raise InvalidInputError(f"{what} is a number of 32 hexadecimal digits, as `{table}` says")
    return int(written, 16)


def _portions(portions: Any, of: str) -> list[str]:
    """Return names of portions, one at least and none twice."""
    named = [spelt(text(name, "a portion")) for name in items(portions, "portions", "list")]
    if not named:
        raise InvalidInputError(f"portions of {of} are none, expected at least one portion")
    if len(set(named)) < len(named):
        raise InvalidInputError(f"portions of {of} name one twice")
    return named


def _moment(time: int | None) -> int | None:
    """Return a time, if there is such a one: who asks may say any."""
    return None if time is None or time >= FOR_EVER else time


def _seconds(span: Any, what: str) -> int:
    seconds = int(instance(span, datetime.timedelta, what).total_seconds())
    if seconds < 0 or _now() + seconds >= FOR_EVER:
        raise InvalidInputError(f"{what} must end between now and the year 9999")
    return seconds


def end_of(expires_in: Any) -> int:
    """Return when something ends that holds from now on."""
    return _now() + _seconds(expires_in, "expires_in")


def _table(told: Iterable[tuple[int, Any, Any]], party: str) -> pl.DataFrame:
    rows = [
        (
            *(as_hex(number), bytes(key), provider, records, portions),
            *(_moment(end), reason, _moment(asked), _moment(until), state, _moment(decided), why),
        )
        for number, key, told_of in told
        for (provider, records, portions, end), reason, asked, until, state, decided, why in [
            told_of
        ]
    ]
    schema: dict[str, Any] = {
        "request": pl.String,
        party: pl.Binary,
        "provider": pl.String,
        "records": pl.Int64,
        "portions": pl.List(pl.String),
        "ends": pl.Int64,
        "reason": pl.String,
        "asked": pl.Int64,
        "until": pl.Int64,
        "state": pl.Enum(["open", "approved", "refused", "withdrawn", "run out"]),
        "decided": pl.Int64,
        "why": pl.String,
    }
    moments = [
        pl.from_epoch(name, "s").dt.replace_time_zone("UTC")
        for name in ("ends", "asked", "until", "decided")
    ]
    return pl.DataFrame(rows, schema, orient="row").with_columns(*moments)
