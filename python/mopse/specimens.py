"""What to measure with: documents and images of exactly the size asked, and made-up passwords."""

import io

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse._checks import integer
from mopse.errors import InvalidInputError

__all__ = ["document", "image", "words"]

_SENTENCES = (
    "The patient {verb} {finding} of the {site} {when}.",
    "{finding} of the {site} was {state} {when}.",
    "No {finding} was seen in the {site}, and the patient {verb} no other complaint.",
    "Blood pressure was {high} over {low} mmHg; the pulse was {pulse} per minute.",
    "We {plan} and will see the patient again {when}.",
)
_WORDS = {
    "verb": ["reports", "denies", "describes", "recalls", "mentions"],
    "finding": ["pain", "swelling", "tenderness", "numbness", "redness", "stiffness", "weakness"],
    "site": ["left knee", "right shoulder", "lower back", "abdomen", "chest", "neck", "left wrist"],
    "when": ["since yesterday", "for two weeks", "in the morning", "after exercise", "at night"],
    "state": ["unchanged", "improved", "worse", "resolved", "mild", "severe"],
    "plan": ["ordered a chest film", "increased the dose", "stopped the drug", "advised rest"],
}

_CONSONANTS, _VOWELS = np.array([*"bdfgklmnprstvz"]), np.array([*"aeiou"])

_LONGEST_COMMENT = 65_533
_WIDEST = 65_500
_MARGIN = 0.97  # of the size asked, left to comments that fill it up


def _check(size: int, least: int) -> int:
    fault = f"{{what}} is {{value}} bytes, expected {least} to 2^30"
    return integer(size, "the size", least, 1 << 30, fault=fault)


@checked()
def document(size_bytes: int, seed: int) -> bytes:
    """Return an English-like medical text of ASCII lines, from templates and random words.

    Parameters
    ----------
    size_bytes : int
        Its exact size, up to 2^30.
    seed : int
        The same seed and size give the same text.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the size is out of bounds.

    Notes
    -----
    A passage of about a million bytes is repeated; ciphers do not notice, compressors do.

    Examples
    --------
    >>> document(19, seed=1)
    b'Numbness of the nec'
    """
    size = _check(size_bytes, 0)
    rng = np.random.default_rng(seed)
    lines: list[str] = []
    written = 0
    while written < min(size, 1 << 20):
        chosen = {key: words[rng.integers(len(words))] for key, words in _WORDS.items()}
        high, low, pulse = rng.integers(100, 180), rng.integers(55, 100), rng.integers(50, 110)
        template = _SENTENCES[rng.integers(len(_SENTENCES))]
        line = template.format(**chosen, high=high, low=low, pulse=pulse)
        lines.append(line[0].upper() + line[1:])
        written += len(lines[-1]) + 1
    passage = "\n".join([*lines, ""]).encode()
    return (passage * (size // max(len(passage), 1) + 1))[:size]


@checked()
def image(size_bytes: int, seed: int) -> bytes:
    """Return an X-ray-like picture as a JPEG file, encoded here.

    It is in greys: a bright shape with ribs on a dark ground, and noise.

    Parameters
    ----------
    size_bytes : int
        Its exact size, 4,096 to 2^30. Comments fill it up where the picture falls short.
    seed : int
        The same seed and size give the same picture with the same version of Pillow.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the size is out of bounds, or Pillow is not installed.

    Notes
    -----
    Encoding takes about ten seconds for 100 MB.
    """
    size = _check(size_bytes, 4096)
    try:
        from PIL import Image
    except ImportError:
        raise InvalidInputError("images need the package Pillow") from None

    def encoded(side: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(_radiograph(side, seed)).save(file, "JPEG", quality=90)
        return file.getvalue()

    side = min(int(size**0.5), _WIDEST)
    picture = encoded(side)
    while not _MARGIN * 0.9 * size < len(picture) <= size - 4:
        side = max(int(side * (_MARGIN * size / len(picture)) ** 0.5), 8)
        picture = encoded(side)
    start, rest = picture[:2], picture[2:]
    return start + _comments(size - len(picture)) + rest


def _radiograph(side: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    across = np.linspace(-1, 1, side, dtype=np.float32)
    pixels = np.empty((side, side), dtype=np.uint8)
    for rows in np.array_split(np.arange(side), -(-side // 256)):  # strips, to spare memory
        down = across[rows, None]
        body = np.exp(-3 * down**2 - 2 * across**2)
        ribs = 0.2 * np.cos(24 * down + 6 * across**2)
        noise = 8 * rng.standard_normal((len(rows), side), dtype=np.float32)
        pixels[rows] = np.clip(30 + 180 * body * (1 + ribs) + noise, 0, 255)
    return pixels


def _comments(size: int) -> bytes:
    """Return JPEG comments (ITU-T T.81 section B.2.4.5) of a total size of 4 bytes or more."""
    segments = []
    while size:
        take = min(size, _LONGEST_COMMENT + 4)
        if 0 < size - take < 4:  # what is left must hold a comment too
            take -= 4
        segments.append(b"\xff\xfe" + (take - 2).to_bytes(2, "big") + bytes(take - 4))
        size -= take
    return b"".join(segments)


@checked(count=(0, 10**6))
def words(count: int, *, seed: int) -> list[str]:
    """Return a word list of made-up passwords: syllables, and two digits behind every third word.

    Parameters
    ----------
    count : int
        How many different words, up to 10^6; the likeliest first, by decree.
    seed : int
        The same seed gives the same words, and a longer list begins with the shorter one.

    Notes
    -----
    No word is anybody's: no list of leaked passwords was looked at. That a word has this rank and
    not another says nothing; what attacks need of a list is that words have ranks. Words are of 4
    to 10 lower-case letters and digits.

    Examples
    --------
    >>> words(3, seed=1)
    ['minisa63', 'bafutiza79', 'gukevili31']
    """
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        # Chunks of one size, so that a list does not depend on how long it gets.
        first, second = (rng.integers(len(of), size=(1024, 4)) for of in (_CONSONANTS, _VOWELS))
        syllables = np.char.add(_CONSONANTS[first], _VOWELS[second])
        lengths, digits = rng.integers(2, 5, size=1024), rng.integers(300, size=1024)
        for of, length, number in zip(syllables, lengths, digits, strict=True):
            tail = f"{number:02}" if number < 100 else ""
            found["".join(of[:length]) + tail] = None
    return list(found)[:count]
