"""Files to measure with have exactly the size asked and are what they say they are."""

import io

import numpy as np
import pytest
from PIL import Image

from mopse import specimens
from mopse.errors import InvalidInputError, WrongTypeError


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 20, 3_000_001])
def test_a_document_has_the_size_asked_and_is_text(size):
    text = specimens.document(size, seed=1)
    assert len(text) == size
    assert text.decode("ascii").isprintable() or "\n" in text.decode("ascii")


@pytest.mark.parametrize("size", [4096, 10_000, 70_001, 500_000, 1_000_000])
def test_an_image_has_the_size_asked_and_is_a_whole_jpeg(size):
    picture = specimens.image(size, seed=1)
    assert len(picture) == size
    image = Image.open(io.BytesIO(picture))
    assert image.format == "JPEG"
    pixels = np.asarray(image)  # decodes all of it
    assert pixels.std() > 20
    assert pixels.size > size / 3  # the picture is most of the file, not its comments


def test_a_seed_names_a_file():
    assert specimens.document(5000, seed=1) == specimens.document(5000, seed=1)
    assert specimens.document(5000, seed=1) != specimens.document(5000, seed=2)
    assert specimens.image(5000, seed=1) == specimens.image(5000, seed=1)
    assert specimens.image(5000, seed=1) != specimens.image(5000, seed=2)


def test_a_document_reads_like_english():
    words = specimens.document(20_000, seed=3).decode().split()
    assert 3.5 < np.mean([len(word) for word in words]) < 7
    assert {"the", "of", "was"} <= {word.lower() for word in words}


@pytest.mark.parametrize("missing", [4, 5, 65_537, 65_538, 65_541, 65_542, 200_000])
def test_comments_of_any_size_are_made(missing):
    comments = specimens._comments(missing)
    assert len(comments) == missing
    at = 0
    while at < missing:
        assert comments[at : at + 2] == b"\xff\xfe"
        at += 2 + int.from_bytes(comments[at + 2 : at + 4], "big")
    assert at == missing


def test_impossible_sizes_are_refused():
    for size in (-1, (1 << 30) + 1):
        with pytest.raises(InvalidInputError, match="expected 0 to"):
            specimens.document(size, seed=1)
    with pytest.raises(InvalidInputError, match="expected 4096 to 2\\^30"):
        specimens.image(4095, seed=1)
    with pytest.raises(WrongTypeError, match="expected an int"):
        specimens.image(1e6, seed=1)
