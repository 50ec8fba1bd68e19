"""Share a secret among holders, so that some of them together have it and fewer have nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from mopse import _mopse
from mopse._checks import bytes_of, integer, items, key_bytes, mapping

__all__ = ["join", "split"]


def split(secret: Any, threshold: int, keys: Sequence[bytes]) -> list[bytes]:
    """Return one sealed share of a secret for every holder, in the order of their keys.

    Parameters
    ----------
    secret : bytes-like
        1 to 2^20 bytes, as a credential or a key. A share shows how many.
    threshold : int
        How many shares give it back, 2 to the number of holders.
    keys : sequence of bytes
        The key of each holder, 32 uniformly random bytes each. Secret.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not 2 to 255 holders, the threshold is none, the secret or a key has another
        length, or two holders have one key: their shares could not be joined.

    Notes
    -----
    Shamir's scheme [1]_ over GF(2^8): fewer shares than the threshold do not depend on the secret.
    Every share is then sealed under its holder's key, with another authenticated cipher from one
    holder to the next. So whoever steals shares needs `threshold` of them and their keys, and one
    broken cipher opens none of the others.

    References
    ----------
    .. [1] A. Shamir, "How to Share a Secret", Communications of the ACM 22 (1979).

    Examples
    --------
    >>> import secrets
    >>> keys = [secrets.token_bytes(32) for _ in range(3)]
    >>> shares = split(b"correct horse battery staple", 2, keys)
    >>> join({keys[0]: shares[0], keys[2]: shares[2]})
    b'correct horse battery staple'
    """
    fault = "{what} is {value}, expected 2 or more"
    needed = integer(threshold, "the threshold", 0, fault=fault)
    holders = [key_bytes(key) for key in items(keys, "the keys", "list of bytes")]
    return _mopse.cipher.split_secret(bytes_of(secret, "the secret"), needed, holders)


def join(shares: Mapping[bytes, bytes]) -> bytes:
    """Return the secret of enough shares, a mapping from every holder's key to its share.

    Raises
    ------
    mopse.errors.DecryptionError
        If a share was changed, is of another holder or another secret; the message says which.
    mopse.errors.DamagedFileError
        If a share is malformed.
    mopse.errors.InvalidInputError
        If there are not enough shares, or a key has another length.
    """
    given = mapping(shares, "shares")
    sealed = [bytes_of(share, "a share") for share in given.values()]
    return _mopse.cipher.join_secret(sealed, [key_bytes(key) for key in given])
