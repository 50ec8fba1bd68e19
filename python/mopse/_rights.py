"""Rights to search: who gives one, and who makes tokens with it."""

import datetime
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import polars as pl

from mopse import _mopse
from mopse._checks import text
from mopse._ranges import bounds_of, expiry_of, plaintexts_of
from mopse._requests import FOR_EVER, as_hex, as_number, end_of
from mopse.errors import InvalidInputError, ScopeError
from mopse.messages import Query, as_message
from mopse.schema import Schema

_HOUR = datetime.timedelta(hours=1)
_Range: TypeAlias = tuple[str, int, int]


class Delegating:
    """What owners, and providers with others below them, do with rights to search."""

    _keyring: _mopse.party.Keyring
    _schema: Schema

    def delegate(
        self,
        user: bytes,
        ranges: Mapping[str, Any] | None = None,
        /,
        *,
        under: str | None = None,
        expires_in: datetime.timedelta | None = None,
        **more_ranges: Any,
    ) -> bytes:
        """Return a right to search within some ranges, sealed to a user, and remember it.

        Whoever has it makes tokens of its own: `mopse.User.accept`, then `mopse.User.query`. It
        opens no record; that is `share`. The same ranges given again take the place of the right
        that was given before. `unshare` takes it back, for all clouds that were told.

        Parameters
        ----------
        user : bytes
            The user's public keys, `mopse.User.public`.
        ranges : mapping from str to range, optional
            Ranges of fields whose names are no Python names.
        under : str, optional
            Path of a provider: its group and those below it are searched, and no other; all groups
            below this keyring otherwise.
        expires_in : datetime.timedelta, optional
            How long the right is good; until it is taken back otherwise.
        **more_ranges : (lowest, highest), or a value
            As of `query`. A field that is left out cannot be asked about. ``(None, None)`` lets the
            user ask about all values of a field: records without one are then not found.

        Returns
        -------
        bytes
            Some 700 bytes and the schema, and 8 for each cell of a range in each group.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no range, one is none, no value lies in it, or nobody stands below.
        mopse.errors.SignatureError
            If the public keys were changed.
        mopse.errors.DamagedFileError
            If they are malformed.

        Notes
        -----
        *Every* range holds of all that is found, also where the user names no range of that field:
        the cloud sees to it, of each token, to the cell. Values that share a cell with an end of a
        range are found too; an honest user drops them once they are opened.

        A right ends by its time, by the cloud's clock, and when an authority of its groups begins
        new readers' epochs or another epoch, as by `unshare`, `mopse.Owner.renew_readers` and
        `mopse.Owner.revoke`. `unshare` returns it anew for who stays; after the others, where
        `delegated` calls it not current, give it again. Groups that come later are in it once it
        is given anew; providers that join its groups later are found too, and `share` opens their
        records.

        **Leakage.** To the cloud: the bounds of the right to the cell, by whom each query is, and
        what any query tells. To the user, who holds the cuts of its ranges: with a copy of the
        cloud's store, the cell of every entry in the range of *one* of the fields, whatever the
        others are; `mopse.attacks.Deployment.holder` measures it. No cut outside of its ranges.
        """
        public = as_message(user, "a user's public keys")
        bounds = bounds_of(self._schema, ranges, more_ranges, "a right to search")
        plain = plaintexts_of(self._schema, bounds)
        if plain is None:
            raise InvalidInputError("no value of a field lies in its range")
        told = [(name, low, high) for name, (low, high) in plain.items()]
        path = "" if under is None else text(under, "under")
        end = 2**64 - 1 if expires_in is None else end_of(expires_in)
        now = int(time.time())
        return bytes(_mopse.party.delegate(self._keyring, public, told, path, end, now))

    @property
    def delegated(self) -> pl.DataFrame:
        """The rights to search that this keyring has given, a row for each field.

        ``user``, SHA-256 of its public keys; ``right``, its number; ``under``, the path it is
        limited to, null for all; ``field``, ``lowest`` and ``highest`` value as text; when it
        ``ends``, null for never; and whether it ``is_current``: a cloud that knows what this
        keyring does still takes it, its time apart.
        """
        given = [
            ((bytes(user), as_hex(number), under or None), self._schema, ranges, (end, is_current))
            for user, number, ranges, under, end, is_current in _mopse.party.rights_given(
                self._keyring
            )
        ]
        return _table(given, user=pl.Binary, right=pl.String, under=pl.String)


