"""Every pair of inverses: whatever the one takes, the other gives back, or the one refuses it."""

import contextlib
import copy
import datetime
import io
import itertools
import json
import pickle
import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from scene import Scene

import mopse
from mopse import (
    Field,
    Schema,
    ciphers,
    files,
    labs,
    messages,
    passwords,
    rsa,
    secret_sharing,
    stores,
)
from mopse.ciphers import legacy
from mopse.errors import InvalidInputError, MopseError
from mopse.sharing import statement

KEY = bytes(range(32))
BYTES = st.binary(max_size=300)
TEXT = st.text(st.characters(), max_size=20)  # also half surrogates, controls, noncharacters
KEYS = st.sampled_from([KEY, bytes(32), b"\xff" * 32, KEY[:31], b"", KEY + b"\0"])


@given(st.binary(max_size=40), st.integers(-1, 6), st.lists(KEYS, max_size=6), st.randoms())
def test_what_is_split_is_joined(secret, threshold, keys, random):
    keys = [bytes([at]) + key[1:] if random.random() < 0.8 else key for at, key in enumerate(keys)]
    try:
        shares = secret_sharing.split(secret, threshold, keys)
    except InvalidInputError:
        return
    held = list(zip(keys, shares, strict=True))
    for chosen in itertools.combinations(held, threshold):
        assert secret_sharing.join(dict(chosen)) == secret
    assert secret_sharing.join(dict(held)) == secret
    for chosen in itertools.combinations(held, threshold - 1):
        with pytest.raises(InvalidInputError):
            secret_sharing.join(dict(chosen))


EVERY_CIPHER = [(ciphers.Cipher, name) for name in ciphers.names()]
EVERY_CIPHER += [(legacy.LegacyCipher, name) for name in legacy.names()]


@pytest.mark.parametrize(("kind", "name"), EVERY_CIPHER, ids=[name for _, name in EVERY_CIPHER])
@settings(max_examples=20)
@given(data=st.data())
def test_what_a_cipher_encrypts_it_decrypts(kind, name, data):
    of = kind._find(name)
    least, most = of.key_bytes
    key = data.draw(st.binary(min_size=max(least - 1, 0), max_size=most + 1))
    plaintext, aad = data.draw(BYTES), data.draw(st.sampled_from([b"", b"record 17"]))
    nonce = data.draw(st.none() | st.binary(min_size=of.nonce_bytes, max_size=of.nonce_bytes))
    try:
        cipher = kind(name, key)
        message = cipher.encrypt(plaintext, aad, nonce=nonce)
    except InvalidInputError:
        return
    assert kind(name, key).decrypt(message, aad) == plaintext
    assert len(message) == cipher.message_bytes(len(plaintext))
    room = bytearray(len(message))
    cipher.encrypt_into(plaintext, room, aad)
    opened = bytearray(len(message))
    assert opened[: cipher.decrypt_into(room, opened, aad)] == plaintext


@given(BYTES, st.sampled_from([*ciphers.names(), *legacy.names(), "", "none"]), BYTES, KEYS)
def test_what_files_encrypts_it_decrypts(content, cipher, aad, key):
    try:
        sealed = files.encrypt(content, key=key, cipher=cipher, aad=aad)
    except InvalidInputError:
        return
    assert files.decrypt(sealed, key=key, aad=aad) == content
    back, there = io.BytesIO(), io.BytesIO(sealed)
    assert files.decrypt(there, back, key=key, aad=aad) == len(content)
    assert back.getvalue() == content


@settings(max_examples=15)
@given(TEXT | st.binary(max_size=9), BYTES, st.sampled_from([*ciphers.names(), *legacy.names()]))
def test_what_is_under_a_password_opens_with_it(password, plaintext, cipher):
    try:
        sealed = passwords.encrypt(password, plaintext, kdf="argon2id", cipher=cipher)
    except InvalidInputError:
        return
    assert passwords.decrypt(password, sealed) == plaintext


