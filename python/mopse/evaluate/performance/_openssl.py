"""Ciphers beside OpenSSL's."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from mopse._checked import measured
from mopse._progress import steps
from mopse.ciphers import Cipher, legacy
from mopse.ciphers.legacy import LegacyCipher
from mopse.errors import InvalidInputError
from mopse.evaluate._measure import seconds

__all__ = ["beside_openssl"]


@measured()
def beside_openssl(
    sizes_bytes: Sequence[int], *, repeats: int = 9, seed: int = 1, progress: bool | None = None
) -> pl.DataFrame:
    """Time ciphers beside OpenSSL's, on one core and on all, in turns.

    Parameters
    ----------
    sizes_bytes : sequence of int
        Sizes of the messages, which are random bytes.
    progress : bool, optional
        Whether to show a progress bar; by default where it takes long, on a terminal.

    Returns
    -------
    polars.DataFrame
        One row per measurement: ``cipher``, ``engine`` (OpenSSL, mopse on one core, mopse on all),
        ``buffer`` (new, or the caller's), ``size_bytes``, ``direction``, ``repeat``, ``time_s``,
        ``seed``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the package cryptography is not installed, or the engines disagree.

    Notes
    -----
    ``new`` is from bytes to new bytes, as one calls it; ``caller's`` writes into a buffer that is
    there, which leaves out what the system takes to hand out memory. Ciphers that OpenSSL does not
    offer in that form have no such rows. A legacy cipher is timed up to 2^20 bytes.
    """
    try:
        peers = _openssl()
    except ImportError:
        raise InvalidInputError("the comparison needs the package cryptography") from None
    rows: list[dict[str, Any]] = []
    tries = [(size, repeat) for size in sizes_bytes for repeat in range(repeats)]
    for size, repeat in steps(tries, progress):
        text = np.random.default_rng(seed).bytes(size)
        for name, peer in peers.items():
            if peer.is_legacy and size > 1 << 20:
                continue
            for buffer, engine, direction, took in peer.measure(text):
                rows.append(
                    {
                        "cipher": name,
                        "engine": engine,
                        "buffer": buffer,
                        "size_bytes": size,
                        "direction": direction,
                        "repeat": repeat,
                        "time_s": took,
                        "seed": seed,
                    }
                )
    return pl.DataFrame(rows)


@dataclass(frozen=True)
class _Peer:
    """One cipher of ours and of OpenSSL's under one key."""

    ours: Mapping[str, Cipher]
    encrypt: Callable[[bytes, bytes], bytes]
    decrypt: Callable[[bytes, bytes], bytes]
    encrypt_into: Callable[[bytes, bytes, bytearray], object] | None = None
    is_legacy: bool = False

    def measure(self, text: bytes) -> Iterator[tuple[str, str, str, float]]:
        """Yield buffer, engine, direction and seconds of every engine, in turns."""
        nonce_bytes = next(iter(self.ours.values())).algorithm.nonce_bytes
        nonce = secrets.token_bytes(nonce_bytes)
        took, sealed = seconds(self.encrypt, nonce, text)
        yield "new", "OpenSSL", "encrypt", took
        took, opened = seconds(self.decrypt, nonce, sealed)
        yield "new", "OpenSSL", "decrypt", took
        for engine, cipher in self.ours.items():
            took, message = seconds(cipher.encrypt, text)
            yield "new", engine, "encrypt", took
            took, ours = seconds(cipher.decrypt, nonce + sealed)
            yield "new", engine, "decrypt", took
            if (
                not ours
                == opened
                == text
                == self.decrypt(message[:nonce_bytes], message[nonce_bytes:])
            ):
                raise InvalidInputError("the engines disagree")
        if self.encrypt_into is not None:
            buffer = bytearray(len(sealed))
            yield (
                "caller's",
                "OpenSSL",
                "encrypt",
                seconds(self.encrypt_into, nonce, text, buffer)[0],
            )
            buffer = bytearray(nonce_bytes + len(sealed))
            for engine, cipher in self.ours.items():
                yield "caller's", engine, "encrypt", seconds(cipher.encrypt_into, text, buffer)[0]


def _openssl() -> dict[str, _Peer]:
    from cryptography.hazmat.decrepit.ciphers import algorithms
    from cryptography.hazmat.primitives.ciphers import aead

    return {
        "aes-256-gcm": _aead_peer("aes-256-gcm", aead.AESGCM),
        "chacha20-poly1305": _aead_peer("chacha20-poly1305", aead.ChaCha20Poly1305),
        "aes-256-gcm-siv": _aead_peer("aes-256-gcm-siv", aead.AESGCMSIV),
        "3des-cbc": _cbc_peer("3des-cbc", algorithms.TripleDES),
        "blowfish-cbc": _cbc_peer("blowfish-cbc", algorithms.Blowfish),
    }


def _aead_peer(name: str, make: Callable[[bytes], Any]) -> _Peer:
    key = secrets.token_bytes(32)
    theirs = make(key)
    return _Peer(
        {"mopse, one core": Cipher(name, key, cores=1), "mopse, all cores": Cipher(name, key)},
        lambda nonce, text: theirs.encrypt(nonce, text, None),
        lambda nonce, sealed: theirs.decrypt(nonce, sealed, None),
        lambda nonce, text, buffer: theirs.encrypt_into(nonce, text, None, buffer),
    )


def _cbc_peer(name: str, make: Callable[[bytes], Any]) -> _Peer:
    from cryptography.hazmat.primitives.ciphers import Cipher as OpenSSL
    from cryptography.hazmat.primitives.ciphers import modes
    from cryptography.hazmat.primitives.padding import PKCS7

    key = legacy.generate_key(name)
    block = make(key)

    def encrypt(nonce: bytes, text: bytes) -> bytes:
        padder, mode = PKCS7(64).padder(), OpenSSL(block, modes.CBC(nonce)).encryptor()
        return mode.update(padder.update(text) + padder.finalize()) + mode.finalize()

    def decrypt(nonce: bytes, sealed: bytes) -> bytes:
        padder, mode = PKCS7(64).unpadder(), OpenSSL(block, modes.CBC(nonce)).decryptor()
        return padder.update(mode.update(sealed) + mode.finalize()) + padder.finalize()

    ours = {"mopse, one core": LegacyCipher(name, key, cores=1)}
    return _Peer(ours, encrypt, decrypt, is_legacy=True)
