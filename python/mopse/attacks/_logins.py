"""Off-line guessing: what a stolen log-in store and a word list give away."""

import hashlib
import hmac
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mopse import passwords as hashing
from mopse._checked import checked
from mopse._checks import password_bytes
from mopse.ciphers import Cipher, legacy
from mopse.errors import DamagedFileError, InvalidInputError, WrongPasswordError

__all__ = [
    "LOGIN_FORMS",
    "LoginGuess",
    "StolenLogins",
    "fallen",
    "guess_logins",
    "md5",
    "parts_of",
    "salted",
]

Form = Literal[
    "published-chunks", "published-md5", "published-salted-sha256", "pbkdf2-sha256", "argon2id"
]

LOGIN_FORMS: tuple[Form, ...] = get_args(Form)
"""How log-ins are kept. What begins with ``published`` is what systems print, and falls."""

SALT_BYTES = 16


@checked()
@dataclass(frozen=True, eq=False)
class StolenLogins:
    """A copy of a log-in store, and what else the thief has.

    Parameters
    ----------
    form : str
        One of `LOGIN_FORMS`, which a thief sees.
    users : sequence of str
        Their names.
    stored : sequence of str
        What is kept of each password.
    keys : mapping from str to bytes, optional
        Keys of ``published-chunks`` by the names of their ciphers: those that lay beside the store,
        or that were found. A cipher whose key the thief has not is not in it.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not as many users as stored values, or keys that the form has not.
    """

    form: Form
    users: Sequence[str]
    stored: Sequence[str]
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if len(self.users) != len(self.stored):
            raise InvalidInputError(f"{len(self.users)} users of {len(self.stored)} log-ins")
        known = legacy.CHUNK_CIPHERS if self.form == "published-chunks" else ()
        for name in self.keys:
            if name not in known:
                raise InvalidInputError(f"{self.form} keeps nothing under a key of {name!r}")

    def __len__(self) -> int:
        return len(self.stored)


@checked()
@dataclass(frozen=True, eq=False)
class LoginGuess:
    """What an attack says of each log-in of a store.

    Parameters
    ----------
    passwords : sequence of (bytes or None)
        As bytes, None where nothing is guessed.
    certain : (n,) bool array
        Where the store itself shows that the guess is right; the others are only likely.
    tries : int
        How many passwords were hashed, for all log-ins together. Look-ups in a table and
        decryption with a known key are none.
    """

    passwords: Sequence[bytes | None] = field(repr=False)
    certain: NDArray[np.bool_]
    tries: int


@checked()
def guess_logins(stolen: StolenLogins, words: Sequence[Any]) -> LoginGuess:
    """Try a word list on a stolen log-in store.

    Parameters
    ----------
    stolen : StolenLogins
        The store.
    words : sequence of str or bytes
        Passwords, the likeliest first. Strings count as in `mopse.passwords`.

    Returns
    -------
    LoginGuess
        One password per log-in.

    Raises
    ------
    mopse.errors.DamagedFileError
        If what is kept of a password is malformed.
    mopse.errors.DecryptionError
        If a key is not that of the chunks.
    mopse.errors.InvalidInputError
        If a word is empty or no password.

    Notes
    -----
    **Adversary**: a thief with a copy of the store, who asks no server anything. **Knowledge**: the
    store, the word list in its order, and `StolenLogins.keys`. **Success**: `fallen`. **Cost**: of
    ``published-md5`` one hash a word for all log-ins together, by one table; of forms with a salt
    one a word and log-in, up to the word that fits, at the price of their function. Of
    ``published-chunks`` no hash: with all keys passwords are decrypted, in the list or not; without
    one nothing can be tried, as nothing shows whether a word is right; with some, each log-in's
    guess is the first word that has these chunks, and it is no certainty.

    Examples
    --------
    >>> from mopse.attacks import LoginStore
    >>> store = LoginStore("published-md5")
    >>> store.enroll("ann", "swordfish")
    >>> guess_logins(store.steal(), ["password", "swordfish"]).passwords
    [b'swordfish']
    """
    # A list of bytes costs nothing here, so that what is timed is hashing.
    tried = [word if type(word) is bytes else password_bytes(word) for word in words]
    if not all(tried):
        raise InvalidInputError(f"word {tried.index(b'')} of the list is empty")
    if stolen.form == "published-chunks":
        return _by_chunks(stolen, tried)
    if stolen.form == "published-md5":
        return _by_table(stolen, tried)
    found: list[bytes | None] = []
    tries = 0
    for place, kept in enumerate(stolen.stored):
        fits = _test_of(stolen.form, kept, place)
        at = next((rank for rank, word in enumerate(tried) if fits(word)), None)
        tries += len(tried) if at is None else at + 1
        found.append(None if at is None else tried[at])
    return _certain(found, tries)