@settings(max_examples=5)
@given(TEXT | st.binary(max_size=9))
def test_a_hash_verifies_its_password_and_a_keyring_opens_with_it(password):
    owner = mopse.Owner.generate(Schema(age=Field(0, 99), portions={"a": ["x"]}))
    owner.authorize("ward")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "owner"
        try:
            stored = passwords.hash(password)
            owner.save(path, password)
        except InvalidInputError:
            assert not path.exists()
            return
        passwords.verify(password, stored)
        again = mopse.Owner.open(path, password)
    assert (again.key, again.providers) == (owner.key, owner.providers)
    assert again.schema == owner.schema
    assert again.schema.portions == owner.schema.portions


@given(st.text(max_size=8) | st.binary(max_size=8), BYTES, st.integers(-1, 50))
def test_what_old_passwords_encrypt_they_decrypt(password, plaintext, iterations):
    try:
        sealed = legacy.pbe_encrypt(password, plaintext, iterations)
    except InvalidInputError:
        return
    assert legacy.pbe_decrypt(password, sealed) == plaintext


CHUNK_KEYS = [bytes(range(1, 9)), bytes(range(24)), bytes(16), bytes(32)]


@given(st.binary(max_size=64), st.permutations(CHUNK_KEYS) | st.just(CHUNK_KEYS))
def test_a_credential_that_is_cut_is_joined(credential, keys):
    try:
        chunks = legacy.split_credential(credential, keys)
    except InvalidInputError:
        return
    assert legacy.join_credential(chunks, keys) == credential


PRIVATE = rsa.PrivateKey.generate(2048)


@settings(max_examples=20)
@given(BYTES, BYTES)
def test_what_is_sealed_for_a_key_opens_with_it(plaintext, aad):
    assert rsa.PublicKey.from_pem(PRIVATE.public.to_pem()) == PRIVATE.public
    private = rsa.PrivateKey.from_pem(PRIVATE.to_pem())
    assert private.decrypt(PRIVATE.public.encrypt(plaintext, aad), aad) == plaintext
    with contextlib.suppress(InvalidInputError):
        sealed = legacy.rsa_encrypt_blocks(PRIVATE.public, plaintext)
        assert legacy.rsa_decrypt_blocks(private, sealed) == plaintext


@given(st.integers(0, 2**32 + 1), st.lists(st.integers(-1, 2**32), max_size=5))
def test_what_a_scheme_encrypts_it_decrypts(domain, plaintexts):
    for scheme in (mopse.Opse, mopse.Clww, mopse.LewiWu):
        try:
            one = scheme(KEY, domain)
            ciphertexts = one.encrypt(np.array(plaintexts, np.int64))
        except InvalidInputError:
            continue
        assert one.decrypt(ciphertexts).tolist() == plaintexts
        for plaintext in plaintexts:
            assert one.decrypt(one.encrypt(plaintext)) == plaintext


# Records


SCHEMA = Schema(
    age=Field(0, 99), level=Field.categories(["low", "high"]), portions={"contact": ["x"]}
)
VALUES = st.one_of(
    st.lists(st.none() | st.integers(-(2**70), 2**70), min_size=2, max_size=2),
    st.lists(st.none() | st.floats(), min_size=2, max_size=2),
    st.lists(st.none() | TEXT, min_size=2, max_size=2),
    st.lists(st.none() | st.booleans(), min_size=2, max_size=2),
    st.lists(st.none() | st.datetimes() | st.dates(), min_size=2, max_size=2),
    st.lists(st.none() | st.times() | st.timedeltas(), min_size=2, max_size=2),
    st.lists(st.none() | st.binary(max_size=5), min_size=2, max_size=2),
    st.lists(st.none() | st.decimals(allow_nan=False, places=3), min_size=2, max_size=2),
)


@settings(max_examples=60)
@given(
    st.lists(st.integers(-(2**63), 2**63 - 1) | TEXT, min_size=2, max_size=2),
    st.lists(st.none() | st.integers(-1, 100), min_size=2, max_size=2),
    TEXT,
    VALUES,
)
def test_what_is_uploaded_is_decrypted(ids, ages, name, values):
    scene = Scene(SCHEMA, "a")
    table = {"id": ids, "age": ages, "level": ["low", "high"], name: values}
    try:
        sent = pl.DataFrame(table)
    except (Exception, pl.exceptions.PanicException):
        sent = table
    try:
        upload = scene["a"].encrypt(sent, id="id", accept_leakage=["level"])
    except InvalidInputError:
        return
    scene.cloud.receive(bytes(upload))
    query = scene.owner.lookup(ids, provider="a")
    found = scene.owner.decrypt(scene.cloud.search(query), query)
    assert found.height == 2
    for row in range(2):
        mine = found.filter(pl.col("id") == ids[row])
        assert mine.height == 1
        assert mine["age"].item() == ages[row] or name == "age"
        column = next(c for c in found.columns if c not in ("id", "age", "level", "provider"))
        if isinstance(sent, pl.DataFrame):
            expected = sent[name][row : row + 1].rename(column)
            assert mine[column].cast(expected.dtype).equals(expected, null_equal=True) or (
                expected.dtype.is_float() and np.isnan(expected.item())
            )


