"""What is shown of an object: never a key, a seed or a bound in the clear; and HTML is escaped."""

import copy
import hashlib
import html.parser
import pickle

import polars as pl
import pytest
import reference
import reference_messages
from scene import Scene

from mopse import (
    Answer,
    Cloud,
    Clww,
    Field,
    LewiWu,
    Opse,
    Owner,
    Provider,
    Query,
    Schema,
    Upload,
    User,
)
from mopse.errors import MopseError

SEED = 271_828_182
LOW, HIGH = 314_159, 577_215
"""Bounds that occur by chance in no size, count or hash that is shown."""

MARKUP = "<script>alert('&\"')</script>".replace("/", "")


class World(Scene):
    """One of everything, with names that are markup."""

    def __init__(self) -> None:
        schema = Schema(**{MARKUP: Field(0, 999_999), "level": Field.categories([MARKUP, "high"])})
        super().__init__(schema, MARKUP, f"{MARKUP}/ward & <b>", seed=SEED)
        self.provider, self.ward = self.providers.values()
        table = pl.DataFrame({"id": ["<i>"], MARKUP: [LOW], "level": [MARKUP]})
        self.upload = self.send(self.provider.path, table)
        self.send(self.ward.path, table)
        self.query = self.owner.query({MARKUP: (LOW, HIGH)}, level=MARKUP)
        self.answer = self.cloud.search(self.query)
        self.owner.decrypt(self.answer, self.query)
        self.grant = self.owner.grant(MARKUP)
        self.user = User(self.schema, [self.grant])
        root = hashlib.sha256(b"mopse insecure seed %d" % SEED).digest()
        self.opse = Opse(root, domain=10)
        self.clww = Clww(root, domain=10)
        self.lewi_wu = LewiWu(root, domain=10)
        of_provider = reference.child(root, "node", MARKUP.encode())
        readers = reference_messages.readers_key(of_provider)
        rest = reference_messages.portion_key(readers, "rest")
        self.keys = [root, of_provider, readers, rest]
        assert readers in self.grant
        assert rest in self.owner.grant(MARKUP, portions=["rest"])


WORLD = World()
SHOWN = {
    name: thing
    for name, thing in vars(WORLD).items()
    if isinstance(
        thing,
        Answer
        | Cloud
        | Clww
        | Field
        | LewiWu
        | Opse
        | Owner
        | Provider
        | Query
        | Schema
        | Upload
        | User,
    )
}


def texts_of(thing: object) -> list[str]:
    """Return everything that a terminal or a notebook shows of an object."""
    shown = [repr(thing), str(thing), f"{thing}"]
    return [*shown, thing._repr_html_()] if hasattr(thing, "_repr_html_") else shown


def test_one_of_everything_is_here():
    kinds = {type(thing) for thing in SHOWN.values()}
    parties = {Cloud, Owner, Provider, User}
    assert kinds == {Answer, Clww, LewiWu, Opse, Query, Schema, Upload} | parties


@pytest.mark.parametrize("name", SHOWN)
def test_no_key_and_no_seed_is_shown(name):
    for text in texts_of(SHOWN[name]):
        assert str(SEED) not in text
        for key in WORLD.keys:
            for form in (key.hex(), key.hex().upper(), repr(key)[2:-1], str(list(key))[1:-1]):
                assert form not in text
            assert key[:8].hex() not in text


@pytest.mark.parametrize("name", SHOWN)
def test_no_bound_and_no_plaintext_is_shown(name):
    for text in texts_of(SHOWN[name]):
        for bound in (LOW, HIGH):
            assert str(bound) not in text
            assert f"{bound:,}" not in text


@pytest.mark.parametrize("name", SHOWN)
def test_a_repr_is_one_line_that_names_its_class(name):
    text = repr(SHOWN[name])
    assert text.startswith(f"{type(SHOWN[name]).__name__}(")
    assert text.endswith(")")
    assert "\n" not in text
    assert " object at 0x" not in text


class Tags(html.parser.HTMLParser):
    """Collects the tags of a text, and which are left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen, self.open = set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Note a tag that begins."""
        assert not attrs
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        """Note a tag that ends."""
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "name", [name for name, thing in SHOWN.items() if hasattr(thing, "_repr_html_")]
)
def test_html_is_whole_and_escaped(name):
    tags = Tags(SHOWN[name]._repr_html_())
    assert not tags.open
    assert tags.seen <= {"table", "caption", "tr", "th", "td", "b", "ul", "li"}


def test_names_are_shown_in_full():
    escaped = html.escape(MARKUP)
    for thing in (WORLD.schema, WORLD.provider, WORLD.cloud, WORLD.answer):
        assert escaped in thing._repr_html_()


def test_reprs_say_what_there_is():
    owner = WORLD.owner
    assert "providers=2" in repr(owner)
    assert "below=1" in repr(WORLD.provider)
    assert repr(WORLD.cloud) == "Cloud(owners=1, uploads=2, records=2, entries=4, files=0)"
    assert f"tokens=2, nbytes={len(bytes(WORLD.query))}" in repr(WORLD.query)
    assert "records=2, providers=2" in repr(WORLD.answer)
    assert "records=1, entries=2" in repr(WORLD.upload)
    assert repr(WORLD.user) == "User(grants=1)"


def test_a_schema_is_what_its_repr_says():
    schema = Schema(
        age=Field(0, 120),
        bmi=Field(8, 100, step=0.1, cell=5),
        level=Field.categories(["low", "high"]),
        flag=Field.boolean(),
    )
    assert eval(repr(schema), {"Schema": Schema, "Field": Field}) == schema


@pytest.mark.parametrize("name", ["owner", "provider", "ward", "user"])
@pytest.mark.parametrize(
    "take",
    [copy.copy, copy.deepcopy, *(lambda thing, n=n: pickle.dumps(thing, n) for n in range(6))],
)
def test_keys_are_neither_pickled_nor_copied(name, take):
    with pytest.raises(MopseError, match="neither pickled nor copied"):
        take(SHOWN[name])


def test_nothing_that_holds_a_key_is_pickled_inside_another_object():
    with pytest.raises(MopseError, match="neither pickled nor copied"):
        pickle.dumps({"parties": [WORLD.provider]})