def _certain(found: list[bytes | None], tries: int) -> LoginGuess:
    return LoginGuess(found, np.array([one is not None for one in found], np.bool_), tries)


def _by_table(stolen: StolenLogins, words: Sequence[bytes]) -> LoginGuess:
    table = {md5(word): word for word in words}
    return _certain([table.get(kept) for kept in stolen.stored], len(words))


def _test_of(form: Form, kept: str, place: int) -> Callable[[bytes], bool]:
    """Return what says whether a word is the password of a log-in."""
    if form == "argon2id":

        def verified(word: bytes) -> bool:
            try:
                hashing.verify(word, kept)
            except WrongPasswordError:
                return False
            return True

        return verified
    salt, digest = parts_of(kept, 2, place)
    return lambda word: salted(form, word, salt) == digest


def _by_chunks(stolen: StolenLogins, words: Sequence[bytes]) -> LoginGuess:
    ciphers = legacy.CHUNK_CIPHERS
    known = [at for at, name in enumerate(ciphers) if name in stolen.keys]
    if not known:
        return _certain([None] * len(stolen), 0)
    first: dict[tuple[bytes, ...], bytes] = {}
    for word in words:
        cut = _chunks_of(word)
        first.setdefault(tuple(cut[at] for at in known), word)
    openers = [(at, _cipher(ciphers[at], stolen.keys[ciphers[at]])) for at in known]
    is_whole = len(known) == len(ciphers)
    found: list[bytes | None] = []
    for place, kept in enumerate(stolen.stored):
        chunks = parts_of(kept, len(ciphers), place)
        opened = tuple(cipher.decrypt(chunks[at]) for at, cipher in openers)
        found.append(b"".join(opened) if is_whole else first.get(opened))
    return LoginGuess(found, np.full(len(found), is_whole), 0)


def _cipher(name: str, key: bytes) -> Cipher | legacy.LegacyCipher:
    return (legacy.LegacyCipher if name in legacy.names() else Cipher)(name, key)


def _chunks_of(password: bytes) -> list[bytes]:
    """Return a password cut as `mopse.ciphers.legacy.split_credential` cuts it."""
    count = len(legacy.CHUNK_CIPHERS)
    ends = [len(password) * at // count for at in range(count + 1)]
    return [password[a:b] for a, b in itertools.pairwise(ends)]


def md5(password: bytes) -> str:
    """Return what is kept of a password as MD5 alone."""
    return hashlib.md5(password, usedforsecurity=False).hexdigest()


def salted(form: Form, password: bytes, salt: bytes) -> bytes:
    """Return the digest of a password with its salt."""
    if form == "published-salted-sha256":
        return hashlib.sha256(salt + password).digest()
    return hashing.derive(password, salt, kdf="pbkdf2-sha256")


def parts_of(kept: str, count: int, place: int) -> list[bytes]:
    """Return the parts of what is kept of a password, which are hexadecimal."""
    try:
        parts = [bytes.fromhex(part) for part in kept.split("$")]
    except ValueError:
        parts = []
    if len(parts) != count:
        raise DamagedFileError(f"what is kept of log-in {place} is malformed")
    return parts


@checked()
def fallen(guess: LoginGuess, truth: Sequence[str | bytes]) -> NDArray[np.bool_]:
    """Return which log-ins fell: those whose guess is the password.

    Parameters
    ----------
    guess : LoginGuess
        From `guess_logins`.
    truth : sequence of str or bytes
        The passwords, in the order of the log-ins.

    Returns
    -------
    (n,) bool array
        A guess that is none, or another, is wrong.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not as many passwords as guesses.
    """
    if len(truth) != len(guess.passwords):
        raise InvalidInputError(f"{len(guess.passwords)} guesses of {len(truth)} log-ins")
    pairs = zip(guess.passwords, truth, strict=True)
    return np.array(
        [g is not None and hmac.compare_digest(g, password_bytes(t)) for g, t in pairs], np.bool_
    )