ATTACHED = Scene(SCHEMA, "a")
ATTACHED.send("a", {"id": [1], "age": [5], "level": ["low"]})


@given(BYTES, TEXT, TEXT, st.lists(TEXT, max_size=3), st.sampled_from(ciphers.names()))
def test_what_is_attached_is_opened(content, name, media_type, keywords, cipher):
    scene = ATTACHED
    try:
        upload = scene["a"].attach(
            1, content, name=name, media_type=media_type, keywords=keywords, cipher=cipher
        )
    except InvalidInputError:
        return
    assert messages.FileUpload(bytes(upload)) == upload
    scene.cloud.receive(bytes(upload))
    for keyword in keywords:
        request = scene.owner.find(keyword)
        listed = scene.owner.files(scene.cloud.find(request), request)
        assert upload.file in listed["file"].to_list()
    request = scene.owner.fetch(upload.file)
    opened = scene.owner.open_file(scene.cloud.fetch(request), request)
    assert (opened.content, opened.name, opened.media_type) == (content, name, media_type)
    scene.cloud.receive(scene["a"].encrypt({"id": [2], "age": [1], "level": ["low"]}, id="id")) if (
        not len(scene.cloud.search(scene.owner.lookup([2], provider="a")))
    ) else None


# Messages


def every_message() -> dict[str, Any]:
    """Return a message of each kind."""
    scene = Scene(SCHEMA, "a", "b")
    upload = scene.send("a", {"id": [1], "age": [5], "level": ["low"]})
    file = scene["a"].attach(1, b"x", name="n", media_type="m", keywords=["w"])
    scene.cloud.receive(file)
    seal = scene["a"].seal(cloud=scene.cloud)
    scene.cloud.receive(seal)
    query, request = scene.owner.query(age=(0, 9)), scene.owner.find("w")
    fetch, notes = scene.owner.fetch(file.file), scene["a"].request_notes()
    return {
        "Upload": upload,
        "FileUpload": file,
        "Query": query,
        "Seal": seal,
        "Permission": scene.owner.permit_amendments("b", [1], of="a", cloud=scene.cloud),
        "Removal": scene.owner.removal("a"),
        "Statement": statement(scene.owner, "grant", b"a grant"),
        "Answer": scene.cloud.search(query),
        "FileRequest": request,
        "FileListing": scene.cloud.find(request),
        "SealedFile": scene.cloud.fetch(fetch),
        "FileNotes": scene.cloud.notes(notes),
    }


MESSAGES = every_message()


def test_there_is_a_message_of_every_kind():
    kinds = {
        name
        for name in messages.__all__
        if isinstance(getattr(messages, name), type)
        and issubclass(getattr(messages, name), messages.Message)
    }
    assert MESSAGES.keys() == kinds - {"Message"}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_what_travels_of_it(name):
    message = MESSAGES[name]
    kind = type(message)
    again = getattr(kind, "from_bytes", kind)(bytes(message))
    assert again == message
    assert bytes(again) == bytes(message)
    assert repr(again) == repr(message)
    for other in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert other == message


@given(st.integers(-1, 2**128))
def test_the_number_of_a_file_is_written_and_read(number):
    try:
        written = messages.stored_text(number)
    except InvalidInputError:
        assert not 0 <= number < 2**128
        return
    assert messages.stored_number(written) == number


def test_a_part_is_what_it_encodes():
    for part in MESSAGES["Answer"]._parts:
        assert stores.Part.decode(part.encode()).encode() == part.encode()


