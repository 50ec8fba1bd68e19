"""One text is one however it is typed: names, paths, keywords, categories, fields and columns."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import Scene

import mopse
from mopse import _mopse
from mopse.errors import InvalidInputError
from mopse.leakage import leakage_report

SIZE = "größe"
PAIRS = [("NFC", "NFD"), ("NFD", "NFC")]
"""As Linux and as macOS hand it over, or the other way round."""


def pair(text: str, forms: tuple[str, str]) -> list[str]:
    """Return a text in two forms, which differ."""
    one, other = (unicodedata.normalize(form, text) for form in forms)
    assert one != other
    return [one, other]


def fold(name: str) -> str:
    return unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("forms", PAIRS)
def test_a_path_finds_its_provider(forms):
    named, typed = pair("Klinik Süd", forms)
    above, asked = pair("Häuser", forms)
    scene = Scene(mopse.Schema(age=mopse.Field(0, 120)))
    house = scene.owner.authorize(above)
    south = scene.owner.authorize(named, under=asked)
    assert south.path == fold(f"{above}/{named}")
    assert scene.owner.authorize(typed, under=above).public == south.public
    assert scene.owner.providers == [house.path, south.path]
    scene.enroll()
    house.catch_up(scene.cloud)
    scene.cloud.receive(south.encrypt({"id": [1], "age": [40]}, id="id"))
    path = f"{asked}/{typed}"
    house.catch_up(scene.cloud)
    query = scene.owner.query(age=(0, 120))
    for grant in (scene.owner.grant(path), house.grant(provider=path), south.grant(provider=path)):
        assert len(mopse.User(scene.owner.schema, [grant]).ask(scene.cloud, query)) == 1
    assert len(scene.owner.lookup([1], provider=path)) == 1
    assert scene.owner.removal(path).provider == south.path
    assert scene.cloud.remove(path) == 1
    scene.owner.revoke(path)
    assert scene.owner.providers == [house.path]


@pytest.mark.parametrize("forms", PAIRS)
def test_spaces_of_a_path_are_plain(forms):
    owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    assert owner.authorize("Haus\u00a07").path == "Haus 7"
    assert owner.grant("Haus\u20037") == owner.grant("Haus 7")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("clin\u200bic", "invisible"),
        ("clin\u00adic", "invisible"),
        ("\u202ecinilc", "invisible"),
        ("\ufeffclinic", "invisible"),
        ("\u0628\u200c\u0628", "invisible"),
        ("clinic ", "space at its ends"),
        ("\u00a0clinic", "space at its ends"),
        ("the  clinic", "two in a row"),
        ("a\nb", "control character"),
        ("a\u2028b", "control character"),
        ("hospital\u2215ward", "reads as a slash"),
        ("\u0301a", "begin with a mark"),
        ("a\u0378", "unassigned"),
        ("a\ue000", "private use"),
        ("", "1 to 255 bytes"),
        ("ä" * 128, "1 to 255 bytes"),
    ],
)
def test_a_name_that_hides_something_is_refused(name, reason):
    owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    hospital = owner.authorize("hospital")
    for party in (owner, hospital):
        with pytest.raises(InvalidInputError, match=reason):
            party.authorize(name)
    assert owner.providers == ["hospital"]
    with pytest.raises(InvalidInputError):
        owner.revoke(name)
    with pytest.raises(InvalidInputError):
        mopse.Cloud().remove(name, owner=owner.public)


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("clinic", "\u0441linic"),
        ("clinic", "\uff43\uff4cinic"),
        ("clinic", "Clinic"),
        ("Ward 1", "Ward l"),
        ("Ward 1", "ward I"),
        ("A-1", "A\u20131"),
        ("Modern", "Modem"),
    ],
)
def test_a_second_provider_that_looks_like_the_first_is_refused(name, alike):
    owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    hospital = owner.authorize("hospital")
    for party, above in [(owner, ""), (hospital, "hospital/")]:
        party.authorize(name)
        before = party.providers
        with pytest.raises(InvalidInputError) as refused:
            party.authorize(alike)
        assert f"the name {alike!r} looks like {name!r}" in str(refused.value)
        assert party.providers == before
        assert party.authorize(name).path == above + name
    assert hospital.authorize("Ward 2").path == "hospital/Ward 2"


@pytest.mark.parametrize(
    ("attached", "asked"),
    [
        (*pair("Röntgen", PAIRS[0]),),
        (*pair("Röntgen", PAIRS[1]),),
        ("X-ray", "x\u2011RAY"),
        ("O\u2019Neil", "o'neil"),
        ("chest\u00a0film", "Chest  film"),
        ("rönt\u00adgen", "RÖNTGEN"),
        ("Straße", "STRASSE"),
        ("\ufeff0171", "\uff10\uff11\uff17\uff11"),
    ],
)
def test_an_attachment_is_found_by_what_reads_the_same(attached, asked):
    scene = Scene(mopse.Schema(age=mopse.Field(0, 120)), "hospital")
    called = {"name": "a", "media_type": "a/b"}
    scene.cloud.receive(scene["hospital"].attach(1, b"x", keywords=[attached], **called))
    assert len(scene.cloud.find(scene.owner.find(asked))) == 1
    assert len(scene.cloud.find(scene.owner.find(asked, attached))) == 1
    assert len(scene.cloud.find(scene.owner.find(asked + "s"))) == 0


@pytest.mark.parametrize("forms", PAIRS)
@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, "enum"])
def test_a_category_is_found(forms, dtype):
    one, other = pair("mäßig", forms)
    field = mopse.Field.categories(["gut", one, "übel"])
    assert field == mopse.Field.categories(["gut", other, unicodedata.normalize("NFD", "übel")])
    assert field.range(other, None) == field.range(one, None) == (1, 2)
    scene = Scene(mopse.Schema(state=field), "hospital")
    dtype = pl.Enum(["gut", other, "x"]) if dtype == "enum" else dtype
    column = pl.Series([other, "gut", None], dtype=dtype)
    table = pl.DataFrame({"id": [1, 2, 3], "state": column})
    scene.cloud.receive(scene["hospital"].encrypt(table, id="id", accept_leakage=["state"]))
    for bound in (one, other):
        query = scene.owner.query(state=bound)
        records = scene.owner.decrypt(scene.cloud.search(query), query)
        assert records["id"].to_list() == [1]
        assert records["state"].to_list() == [other]  # as it was sealed


def test_two_categories_in_two_forms_are_one():
    with pytest.raises(InvalidInputError, match="differ"):
        mopse.Field.categories(pair("mäßig", PAIRS[0]))
    with pytest.raises(InvalidInputError, match="no category"):
        mopse.Field.categories(["mäßig"]).range("massig", None)


@pytest.mark.parametrize("forms", PAIRS)
def test_a_field_finds_its_column(forms):
    one, other = pair(SIZE, forms)
    number, typed = pair("nümmer", forms)
    schema = mopse.Schema({one: mopse.Field(0, 250)}, types={other: pl.Int16})
    assert list(schema) == [SIZE]
    assert list(schema.types) == [SIZE]
    assert schema == mopse.Schema({other: mopse.Field(0, 250)})
    scene = Scene(schema, "hospital")
    table = pl.DataFrame({number: [1, 2], other: [180, None]})
    scene.cloud.receive(scene["hospital"].encrypt(table, id=typed, accept_leakage=[other]))
    for name in (one, other):
        query = scene.owner.query({name: (170, 190)})
        records = scene.owner.decrypt(scene.cloud.search(query), query)
        assert records.columns == [fold(number), SIZE, "provider"]
        assert records[SIZE].dtype == pl.Int16
        assert records[SIZE].to_list() == [180]
    handles = scene["hospital"].handles([1])
    assert scene["hospital"].entries(other, [180], handles).shape == (1,)
    assert [row["field"] for row in leakage_report(table, schema).table.to_dicts()] == [SIZE]


@pytest.mark.parametrize("name", pair(SIZE, PAIRS[0]))
def test_a_keyring_whose_schema_spells_otherwise_still_works(name, tmp_path):
    old, label = unicodedata.normalize("NFD", SIZE), unicodedata.normalize("NFD", "übel")
    fields = [
        (old, _mopse.schema.Field("number", 0, 250, 1, 1, [])),
        ("state", _mopse.schema.Field("category", 0, 1, 1, 1, ["gut", label])),
    ]
    keyring = _mopse.party.Keyring.insecure(bytes(32), _mopse.schema.Schema(fields))
    mopse.Owner(keyring).save(tmp_path / "owner", "secret")
    owner = mopse.Owner.open(tmp_path / "owner", "secret")
    assert list(owner.schema) == [old, "state"]
    scene = Scene(owner.schema, "hospital", owner=owner)
    table = {"id": [1], name: [180], "state": ["übel"]}
    scene.cloud.receive(scene["hospital"].encrypt(table, id="id"))
    query = owner.query({name: 180}, state="übel")
    assert owner.decrypt(scene.cloud.search(query), query).rows() == [(1, 180, "übel", "hospital")]


def test_one_name_typed_twice_is_refused():
    one, other = pair(SIZE, PAIRS[0])
    field = mopse.Field(0, 250)
    with pytest.raises(InvalidInputError, match="'größe' is given twice"):
        mopse.Schema({one: field, other: field})
    with pytest.raises(InvalidInputError, match="'größe' is given twice"):
        mopse.Schema({one: field}, types={one: pl.Int8, other: pl.Int8})
    scene = Scene(mopse.Schema({one: field}), "hospital")
    with pytest.raises(InvalidInputError, match="are one name, typed twice"):
        scene["hospital"].encrypt({"id": [1], one: [1], other: [1]}, id="id")
    with pytest.raises(InvalidInputError, match="given two ranges"):
        scene.owner.query({one: 1, other: 1})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_name_is_refused_or_one_however_it_is_typed(name):
    owner = mopse.Owner.from_insecure_seed(mopse.Schema(age=mopse.Field(0, 120)), 1)
    found = []
    for form in ("NFC", "NFD"):
        try:
            found.append(owner.authorize(unicodedata.normalize(form, name)).path)
        except InvalidInputError as refused:
            found.append(str(refused).rpartition(": ")[2])
    assert found[0] == found[1]
