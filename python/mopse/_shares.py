"""With whom a keyring shares what: users one by one, and teams of them."""

import datetime
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

from mopse import _mopse
from mopse._checks import items, spelt, text
from mopse._ranges import expiry_of
from mopse._requests import FOR_EVER
from mopse._table import as_ids, record_ids
from mopse.errors import InvalidInputError
from mopse.messages import as_message
from mopse.schema import Schema

__all__ = ["Sharing", "grant", "last_second", "portion_scope", "scopes_of"]

_TakeBack: TypeAlias = Callable[[_mopse.party.Keyring, bytes, int], list[tuple[bytes, list[bytes]]]]


class Sharing:
    """What owners and providers do with the users that they share with."""

    _keyring: _mopse.party.Keyring
    _schema: Schema

    def share(
        self,
        user: bytes,
        provider: str | None = None,
        ids: Sequence[Any] | None = None,
        *,
        portions: Sequence[str] | None = None,
        expires_in: datetime.timedelta | None = None,
    ) -> bytes:
        """Return what opens records, sealed to a user with keys of its own, and remember it.

        What is sealed may travel by whatever way there is: only this user opens it, with
        `mopse.User.accept`. It holds the schema too. Save the keyring, which remembers with whom it
        has shared what, so that `unshare` can serve who stays.

        Parameters
        ----------
        user : bytes
            The user's public keys, `mopse.User.public`. That they are this person's, and nobody
            else's, is for the two to make sure: nothing in them says so.
        provider : str, optional
            Path of the provider; this one itself if it is not said.
        ids : sequence, optional
            Ids of the records; all records of the provider's present epoch otherwise.
        portions : sequence of str, optional
            Which portions of them, as of `mopse.Owner.grant`.
        expires_in : datetime.timedelta, optional
            How long the user opens records with it; for ever otherwise.

        Returns
        -------
        bytes
            The sealed grant: some 300 bytes and the schema more than the grant itself, and 1,088
            more for a user with post-quantum keys.

        Raises
        ------
        mopse.errors.SignatureError
            If the public keys were changed.
        mopse.errors.DamagedFileError
            If they are malformed.
        mopse.errors.InvalidInputError
            If there is no such provider or portion, an id is null, the user is suspended or was
            revoked, or nothing can be sealed to the keys.
        mopse.errors.WrongTypeError
            If ids are neither integers nor text.

        Notes
        -----
        One encapsulation of a key for each call, however many records there are. **Leakage.** Who
        sees it on its way learns whose records they are, for which user, and how much is granted;
        of X25519 keys also what it holds, once there is a quantum computer.

        **Accountability.** A grant that is found elsewhere, sealed or not, names its user, and
        whoever gave it has signed that. It shows to whom it was given, not who lost it: the giver
        had it too. What was opened with it, and the keys in it without the rest, name nobody: all
        users of a provider's portion have one key in a readers' epoch, and read the same bytes.
        Those who can have leaked such a record are the owner, the provider and those above it, the
        users to whom `shared` of any keyring lists the portion as current, and whoever was handed a
        grant of `mopse.Owner.grant`, which names nobody and is on no list. `unshare` makes them
        fewer, for what is sealed from then on. It takes the leaver from the list, though what it
        opened it still has: keep the list of before.
        """
        public = as_message(user, "a user's public keys")
        wanted = self._wanted(provider, ids, portions, expires_in)
        return bytes(_mopse.party.share(self._keyring, public, wanted))

    def unshare(self, user: bytes) -> dict[bytes, list[bytes]]:
        """Take back what a user was given, for all that is sealed from now on.

        It is in no team afterwards, not suspended any more, and may be given something anew:
        `suspend` is what can be lifted, and `revoke_user` what is for good.

        New readers' epochs begin wherever the user was given something. Give every cloud `public`
        again, or a provider's `announcements`: it then refuses what is sealed for the old readers,
        and providers `catch_up`.

        Parameters
        ----------
        user : bytes
            The user's public keys.

        Returns
        -------
        dict from bytes to list of bytes
            By the public keys of everybody who stays there: sealed grants, for its
            `mopse.User.accept`. What has ended is not given anew, nor what is not current, see
            `shared`, nor what other keyrings have shared. Of a user who has left already no new
            epoch begins, and who stays is given the same again.

        Raises
        ------
        mopse.errors.InvalidInputError
            If nothing is shared with this user.
        mopse.errors.ScopeError
            If the readers are somebody else's to renew, as those of a provider's own records are
            its authority's.

        Notes
        -----
        What was granted before stays readable, and what was opened stays known. Who stays and has
        not accepted its new grant yet opens nothing of what is sealed from then on: see
        `mopse.User.decrypt`. Rulers and index stay as they are, and nothing is encrypted again;
        queries that were made before are refused. Costs an encapsulation for each grant of
        who stays. Grants from `mopse.Owner.grant`, which are nobody's in particular, are not given
        anew.
        """
        return self._taken_back(_mopse.party.unshare, user)

    def suspend(self, user: bytes) -> dict[bytes, list[bytes]]:
        """Take back what a user was given, as `unshare` does, until `reinstate` gives it again.

        Neither `share` nor `delegate`, no team and no request gives the user anything meanwhile.
        It stays a member of its teams. Save the keyring, and give every cloud `public` again.

        Parameters
        ----------
        user : bytes
            The user's public keys.

        Returns
        -------
        dict from bytes to list of bytes
            For everybody who stays, as of `unshare`; the same again of who is suspended already.

        Raises
        ------
        mopse.errors.InvalidInputError
            If nothing was ever shared with this user, or it was revoked.
        mopse.errors.ScopeError
            If the readers are somebody else's to renew.

        Notes
        -----
        What the user has opens all that was sealed up to now, and goes on to: only what comes is
        closed. Other keyrings know nothing of it, and may share with the user; so may other copies
        of this one, and one that is restored from a backup: no cloud is told who is suspended.
        """
        return self._taken_back(_mopse.party.suspend, user)

    def reinstate(self, user: bytes) -> list[bytes]:
        """Lift a suspension: return what the user is given again, sealed to it.

        That is what was current when it was suspended, what is current of its teams, and its rights
        to search: as far as they have not ended, and no provider was revoked in their groups since.
        They open also what was sealed meanwhile. A user that is not suspended is given what it has
        once more.

        Parameters
        ----------
        user : bytes
            The user's public keys.

        Raises
        ------
        mopse.errors.InvalidInputError
            If nothing was ever shared with this user, or it was revoked.
        """
        public = as_message(user, "a user's public keys")
        _, given = _mopse.party.reinstate(self._keyring, public, int(time.time()))
        return [bytes(sealed) for sealed in given]

    def revoke_user(self, user: bytes) -> dict[bytes, list[bytes]]:
        """Take back what a user was given, as `unshare` does, and never give these keys anything.

        For keys that were stolen, and for who must not come back: nothing in this keyring lifts it.
        A person that has new keys is a new user. Other keyrings, and copies of this one from
        before, know nothing of it: no cloud is told.

        Parameters
        ----------
        user : bytes
            The user's public keys. They need not have been given anything.

        Returns
        -------
        dict from bytes to list of bytes
            For everybody who stays, as of `unshare`.

        Raises
        ------
        mopse.errors.ScopeError
            If the readers are somebody else's to renew.
        """
        return self._taken_back(_mopse.party.revoke_user, user)

    @property
    def users(self) -> pl.DataFrame:
        """The users that this keyring knows.

        ``user``, SHA-256 of its public keys; ``status``, ``active``, ``suspended`` or ``revoked``;
        and the ``teams`` that it is in. What an active one was given is in `shared` and
        `delegated`.
        """
        teams = [(name, set(map(bytes, of))) for name, _, of, _ in self._teams()]
        rows = [
            (bytes(user), status, [name for name, members in teams if bytes(user) in members])
            for user, status in _mopse.party.users(self._keyring)
        ]
        schema: dict[str, Any] = {
            "user": pl.Binary,
            "status": pl.String,
            "teams": pl.List(pl.String),
        }
        return pl.DataFrame(rows, schema, orient="row")

    def form_team(self, name: str, speciality: str | None = None) -> None:
        """Form a team of users who are given the same, without members yet.

        Parameters
        ----------
        name : str
            Its name: as of a provider, and like that of no other team.
        speciality : str, optional
            What it does, such as ``"cardiology"``; for who reads `teams`. Up to 255 bytes.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there can be no such name or speciality, or there is a team that is called so or
            looks like it.
        """
        kind = "" if speciality is None else text(speciality, "a speciality")
        _mopse.party.form_team(self._keyring, text(name, "a name"), kind)

    def join_team(self, team: str, user: bytes) -> list[bytes]:
        """Add a user to a team: return all that the team was given, sealed to the user.

        It opens what was sealed before the user joined, too. What is not current, see `teams`, is
        not given: `share_with_team` it anew. A member is given the same again.

        Parameters
        ----------
        team : str
            Its name.
        user : bytes
            The user's public keys.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such team, or the user is suspended or was revoked.
        mopse.errors.SignatureError
            If the public keys were changed.
        mopse.errors.DamagedFileError
            If they are malformed.
        """
        public, name = as_message(user, "a user's public keys"), text(team, "a team")
        _, given = _mopse.party.join_team(self._keyring, name, public, int(time.time()))
        return [bytes(sealed) for sealed in given]

    def share_with_team(
        self,
        team: str,
        provider: str | None = None,
        ids: Sequence[Any] | None = None,
        *,
        portions: Sequence[str] | None = None,
        expires_in: datetime.timedelta | None = None,
    ) -> dict[bytes, list[bytes]]:
        """Give a team what opens records, sealed to each member, and to whoever joins later.

        Nothing of it is taken back from a team that stays: `disband_team`, and form another.

        Parameters
        ----------
        team : str
            Its name.
        provider : str, optional
            Path of the provider; this one itself if it is not said.
        ids : sequence, optional
            Ids of the records; all records of the provider's present epoch otherwise.
        portions : sequence of str, optional
            Which portions of them, as of `mopse.Owner.grant`.
        expires_in : datetime.timedelta, optional
            How long the members open records with it; for ever otherwise.

        Returns
        -------
        dict from bytes to list of bytes
            By the public keys of each member that is not suspended: sealed grants.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such team, provider or portion, or an id is null.
        mopse.errors.WrongTypeError
            If ids are neither integers nor text.

        Notes
        -----
        A team has no key of its own: each member's grant names that member, see `share`. One
        encapsulation for each.
        """
        wanted = self._wanted(provider, ids, portions, expires_in)
        name = text(team, "a team")
        return _by_user(_mopse.party.share_with_team(self._keyring, name, wanted))

    def leave_team(self, team: str, user: bytes) -> dict[bytes, list[bytes]]:
        """Remove a user from a team, and take back what it was given as a member.

        Parameters
        ----------
        team : str
            Its name.
        user : bytes
            The user's public keys.

        Returns
        -------
        dict from bytes to list of bytes
            For everybody who stays, as of `unshare`: also for the user itself, what it was given
            otherwise.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such team, or the user never was a member.
        mopse.errors.ScopeError
            If the readers are somebody else's to renew.
        """
        name = text(team, "a team")
        return self._taken_back(
            lambda keyring, public, now: _mopse.party.leave_team(keyring, name, public, now), user
        )

    def disband_team(self, team: str) -> dict[bytes, list[bytes]]:
        """Disband a team: take back what its members were given as such.

        Parameters
        ----------
        team : str
            Its name.

        Returns
        -------
        dict from bytes to list of bytes
            As of `leave_team`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such team.
        mopse.errors.ScopeError
            If the readers are somebody else's to renew.
        """
        name = text(team, "a team")
        return _by_user(_mopse.party.disband_team(self._keyring, name, int(time.time())))

    @property
    def teams(self) -> pl.DataFrame:
        """The teams of this keyring, a row for each thing that one was given.

        ``team`` and its ``speciality``, null for none; ``members``, SHA-256 of their public keys;
        what it was given, and whether that ``is_current``, as in `shared`: null of a team that was
        given nothing.
        """
        rows: list[tuple[Any, ...]] = []
        for name, speciality, members, scopes in self._teams():
            team = (name, speciality or None, [bytes(member) for member in members])
            given = scopes or [((None, None, None, FOR_EVER), None)]
            rows += [(*team, scope, [is_current]) for scope, is_current in given]
        columns = {"team": pl.String, "speciality": pl.String, "members": pl.List(pl.Binary)}
        return scopes_of(rows, {"is_current": pl.Boolean}, **columns)

    def _teams(self) -> list[tuple[str, str, list[bytes], list[Any]]]:
        return _mopse.party.teams(self._keyring)

    def _wanted(
        self,
        provider: str | None,
        ids: Any,
        portions: Sequence[str] | None,
        expires_in: datetime.timedelta | None,
    ) -> tuple[str, Any, list[str] | None, int]:
        path = self._keyring.path if provider is None else text(provider, "a provider's path")
        if path == "":
            raise InvalidInputError("provider must say whose records are shared: an owner has none")
        return _scope(self, path, ids, portions, expires_in)

    def _taken_back(self, take_back: _TakeBack, user: bytes) -> dict[bytes, list[bytes]]:
        public = as_message(user, "a user's public keys")
        return _by_user(take_back(self._keyring, public, int(time.time())))

    @property
    def shared(self) -> pl.DataFrame:
        """With whom this keyring has shared what.

        ``user``, SHA-256 of its public keys; ``provider``, how many ``records`` and which
        ``portions``, null for all, when it ``ends``, null for never, the ``team`` that it was given
        to the user as a member of, null for none, and whether it ``is_current``: opens what is
        sealed now. What is not was given before readers' epochs that began since, by
        `mopse.Owner.renew_readers`, a revocation, or another copy of this keyring, which may have
        taken it back: `share` it anew with who is to have it, or `unshare` it. What other keyrings
        have shared is not here.
        """
        scopes = [
            (bytes(user), scope, [team, is_current])
            for user, scopes in _mopse.party.shared(self._keyring)
            for scope, team, is_current in scopes
        ]
        return scopes_of(scopes, {"team": pl.String, "is_current": pl.Boolean}, user=pl.Binary)


