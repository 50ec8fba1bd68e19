"""What it costs to encrypt record files, as published systems do it and as one should."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from mopse import passwords, specimens
from mopse._checked import measured
from mopse._progress import steps
from mopse.ciphers import Cipher, legacy
from mopse.ciphers.legacy import LegacyCipher
from mopse.errors import InvalidInputError
from mopse.evaluate._measure import seconds
from mopse.rsa import PrivateKey

__all__ = ["Contender", "contenders", "files"]


@measured()
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


@measured()
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


@measured()
def files(
    sizes_bytes: Sequence[int],
    entrants: Sequence[Contender],
    *,
    repeats: int = 3,
    patience_s: float = 10.0,
    seed: int = 1,
    progress: bool | None = None,
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
    progress : bool, optional
        Whether to show a progress bar; by default where it takes long, on a terminal.

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
    for repeat, size, entrant in steps(tries, progress):
        if (size, entrant.name) in slow:
            continue
        if len(contents.get("txt", b"")) != size:
            contents = {kind: make(size, seed) for kind, make in made.items()}
        for kind, content in contents.items():
            derivation = 0.0 if entrant.derive is None else seconds(entrant.derive)[0]
            encryption, message = seconds(entrant.encrypt, content)
            decryption, opened = seconds(entrant.decrypt, message)
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
