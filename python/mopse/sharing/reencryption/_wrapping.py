"""Grants that are wrapped once for all readers, and re-encrypted for each."""

import datetime
from typing import Any, NamedTuple, Never

from mopse import _mopse
from mopse._checked import checked
from mopse._shares import portion_scope
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.user import User

__all__ = ["Keys", "Label", "Proxy", "epochs", "label_of", "reencryption_key", "wrap"]

_NAME_BYTES = 32
_LAST_EPOCH = 2**32 - 1


class Label(NamedTuple):
    """What an envelope opens.

    Attributes
    ----------
    owner : bytes
        The owner's verification key.
    provider : str
        Path of the provider.
    portion : str
        Which portion of its records.
    epoch : int
        Sealed in which readers' epoch.
    """

    owner: bytes
    provider: str
    portion: str
    epoch: int


class Keys:
    """The keys of a user, or of a role for as long as its members stay.

    Parameters
    ----------
    secret : bytes, optional
        `secret` of other keys, 32 bytes; new ones by default.

    Raises
    ------
    mopse.errors.InvalidInputError
        If that has not 32 bytes.

    Notes
    -----
    They are others than those of `mopse.User`, whose algorithms know no re-encryption. Keep
    `secret` in a file of `mopse.files.encrypt` or under a password, `mopse.passwords.encrypt`.
    """

    @checked()
    def __init__(self, secret: bytes | None = None) -> None:
        self._keys = _mopse.sharing.ReaderKeys(secret)

    @classmethod
    @checked()
    def from_role(cls, member: User, handed: bytes) -> "Keys":
        """Return the keys of a role that were handed to a member.

        Parameters
        ----------
        member : User
            To whom; a user with keys of its own.
        handed : bytes
            From `hand`. Nothing says who handed them: compare `name` with what the role is known
            by.

        Returns
        -------
        Keys
            The same as the keeper's.

        Raises
        ------
        mopse.errors.ScopeError
            If they were handed to another user.
        mopse.errors.DecryptionError
            If they were changed, or sealed to other keys.
        mopse.errors.SignatureError
            If they are of another role than is said.
        mopse.errors.DamagedFileError
            If they are malformed.
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys.
        """
        made = cls.__new__(cls)
        made._keys = _mopse.sharing.ReaderKeys.handed(member._grants, handed)
        return made

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: make them of their secret")

    def __repr__(self) -> str:
        return f"Keys({self.name[:8].hex()})"

    @property
    def secret(self) -> bytes:
        """What they are made of: 32 bytes."""
        return self._keys.secret

    @property
    def public(self) -> bytes:
        """The public key, with a proof that whoever made it knows the secret: 169 bytes.

        That it is this person's, and nobody else's, is for owner and user to make sure.
        """
        return self._keys.public

    @property
    def name(self) -> bytes:
        """What names the public key: 32 bytes."""
        return self._keys.name

    @checked()
    def open(self, envelope: bytes, released: bytes) -> bytes:
        """Open an envelope that a proxy has re-encrypted for these keys.

        Parameters
        ----------
        envelope : bytes
            From `wrap`. Compare the owner of its `label_of` with the one you mean.
        released : bytes
            From `Proxy.release`.

        Returns
        -------
        bytes
            The grant, for `mopse.User`. Secret.

        Raises
        ------
        mopse.errors.DecryptionError
            If the proxy answered wrongly.
        mopse.errors.ScopeError
            If it is of another envelope or for other keys, or who wrapped that may not give it.
        mopse.errors.SignatureError
            If the envelope is forged, or holds another grant than it says.
        mopse.errors.DamagedFileError
            If either is malformed, or an element is none of its group, or the identity.
        """
        return self._keys.open(envelope, released)

    @checked()
    def hand(self, member: bytes) -> bytes:
        """Return these keys, which are a role's, sealed to a member.

        Parameters
        ----------
        member : bytes
            Public keys of the member, `mopse.User.public`.

        Returns
        -------
        bytes
            For `from_role`. Some 180 bytes, 1,088 more for a user with post-quantum keys.

        Raises
        ------
        mopse.errors.SignatureError
            If the public keys were changed.
        mopse.errors.DamagedFileError
            If they are malformed.
        mopse.errors.InvalidInputError
            If nothing can be sealed to them.

        Notes
        -----
        A member can hand them on, and keeps them when it leaves: make other keys then, and have
        owners give re-encryption keys for these.
        """
        return self._keys.hand(member)