def _by_user(anew: Iterable[tuple[bytes, list[bytes]]]) -> dict[bytes, list[bytes]]:
    return {bytes(of): [bytes(sealed) for sealed in all_of] for of, all_of in anew}


def scopes_of(
    scopes: Iterable[tuple[Any, ...]], last_columns: Mapping[str, Any], **columns: Any
) -> pl.DataFrame:
    """Return what is granted as a table, between some other columns."""
    rows = [
        (*first, provider, records, portions, None if end >= FOR_EVER else end, *last)
        for *first, (provider, records, portions, end), last in scopes
    ]
    schema = {
        **columns,
        "provider": pl.String,
        "records": pl.Int64,
        "portions": pl.List(pl.String),
        "ends": pl.Int64,
        **last_columns,
    }
    table = pl.DataFrame(rows, schema, orient="row")
    return table.with_columns(pl.from_epoch("ends", "s").dt.replace_time_zone("UTC"))


def grant(
    party: Sharing,
    provider: str,
    ids: Any,
    portions: Sequence[str] | None,
    expires_in: datetime.timedelta | None,
) -> bytes:
    """Return what opens a provider's records; see `Provider.grant`."""
    return party._keyring.grant(*_scope(party, provider, ids, portions, expires_in))


def portion_scope(
    party: Sharing, provider: str, portion: str, expires_in: datetime.timedelta | None
) -> tuple[str, str, int]:
    """Return provider, portion and end of a grant of one portion as the core takes them."""
    path, _, named, end = _scope(party, provider, None, [portion], expires_in)
    return path, (named or [portion])[0], end


def _scope(
    party: Sharing,
    provider: str,
    ids: Any,
    portions: Sequence[str] | None,
    expires_in: datetime.timedelta | None,
) -> tuple[str, Any, list[str] | None, int]:
    """Return what is granted as the core takes it."""
    path = text(provider, "a provider's path")
    end = last_second(expires_in, "the grant")
    known = [*party._schema.portions, "rest", "files"]
    named = None
    if portions is not None:
        given = items(portions, "portions", "list of strings")
        named = [spelt(text(name, "a portion")) for name in given]
        unknown = [name for name in named if name not in known]
        if unknown:
            raise InvalidInputError(f"the schema has no portion {unknown[0]!r}: {known}")
        if not named:
            raise InvalidInputError("a grant needs at least one portion")
    elif ids is not None:
        named = known
    found = None if ids is None else record_ids(as_ids(ids).to_frame(), "ids")
    return path, found, named, end


def last_second(expires_in: datetime.timedelta | None, what: str) -> int:
    """Return when something ends that may hold for ever."""
    if expires_in is None:
        return 2**64 - 1
    end = expiry_of(expires_in, what)
    if end >= FOR_EVER:
        raise InvalidInputError(f"{what} would end after the year 9999: leave expires_in out")
    return end
