"""What it costs to encrypt record files."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from mopse import passwords, specimens
from mopse.ciphers import Cipher, legacy
from mopse.ciphers.legacy import LegacyCipher
from mopse.errors import InvalidInputError
from mopse.rsa import PrivateKey

__all__ = ["Contender", "beside_openssl", "contenders", "copying", "files"]


@dataclass(frozen=True)
class Contender:
    """A way to encrypt a file that is compared with others.

    Attributes
    ----------
    name : str
        What the table calls it.
    encrypt : callable
        From the file's bytes to the message.
    decrypt : callable
        From the message to the file's bytes.
    derive : callable or None
        What turns a password into the key, timed apart; None where there is no password.
    most_bytes : int or None
        The largest file it is tried on; None for all.
    """

    name: str
    encrypt: Callable[[bytes], Any]
    decrypt: Callable[[Any], Any]
    derive: Callable[[], object] | None = None
    most_bytes: int | None = None


def contenders(rsa_most_bytes: int = 10_000_000, rsa_bits: int = 2048) -> list[Contender]:
    """Return what published systems encrypt record files with, and what one should use.

    Parameters
    ----------
    rsa_most_bytes : int
        The largest file that RSA encrypts block by block.
    rsa_bits : int
        Bits of the RSA key.

    Returns
    -------
    list of Contender
        The control, a plain copy, first. All keys are random; making the RSA key is not timed.

    Notes
    -----
    DES-PBE derives its key as Java's PBEWithMD5AndDES does, AES-PBE with PBKDF2-HMAC-SHA-256 and
    600,000 iterations. Blowfish has a key of 128 bits.
    """
    password, salt = "correct horse battery staple", secrets.token_bytes(16)
    des_key, _ = legacy.pbe_derive(password, salt[:8])
    aes = Cipher("aes-256-cbc", passwords.derive(password, salt, kdf="pbkdf2-sha256"))
    private = PrivateKey.generate(rsa_bits)
    made = [Contender("plain copy", bytearray, bytearray)]
    for name, cipher in {
        "3DES": LegacyCipher("3des-cbc", legacy.generate_key("3des-cbc")),
        "Blowfish": LegacyCipher("blowfish-cbc", secrets.token_bytes(16)),
        "AES-CBC, software": LegacyCipher("aes-256-cbc-software", secrets.token_bytes(32)),
        "AES-GCM": Cipher("aes-256-gcm", secrets.token_bytes(32)),
        "ChaCha20-Poly1305": Cipher("chacha20-poly1305", secrets.token_bytes(32)),
    }.items():
        made.append(Contender(name, cipher.encrypt, cipher.decrypt))
    des = LegacyCipher("des-cbc", des_key)
    made += [
        Contender(
            "DES-PBE", des.encrypt, des.decrypt, lambda: legacy.pbe_derive(password, salt[:8])
        ),
        Contender(
            "AES-PBE",
            aes.encrypt,
            aes.decrypt,
            lambda: passwords.derive(password, salt, kdf="pbkdf2-sha256"),
        ),
        Contender(
            "RSA, block by block",
            lambda plaintext: legacy.rsa_encrypt_blocks(private.public, plaintext),
            lambda message: legacy.rsa_decrypt_blocks(private, message),
            most_bytes=rsa_most_bytes,
        ),
        Contender("RSA hybrid", private.public.encrypt, private.decrypt),
    ]
    return made


def files(
    sizes_bytes: Sequence[int],
    entrants: Sequence[Contender],
    *,
    repeats: int = 3,
    patience_s: float = 10.0,
    seed: int = 1,
    progress: bool = False,
) -> pl.DataFrame:
    """Time encryption and decryption of text and image files.

    Parameters
    ----------
    sizes_bytes : sequence of int
        Sizes of the files; a document and an image of exactly each size are made.
    entrants : sequence of Contender
        As from `contenders`.
    repeats : int
        How often everything is timed, in turns.
    patience_s : float
        What takes longer than this, one way, is not repeated.
    seed : int
        Of the files.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    polars.DataFrame
        One row per measurement: ``contender``, ``file`` (txt or jpeg), ``size_bytes``,
        ``direction``, ``repeat``, ``time_s``, ``derivation_s``, ``message_bytes``, ``seed``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If what was decrypted is not the file.

    Notes
    -----
    ``time_s`` is from bytes in memory to new bytes in memory, allocation included; no file is read
    or written. ``derivation_s`` is the password's, which is not part of it. Every contender is
    warmed up on a small message. Text and image follow each other, and all contenders take turns
    within a repeat, so that a busy machine slows all.
    """
    made = {"txt": specimens.document, "jpeg": specimens.image}
    tries = [
        (repeat, size, entrant)
        for size in sizes_bytes
        for repeat in range(repeats)
        for entrant in entrants
        if entrant.most_bytes is None or size <= entrant.most_bytes
    ]
    for entrant in entrants:
        entrant.decrypt(entrant.encrypt(bytes(1000)))
    rows = []
    slow: set[tuple[int, str]] = set()
    contents: dict[str, bytes] = {}
    for repeat, size, entrant in tqdm(tries, disable=not progress):
        if (size, entrant.name) in slow:
            continue
        if len(contents.get("txt", b"")) != size:
            contents = {kind: make(size, seed) for kind, make in made.items()}
        for kind, content in contents.items():
            derivation = 0.0 if entrant.derive is None else _seconds(entrant.derive)[0]
            encryption, message = _seconds(entrant.encrypt, content)
            decryption, opened = _seconds(entrant.decrypt, message)
            if max(encryption, decryption) > patience_s:
                slow.add((size, entrant.name))
            if opened != content:
                raise InvalidInputError(f"{entrant.name} does not give the file back")
            for direction, took in (("encrypt", encryption), ("decrypt", decryption)):
                rows.append(
                    {
                        "contender": entrant.name,
                        "file": kind,
                        "size_bytes": size,
                        "direction": direction,
                        "repeat": repeat,
                        "time_s": took,
                        "derivation_s": derivation,
                        "message_bytes": len(message),
                        "seed": seed,
                    }
                )
    return pl.DataFrame(rows)


def beside_openssl(
    sizes_bytes: Sequence[int], *, repeats: int = 9, seed: int = 1, progress: bool = False
) -> pl.DataFrame:
    """Time ciphers beside OpenSSL's, on one core and on all, in turns.

    Parameters
    ----------
    sizes_bytes : sequence of int
        Sizes of the messages, which are random bytes.
    repeats : int
        How often everything is timed.
    seed : int
        Of the messages.
    progress : bool
        Whether to show a progress bar.

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
    for size, repeat in tqdm(tries, disable=not progress):
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