class Proxy:
    """Who re-encrypts: it has re-encryption keys, no others, and opens nothing.

    Notes
    -----
    It answers whoever asks: what it answers opens by the keys that it is for alone. It keeps its
    keys in memory, and is given the same again after a restart. The clock of nobody ends a key:
    `forget` does.
    """

    def __init__(self) -> None:
        self._proxy = _mopse.sharing.ReencryptionProxy()

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: give another proxy the same")

    def __repr__(self) -> str:
        return f"Proxy(keys={len(self)})"

    def __len__(self) -> int:
        """Return how many re-encryption keys there are."""
        return self._proxy.size

    @checked()
    def receive(self, key: bytes) -> None:
        """Keep a re-encryption key.

        Parameters
        ----------
        key : bytes
            From `reencryption_key`. One that comes again changes nothing.

        Raises
        ------
        mopse.errors.SignatureError
            If it is forged.
        mopse.errors.ScopeError
            If who made it may not give the records.
        mopse.errors.DamagedFileError
            If it is malformed, or its element is none of its group, or the identity.
        """
        self._proxy.receive(key)

    @checked()
    def release(self, envelope: bytes, user: bytes) -> bytes:
        """Re-encrypt an envelope for a user or a role.

        Parameters
        ----------
        envelope : bytes
            From `wrap`.
        user : bytes
            `Keys.name` of whom it is for.

        Returns
        -------
        bytes
            For `Keys.open`: 649 bytes.

        Raises
        ------
        mopse.errors.ScopeError
            If there is no key for that, or who wrapped it may not give the records.
        mopse.errors.SignatureError
            If the envelope is forged.
        mopse.errors.DamagedFileError
            If it is malformed, or its element is none of its group, or the identity.
        mopse.errors.InvalidInputError
            If the name has not 32 bytes.
        """
        return self._proxy.release(envelope, _name(user))

    @checked()
    def forget(self, user: bytes) -> int:
        """Forget all keys for a user or a role that has left.

        Parameters
        ----------
        user : bytes
            `Keys.name` of whom they are for.

        Returns
        -------
        int
            How many there were, of all owners.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the name has not 32 bytes.

        Notes
        -----
        A proxy that does not forget is found by nobody: new readers' epochs see to it that it has
        no keys of what is sealed from then on.
        """
        return self._proxy.forget(_name(user))


@checked(epoch=(0, _LAST_EPOCH))
def wrap(
    party: Any,
    provider: str,
    portion: str,
    *,
    epoch: int | None = None,
    expires_in: datetime.timedelta | None = None,
) -> bytes:
    """Wrap a grant of a portion of a provider's records, once for all readers.

    Parameters
    ----------
    party : Owner or Provider
        Who derives the provider's keys: the owner, the provider itself, those above it.
    provider : str
        Path of the provider.
    portion : str
        Which portion: one of the schema's, ``"rest"`` or ``"files"``.
    epoch : int, optional
        Sealed in which readers' epoch, see `epochs`; in the present one by default.
    expires_in : datetime.timedelta, optional
        How long the grant opens records, by the clock of who reads; for ever by default.

    Returns
    -------
    bytes
        The envelope, of some 550 bytes whatever the number of records and of readers. No secret.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such provider, portion or epoch.
    mopse.errors.WrongTypeError
        If the party is neither an owner nor a provider.
    """
    keyring = _keyring(party)
    path, named, end = portion_scope(party, provider, portion, expires_in)
    return _mopse.sharing.wrap(keyring, path, named, epoch, end)


@checked(epoch=(0, _LAST_EPOCH))
def reencryption_key(
    party: Any, provider: str, portion: str, public: bytes, *, epoch: int | None = None
) -> bytes:
    """Return what turns the envelopes of a portion and readers' epoch into those of a user or role.

    Parameters
    ----------
    party : Owner or Provider
        As of `wrap`.
    provider, portion : str
        As of `wrap`.
    public : bytes
        `Keys.public` of whom it is for.
    epoch : int, optional
        Which readers' epoch, see `epochs`; the present one by default.

    Returns
    -------
    bytes
        For `Proxy.receive`, and for nobody else: with it that user needs no proxy for this portion
        and epoch. It says nothing of any other, nor anything to who is none of its readers.

    Raises
    ------
    mopse.errors.SignatureError
        If the public key does not show that its secret is known.
    mopse.errors.DamagedFileError
        If the public key is malformed, or its element is none of its group, or the identity.
    mopse.errors.InvalidInputError
        If there is no such provider, portion or epoch.
    mopse.errors.WrongTypeError
        If the party is neither an owner nor a provider.
    """
    keyring = _keyring(party)
    path, named, _ = portion_scope(party, provider, portion, None)
    return _mopse.sharing.re_encryption_key(keyring, path, named, epoch, public)


@checked()
def epochs(party: Any, provider: str) -> list[int]:
    """Return the readers' epochs of a provider, the present one last.

    Parameters
    ----------
    party : Owner or Provider
        As of `wrap`.
    provider : str
        Path of the provider.

    Returns
    -------
    list of int
        Their numbers.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such provider.
    mopse.errors.WrongTypeError
        If the party is neither an owner nor a provider.
    """
    return _mopse.sharing.readers_epochs(_keyring(party), provider)


@checked()
def label_of(envelope: bytes) -> Label:
    """Return what an envelope opens, as who wrapped it has signed.

    Parameters
    ----------
    envelope : bytes
        From `wrap`.

    Returns
    -------
    Label
        Owner, provider, portion and readers' epoch.

    Raises
    ------
    mopse.errors.SignatureError
        If the envelope is forged.
    mopse.errors.ScopeError
        If who wrapped it may not give the records.
    mopse.errors.DamagedFileError
        If it is malformed, or its element is none of its group, or the identity.
    """
    owner, provider, portion, epoch = _mopse.sharing.label(envelope)
    return Label(bytes(owner), provider, portion, epoch)


def _name(user: bytes) -> bytes:
    if len(user) != _NAME_BYTES:
        raise InvalidInputError(
            f"user has {len(user)} bytes, expected {_NAME_BYTES}: give the name of its keys"
        )
    return user


def _keyring(party: Any) -> Any:
    keyring = getattr(party, "_keyring", None)
    if keyring is None:
        raise WrongTypeError(f"party is an owner or a provider, not {type(party).__name__}")
    return keyring
