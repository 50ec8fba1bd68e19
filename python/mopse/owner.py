"""The owner of the records: the root of all keys."""

import datetime
import hashlib
import math
from collections.abc import Sequence
from typing import Any

from mopse import _mopse
from mopse._checks import instance, integer, text
from mopse._party import Party, names
from mopse._shares import grant
from mopse.messages import as_message
from mopse.provider import Provider
from mopse.schema import Schema

__all__ = ["Owner"]


class Owner(Party):
    """Whoever the records belong to: holds the root key, authorises providers, decrypts everything.

    Make one with `Owner.generate` or `Owner.open`.

    Notes
    -----
    Every other key is derived from the root key with HMAC-SHA-256. Losing it loses all records;
    whoever has it reads everything.

    Examples
    --------
    >>> import mopse
    >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    >>> hospital = owner.authorize("hospital")
    >>> ward = owner.authorize("ward", under="hospital")
    >>> owner.providers
    ['hospital', 'hospital/ward']
    >>> len(owner.query(age=(40, 60)))  # the group of the owner, and that of the hospital
    2
    """

    _is_owner = True
    _made_by = "Owner.generate, Owner.open or Owner.from_insecure_seed"

    @classmethod
    def generate(cls, schema: Schema) -> "Owner":
        """Return a new owner, with a root key from the operating system's randomness."""
        return cls(
            _mopse.party.Keyring.generate(instance(schema, Schema, "a schema")._schema), schema
        )

    @classmethod
    def from_insecure_seed(cls, schema: Schema, seed: int) -> "Owner":
        """Return the owner of a seed, for experiments that must repeat: its keys are no secret.

        Any integer is a seed. Whoever guesses it has every key. Salts, numbers and nonces follow
        from it too, so that the same calls in the same order give the same messages: but for those
        of `mopse.Provider.attach`, whose nonces are random, and those of a keyring that was saved
        and opened again. Who is authorised again draws other numbers.
        """
        number = integer(seed, "a seed", -math.inf, math.inf)
        key = hashlib.sha256(b"mopse insecure seed %d" % number).digest()
        return cls(
            _mopse.party.Keyring.insecure(key, instance(schema, Schema, "a schema")._schema), schema
        )

    @property
    def public(self) -> bytes:
        """What a cloud enrols: verification key, schema digest, epochs, members, signed. No secret.

        What has changed since the last time is announced anew, so give it to every cloud again
        after `authorize` and `revoke`, and save the keyring.
        """
        return self._keyring.announcements()

    def authorize(self, name: str, under: str | None = None) -> Provider:
        """Authorise a provider and return it with its own keyring.

        It holds the keys of its subtree and the rulers of its group, and nothing else: what a
        provider has shared, its teams and suspensions are in the keyring that it shared by. Who is
        authorised already gets the same keys again, and whoever was before a revocation those of
        the earlier epochs too, so that `mopse.Provider.renew` can renew what it sent then.

        Parameters
        ----------
        name : str
            Its name. It is kept in Unicode's form NFC with plain spaces, and paths find it however
            they are typed. No slash, no control or invisible character, no joiner, no space at its
            ends or two in a row, nothing unassigned or for private use.
        under : str, optional
            Path of the provider it belongs to, such as ``"hospital"`` or ``"hospital/ward"``.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there can be no such name, it looks like that of another provider there, as
            ``Ward 1`` and ``ward l`` do, or ``clinic`` with a Cyrillic letter, or nobody was
            authorised under that path.
        """
        keyring = self._keyring.authorize(text(name, "a name"), names(under))
        return Provider(keyring, self._schema)

    def revoke(self, provider: str) -> None:
        """Remove a provider by its path, and everyone below it, and advance the epoch of its group.

        Its siblings, and everyone below them, stay authorised but need new keyrings: call
        `authorize` for each again, and for the provider they are under, which keeps its keys but
        must know of the new epoch. Give every cloud `public` again: from then on it refuses uploads
        and queries of the old epoch, and takes those of the new one. Have it remove the provider's
        records, with `removal`. The owner finds what the siblings sent before; they do too, and
        `mopse.Provider.renew` brings it into the new epoch.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such provider.

        Notes
        -----
        Two copies of a keyring that revoke never come to the same keys: each epoch has a random
        salt. The cloud takes the first announcement; who comes second gets
        `mopse.errors.ChangedError`, catches up, and revokes again.

        What was encrypted before stays readable to who could read it. Queries carry one more token
        per group and epoch until the old records are encrypted again.
        """
        self._keyring.revoke(text(provider, "a provider's path").split("/"))

    def learn(self, certificates: bytes) -> None:
        """Learn of a provider that another provider authorised, from its `Provider.public`.

        Then queries reach its group.

        Raises
        ------
        mopse.errors.SignatureError
            If the certificates do not lead to this owner.
        mopse.errors.ScopeError
            If they are of another owner.
        mopse.errors.DamagedFileError
            If they are malformed.
        mopse.errors.InvalidInputError
            If a name in them looks like that of another provider there.
        """
        self._keyring.learn(as_message(certificates, "a chain of certificates"))

    def renew_readers(self, under: str | None = None) -> None:
        """Close what is sealed from now on to everyone who holds a grant: a reader has left.

        Rulers and index stay as they are, and nothing is encrypted again. Give every cloud `public`
        again: it then refuses what is sealed for the old readers, and providers `catch_up`. Whoever
        stays gets a new grant.

        Parameters
        ----------
        under : str, optional
            Path of the provider whose children it concerns; those right below the owner otherwise.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such provider.

        Notes
        -----
        What was granted before stays readable. A provider that hears nothing of it goes on sealing
        for who left, and the clouds that know refuse its uploads.
        """
        self._keyring.renew_readers(names(under))

    def grant(
        self,
        provider: str,
        ids: Sequence[Any] | None = None,
        *,
        portions: Sequence[str] | None = None,
        expires_in: datetime.timedelta | None = None,
    ) -> bytes:
        """Return what opens a provider's records, for a `mopse.User`. Secret.

        What was granted once stays known to who got it. It lets nobody write: what a holder of
        grants seals is not taken for the provider's by whoever holds the provider's keys.

        Parameters
        ----------
        provider : str
            Path of the provider.
        ids : sequence, optional
            Ids of the records to grant; all records of the provider's present epoch otherwise.
        portions : sequence of str, optional
            Which portions of them, by the names in the schema, ``rest`` or ``files``; all
            otherwise.
        expires_in : datetime.timedelta, optional
            How long a user opens records with it; for ever otherwise.

        Returns
        -------
        bytes
            Signed. It holds for what was sealed up to the last `renew_readers`, and from then on.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such provider or portion, or an id is null.
        mopse.errors.WrongTypeError
            If ids are neither integers nor text.
        """
        return grant(self, provider, ids, portions, expires_in)

    def __repr__(self) -> str:
        name = self._keyring.owner[:8].hex()
        return f"Owner({name}, providers={len(self.providers)}, fields={list(self._schema)})"
