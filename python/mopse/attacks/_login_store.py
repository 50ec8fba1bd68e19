"""Log-ins as different systems keep them. It holds keys, where there are some; attacks do not."""

import hmac
import secrets
from collections.abc import Sequence
from typing import Never

from mopse import passwords as hashing
from mopse._checked import checked
from mopse._checks import key_bytes, password_bytes
from mopse.attacks._logins import SALT_BYTES, Form, StolenLogins, md5, parts_of, salted
from mopse.ciphers import legacy
from mopse.errors import InvalidInputError, WrongPasswordError, WrongTypeError

__all__ = ["LoginStore"]

_KEY_BYTES = {"des-cbc": 8, "3des-cbc": 24, "blowfish-cbc": 16, "aes-256-cbc": 32}


class LoginStore:
    """A server's log-ins in one form. For evaluation only: use `mopse.passwords.hash`.

    Parameters
    ----------
    form : str
        One of `LOGIN_FORMS`.
    master_key : bytes, optional
        32 bytes, of ``published-chunks`` alone; random by default. Secret.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such form, it has no master key, or the key has another length.

    Notes
    -----
    What is kept of a password, in hexadecimal with ``$`` between:

    ``published-chunks``
        Four chunks, see `mopse.ciphers.legacy.split_credential`, of 4 bytes or more. The published
        idea does not say where keys come from. Here the key of a cipher is the beginning of
        HMAC-SHA-256 of its name under the master key, the same for all users, and the store has to
        have the master key at every log-in.
    ``published-md5``
        MD5 of the password (RFC 1321). Equal passwords show.
    ``published-salted-sha256``
        16 random bytes, and SHA-256 of these and the password.
    ``pbkdf2-sha256``
        16 random bytes, and the key of `mopse.passwords.derive`.
    ``argon2id``
        The text of `mopse.passwords.hash`.

    OPAQUE (RFC 9807) is not here. Its server keeps, of each user, an envelope that opens under what
    the password and a key of the server make together by an oblivious pseudorandom function. Who
    steals the envelopes without that key can try nothing off-line. Who steals it too pays an
    evaluation of the function and one of the stretching (Argon2id, say) for each guess and user, as
    with a salt. And no server sees a password at log-in, as in all forms above. The crate
    ``opaque-ke`` is stable since 4.0, was audited in June 2021 as of 0.5, and builds beside ours.
    It stays out since 4.0.1 adds 19 crates, 16 of them older versions of what is here, such as
    ``curve25519-dalek`` 4, ``elliptic-curve`` 0.13, ``argon2`` 0.5, and ``rand`` 0.8 in its calls:
    a second copy of the arithmetic that has to be trusted.

    Examples
    --------
    >>> store = LoginStore("argon2id")
    >>> store.enroll("ann", "correct horse")
    >>> store.verify("ann", "correct horse")
    """

    @checked()
    def __init__(self, form: Form, *, master_key: bytes | None = None) -> None:
        if master_key is not None and form != "published-chunks":
            raise InvalidInputError(f"{form} has no master key")
        self.form = form
        self._stored: dict[str, str] = {}
        self._keys: dict[str, bytes] = {}
        if form == "published-chunks":
            master = secrets.token_bytes(32) if master_key is None else key_bytes(master_key)
            if len(master) != 32:
                raise InvalidInputError(f"the master key has {len(master)} bytes, expected 32")
            self._keys = {
                name: hmac.digest(master, name.encode(), "sha256")[:length]
                for name, length in _KEY_BYTES.items()
            }

    def __len__(self) -> int:
        return len(self._stored)

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: make it again of the same keys")

    def __repr__(self) -> str:
        return f"LoginStore({self.form!r}, users={len(self)})"

    @checked()
    def enroll(self, user: str, password: str | bytes) -> None:
        """Keep a new user's password.

        Parameters
        ----------
        user : str
            Name, which nobody else has.
        password : str or bytes
            A string counts as in `mopse.passwords`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the user is there already, the password is empty or holds a character that none does,
            or there are fewer bytes than chunks.
        """
        if user in self._stored:
            raise InvalidInputError("there is a log-in of this user already")
        secret = password_bytes(password)
        if not secret:
            raise InvalidInputError("the password is empty")
        self._stored[user] = self._kept(secret)

    def _kept(self, password: bytes) -> str:
        if self.form == "argon2id":
            return hashing.hash(password)
        if self.form == "published-md5":
            return md5(password)
        if self.form == "published-chunks":
            chunks = legacy.split_credential(password, list(self._keys.values()))
            return "$".join(chunk.hex() for chunk in chunks)
        salt = secrets.token_bytes(SALT_BYTES)
        return f"{salt.hex()}${salted(self.form, password, salt).hex()}"

    @checked()
    def verify(self, user: str, password: str | bytes) -> None:
        """Raise an exception unless a password is a user's.

        Parameters
        ----------
        user : str
            Name.
        password : str or bytes
            As for `enroll`.

        Raises
        ------
        mopse.errors.WrongPasswordError
            If it is another, or there is no such user.
        """
        kept, secret = self._stored.get(user), password_bytes(password)
        if kept is None or not secret:
            raise WrongPasswordError("the password is wrong")
        if self.form == "argon2id":
            return hashing.verify(secret, kept)
        if self.form == "published-md5":
            is_right = hmac.compare_digest(md5(secret), kept)
        elif self.form == "published-chunks":
            is_right = hmac.compare_digest(self._opened(kept), secret)
        else:
            salt, digest = parts_of(kept, 2, 0)
            is_right = hmac.compare_digest(salted(self.form, secret, salt), digest)
        if not is_right:
            raise WrongPasswordError("the password is wrong")
        return None

    def _opened(self, kept: str) -> bytes:
        chunks = parts_of(kept, len(self._keys), 0)
        return legacy.join_credential(chunks, list(self._keys.values()))

    @checked()
    def steal(self, keys: Sequence[str] = ()) -> StolenLogins:
        """Return what a thief of the store has.

        Parameters
        ----------
        keys : sequence of str
            The ciphers of chunks whose keys the thief has too: all of
            `mopse.ciphers.legacy.CHUNK_CIPHERS` where the master key lies beside the store, one
            whose key was found by trying all, none where the keys are elsewhere.

        Returns
        -------
        StolenLogins
            A copy, which later log-ins do not change.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the form has no such key.
        """
        unknown = [name for name in keys if name not in self._keys]
        if unknown:
            raise InvalidInputError(f"{self.form} has no key of {unknown[0]!r}")
        users, stored = list(self._stored), list(self._stored.values())
        return StolenLogins(self.form, users, stored, {name: self._keys[name] for name in keys})