def copying(size_bytes: int = 1 << 28, repeats: int = 9) -> pl.DataFrame:
    """Time copying within memory, the ceiling of any cipher.

    Parameters
    ----------
    size_bytes : int
        How much is copied.
    repeats : int
        How often.

    Returns
    -------
    polars.DataFrame
        ``size_bytes``, ``repeat``, ``time_s``; as many bytes are read as written.

    Notes
    -----
    From one array to another that exists, with NumPy, on one core.
    """
    # Ones, so that both are really there before the clock starts.
    source, target = np.ones(size_bytes, np.uint8), np.ones(size_bytes, np.uint8)
    took = [_seconds(np.copyto, target, source)[0] for _ in range(repeats)]
    return pl.DataFrame({"repeat": range(repeats), "time_s": took}).with_columns(
        pl.lit(size_bytes).alias("size_bytes")
    )


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
        took, sealed = _seconds(self.encrypt, nonce, text)
        yield "new", "OpenSSL", "encrypt", took
        took, opened = _seconds(self.decrypt, nonce, sealed)
        yield "new", "OpenSSL", "decrypt", took
        for engine, cipher in self.ours.items():
            took, message = _seconds(cipher.encrypt, text)
            yield "new", engine, "encrypt", took
            took, ours = _seconds(cipher.decrypt, nonce + sealed)
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
                _seconds(self.encrypt_into, nonce, text, buffer)[0],
            )
            buffer = bytearray(nonce_bytes + len(sealed))
            for engine, cipher in self.ours.items():
                yield "caller's", engine, "encrypt", _seconds(cipher.encrypt_into, text, buffer)[0]


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


def _seconds(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    answer = function(*arguments)
    return time.perf_counter() - start, answer