class Searching:
    """What users with keys of their own ask under a right to search."""

    _grants: _mopse.party.Grants
    _schemas: dict[bytes, Schema]

    @property
    def rights(self) -> pl.DataFrame:
        """The rights to search that this user has accepted, a row for each field.

        ``owner``, the owner's key; ``right``, its number; ``groups`` it reaches; ``field``,
        ``lowest`` and ``highest`` value as text; when it ``ends``, null for never; and whether it
        ``is_current``: it has not ended, and no other right of the owner's shows that it was taken
        back. Whether a cloud still takes it only a cloud knows.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys.
        """
        given = [
            (
                (bytes(owner), as_hex(number), groups),
                self._schemas[bytes(owner)],
                ranges,
                (end, is_current),
            )
            for owner, number, ranges, groups, end, is_current in _mopse.party.rights_held(
                self._grants, int(time.time())
            )
        ]
        return _table(given, owner=pl.Binary, right=pl.String, groups=pl.List(pl.String))

    def query(
        self,
        ranges: Mapping[str, Any] | None = None,
        /,
        *,
        owner: bytes | None = None,
        right: str | None = None,
        expires_in: datetime.timedelta = _HOUR,
        **more_ranges: Any,
    ) -> Query:
        """Return tokens of this user's own, under a right to search.

        Parameters
        ----------
        ranges : mapping from str to range, optional
            Ranges of fields whose names are no Python names.
        owner : bytes, optional
            Key of the owner whose records are searched; of the only one that gave a right
            otherwise.
        right : str, optional
            Number of the right, as `rights` says; the only one that is good for these ranges
            otherwise.
        expires_in : datetime.timedelta
            How long the tokens are valid; no longer than the right is.
        **more_ranges : (lowest, highest), or a value
            As of `mopse.Owner.query`, within the ranges of the right; None is as far as the right
            goes. All ranges of the right hold, also those that are not named.

        Returns
        -------
        Query
            One token for each group of the right. No token if no value can match.

        Raises
        ------
        mopse.errors.ScopeError
            If there is no right, or none that is current, see `rights`, a field is none of it, or a
            range goes beyond it.
        mopse.errors.InvalidInputError
            If there is no range, one is none, several rights are good, or it must be said of which
            owner.

        Notes
        -----
        One signature. **Leakage.** The cloud learns who asks, under which right, and the bounds to
        the cell.
        """
        now = int(time.time())
        held = _mopse.party.rights_held(self._grants, now)
        of = _owner(owner, {bytes(known) for known, *_ in held})
        if of not in self._schemas:
            raise ScopeError("this user was given no right to search records of that owner")
        schema = self._schemas[of]
        number = None if right is None else as_number(right, "right", "rights")
        expiry = expiry_of(expires_in, "the query")
        bounds = bounds_of(schema, ranges, more_ranges, "a query")
        asked = []
        for name, (lowest, highest) in (plaintexts_of(schema, bounds) or {}).items():
            low, high = bounds[name]
            # An open end is as far as the right goes, and not as the field does.
            ends = None if low is None else lowest, None if high is None else highest
            asked.append((name, *ends))
        message, found = _mopse.party.ask_under(self._grants, of, number, asked, expiry, now)
        return Query._with_ranges(bytes(message), {name: (low, high) for name, low, high in found})


def _owner(owner: bytes | None, known: set[bytes]) -> bytes:
    """Return whose records are asked for."""
    if owner is not None:
        return as_message(owner, "an owner's key")
    if not known:
        raise ScopeError("this user was given no right to search")
    if len(known) > 1:
        raise InvalidInputError(
            f"this user may search records of {len(known)} owners: say which by owner="
        )
    return next(iter(known))


def _table(
    given: Iterable[tuple[tuple[Any, ...], Schema, list[_Range], tuple[int, bool]]], **columns: Any
) -> pl.DataFrame:
    """Return rights as a table, a row for each field."""
    rows = [
        (*of, name, shown(low), shown(high), None if end >= FOR_EVER else end, is_current)
        for of, schema, ranges, (end, is_current) in given
        for name, low, high in ranges
        for shown in [schema[name]._shown]
    ]
    schema = {
        **columns,
        "field": pl.String,
        "lowest": pl.String,
        "highest": pl.String,
        "ends": pl.Int64,
        "is_current": pl.Boolean,
    }
    table = pl.DataFrame(rows, schema, orient="row")
    return table.with_columns(pl.from_epoch("ends", "s").dt.replace_time_zone("UTC"))
