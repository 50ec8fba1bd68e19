"""SeSPHR as published: what it gives away, and to whom."""

from collections.abc import Sequence

from mopse import _mopse
from mopse._checked import checked

__all__ = [
    "match_chunks",
    "read_by_norm",
    "read_from_chunk",
    "read_with_escrow",
    "read_with_kept",
    "read_with_reencryption_key",
]


@checked()
def read_with_escrow(ciphertext: bytes, capsule: bytes, secret: bytes) -> bytes:
    """Read a portion as the server of `mopse.sharing.reencryption.published`.

    Parameters
    ----------
    ciphertext : bytes
        As the cloud has it.
    capsule : bytes
        As the server has it.
    secret : bytes
        The owner's secret key, of which the server has a copy.

    Returns
    -------
    bytes
        The portion.

    Raises
    ------
    mopse.errors.DamagedFileError
        If a message is malformed.
    mopse.errors.DecryptionError
        If key, capsule and ciphertext do not belong together.
    mopse.errors.InvalidInputError
        If there is no such key.

    Notes
    -----
    **Adversary**: the server, honest but curious, with what the cloud shows it. **Knowledge**: what
    the scheme gives it, nothing more. **Success**: the portion. **Cost**: a pairing and a power.
    """
    return _mopse.sharing.by_escrow(ciphertext, capsule, secret)


@checked()
def read_with_reencryption_key(
    ciphertext: bytes, capsule: bytes, key: bytes, secret: bytes
) -> bytes:
    """Read any portion of an owner as a user that was shown its re-encryption key.

    Parameters
    ----------
    ciphertext, capsule : bytes
        Of a portion that the user need not be given.
    key : bytes
        From `mopse.sharing.reencryption.published.Server.reencryption_key`.
    secret : bytes
        The user's own secret key.

    Returns
    -------
    bytes
        The portion.

    Raises
    ------
    mopse.errors.DamagedFileError
        If a message is malformed, or the key is in no group.
    mopse.errors.DecryptionError
        If the keys do not belong together, or the capsule not to the ciphertext.
    mopse.errors.InvalidInputError
        If there is no such secret key.

    Notes
    -----
    **Adversary**: a user with access to something, to whom the server "transmits" the key, as the
    paper's text has it, and who sees capsules. **Knowledge**: its own key and that one: RK^(1/x_U)
    is g2^(1/x_P). **Success**: portions beyond the access list. **Cost**: a pairing and a power.
    """
    return _mopse.sharing.by_re_encryption_key(ciphertext, capsule, key, secret)


@checked()
def read_with_kept(ciphertext: bytes, kept: bytes, secret: bytes) -> bytes:
    """Read a portion as a user who left and kept what it was once sent.

    Parameters
    ----------
    ciphertext : bytes
        As the cloud has it.
    kept : bytes
        What `mopse.sharing.reencryption.published.Server.release` returned before it left.
    secret : bytes
        Its secret key, which the server has deleted and it has not.

    Returns
    -------
    bytes
        The portion.

    Raises
    ------
    mopse.errors.DamagedFileError
        If a message is malformed.
    mopse.errors.DecryptionError
        If what was kept is of another portion.
    mopse.errors.InvalidInputError
        If there is no such key.

    Notes
    -----
    **Adversary**: a user who left, who still sees the cloud's ciphertexts. **Knowledge**: what it
    was given while it was there. **Success**: an old file; later ones stay closed. **Cost**: a
    power.
    """
    return _mopse.sharing.by_kept(ciphertext, kept, secret)


@checked(position=(0, 2**32))
def read_from_chunk(ciphertext: bytes, position: int, chunk: bytes) -> bytes:
    """Read a whole portion from one chunk that is known.

    Parameters
    ----------
    ciphertext : bytes
        As the cloud has it.
    position : int
        Which chunk is known, counted from 0.
    chunk : bytes
        It: 64 bytes, fewer for the last one. The head of an XML file, say.

    Returns
    -------
    bytes
        The portion.

    Raises
    ------
    mopse.errors.DamagedFileError
        If the ciphertext is malformed.
    mopse.errors.DecryptionError
        If the chunk there is another.
    mopse.errors.InvalidInputError
        If there are not so many chunks, or it is none.

    Notes
    -----
    **Adversary**: whoever sees the ciphertext, as the cloud. **Knowledge**: one chunk. The paper's
    times allow for one product a chunk, hence one mask for all. **Success**: all others. **Cost**:
    some 5,700 products, and one for each chunk.
    """
    return _mopse.sharing.by_chunk(ciphertext, position, chunk)


@checked()
def match_chunks(ciphertext: bytes, candidates: Sequence[bytes]) -> list[int | None]:
    """Tell which chunks of a portion are in a list, without a key.

    Parameters
    ----------
    ciphertext : bytes
        As the cloud has it.
    candidates : sequence of bytes
        Chunks that there may be, 1 to 64 bytes each.

    Returns
    -------
    list of (int or None)
        For each chunk which candidate it is, counted from 0; None where it is none of them.

    Raises
    ------
    mopse.errors.DamagedFileError
        If the ciphertext is malformed.
    mopse.errors.InvalidInputError
        If a candidate is empty or too long.

    Notes
    -----
    **Adversary**: whoever sees the ciphertext, as the cloud. **Knowledge**: the list. Chunks are
    outside the group of order r and masks in it, so that C^r is PHR^r. **Success**: a match is
    certain. **Cost**: a power for each chunk and each candidate.
    """
    return _mopse.sharing.by_list(ciphertext, candidates)


@checked()
def read_by_norm(ciphertext: bytes) -> bytes:
    """Read a whole portion from its ciphertext alone.

    Parameters
    ----------
    ciphertext : bytes
        As the cloud has it.

    Returns
    -------
    bytes
        The portion.

    Raises
    ------
    mopse.errors.DamagedFileError
        If the ciphertext is malformed.
    mopse.errors.DecryptionError
        If a chunk is none.

    Notes
    -----
    **Adversary**: whoever sees the ciphertext, as the cloud. **Knowledge**: none. A mask has norm
    1, so the norm of C is that of the chunk, which is its square, as chunks lie in a subfield here.
    **Success**: everything. **Cost**: two products a chunk. The paper does not print its encoding;
    64 bytes fill one of the two coefficients of its field, and then the same holds there. Whatever
    the encoding is, a mask has fewer bits than a chunk, so that C^r always fixes the chunk.
    """
    return _mopse.sharing.by_norm(ciphertext)