def test_a_proven_answer_and_a_count_are_what_travels_of_them():
    scene = Scene(Schema(age=Field(0, 9, proof=True)), "a")
    scene.send("a", {"id": [1, 2], "age": [5, 6]})
    scene.cloud.receive(scene["a"].seal())
    query = scene.owner.query(age=(0, 5), proof=True)
    for proven in (scene.cloud.search(query), scene.cloud.count(query, proof=True)):
        again = type(proven).from_bytes(bytes(proven))
        assert (again, bytes(again), repr(again)) == (proven, bytes(proven), repr(proven))
        assert bytes(pickle.loads(pickle.dumps(proven))) == bytes(proven)


# Schemas, specimens, labs

NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.decimals(),
    st.fractions(),
    st.dates(),
)
TYPES = st.sampled_from([pl.Int8, pl.UInt64, pl.Float32, pl.String, pl.Date, pl.Datetime("ns")])


@st.composite
def fields(draw) -> Field | None:
    """Return a field, or None where it cannot be."""
    try:
        if draw(st.booleans()):
            levels = draw(st.lists(TEXT, max_size=4))
            return Field.categories(levels, cell=draw(st.none() | st.integers(0, 5)))
        low = draw(st.integers(-(10**6), 10**6) | st.dates())
        step = draw(st.sampled_from([1, 0.1, Decimal("0.25"), Fraction(1, 3), 7]))
        width = draw(st.integers(0, 2000))
        if isinstance(low, datetime.date):
            return Field(low, low + datetime.timedelta(days=width))
        return Field(low, low + width * Fraction(str(step)), step=step)
    except (InvalidInputError, OverflowError):
        return None


@given(fields(), TEXT, st.dictionaries(TEXT, TYPES, max_size=2), st.lists(TEXT, max_size=2))
def test_a_schema_is_what_it_shows_and_what_it_pickles(field, name, types, columns):
    if field is None:
        return
    try:
        schema = Schema({name: field}, types=types, portions={"part": columns})
    except InvalidInputError:
        return
    names = {
        "Schema": Schema, "Field": Field, "Decimal": Decimal, "Fraction": Fraction,
        "datetime": datetime, "date": datetime.date, "pl": pl,
        **{str(kind): kind for kind in (pl.Int8, pl.UInt64, pl.Float32, pl.String, pl.Date)},
        "Datetime": pl.Datetime,
    }  # fmt: skip
    assert eval(repr(field), names) == field
    for again in (pickle.loads(pickle.dumps(schema)), copy.deepcopy(schema)):
        assert again == schema
        assert again.digest == schema.digest
        assert (again.types, again.portions) == (schema.types, schema.portions)
    owner = mopse.Owner.generate(schema)
    with tempfile.TemporaryDirectory() as folder:
        owner.save(Path(folder) / "k", b"p")
        saved = mopse.Owner.open(Path(folder) / "k", b"p", schema=schema)
    assert saved.schema == schema
    assert (saved.schema.types, saved.schema.portions) == (schema.types, schema.portions)


test_a_schema_is_what_it_shows_and_what_it_pickles = settings(max_examples=15)(
    test_a_schema_is_what_it_shows_and_what_it_pickles
)


@settings(max_examples=10)
@given(st.integers(0, 20_000), st.integers(0, 2**32))
def test_specimens_have_the_size_and_are_of_the_seed(size, seed):
    for make in (mopse.specimens.document, mopse.specimens.image):
        try:
            specimen = make(size, seed)
        except InvalidInputError:
            continue
        assert specimen == make(size, seed)
        assert files.decrypt(files.encrypt(specimen, key=KEY), key=KEY) == specimen


@example("", "\ud800", False)
@example("\ud800", "", True)
@given(TEXT, TEXT, st.booleans())
def test_a_lab_that_is_made_is_a_notebook_again(text, answer, is_list):
    source = f"{text}\n# BEGIN SOLUTION: hint\nx = 1  #{answer}\n# END SOLUTION\n"
    cell = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "source": [source] if is_list else source,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lab.ipynb"
        notebook = {"nbformat": 4, "metadata": {}, "cells": [cell]}
        path.write_text(json.dumps(notebook), "utf-8")
        try:
            made = labs.make([path], Path(folder) / "out")
        except MopseError:
            assert not (Path(folder) / "out").exists()
            return
        student = json.loads(made[path].read_text("utf-8"))
    assert student == labs.student_version(notebook)
