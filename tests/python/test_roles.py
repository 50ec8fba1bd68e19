"""Kinds of users: the published access list as a preset over portions."""

import pytest
from scene import Scene

from mopse import Field, Schema, User
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.sharing import PUBLISHED_ROLES, coarsen, deidentified, portions_of

PORTIONS = {
    "personal": ["name"],
    "medical": ["age"],
    "insurance": ["policy"],
    "prescription": ["drug"],
    "research": deidentified(age=coarsen(10)),
}
SCHEMA = Schema(age=Field(0, 120), portions=PORTIONS)
TABLE = {"id": [1], "age": [44], "name": ["Ann"], "policy": ["P7"], "drug": ["x"]}
OPENED = {
    "family": {"id", "age", "name", "policy", "drug", "research.age"},
    "physician": {"age"},
    "pharmacist": {"drug", "policy"},
    "insurer": {"policy"},
    "researcher": {"research.age"},
}


@pytest.mark.parametrize("role", PUBLISHED_ROLES)
def test_each_role_opens_what_the_published_list_says(role):
    scene = Scene(SCHEMA, "hospital")
    scene.send("hospital", TABLE)
    user = User.generate()
    portions = portions_of(role, scene.owner.schema)
    user.accept(scene.owner.share(user.public, "hospital", portions=portions))
    query = scene.owner.query(age=(0, 120))
    found = user.decrypt(scene.cloud.search(query), query)
    assert set(found.columns) == OPENED[role] | {"provider"}


def test_a_list_of_one_s_own_is_taken():
    mine = {"auditor": ("insurance", "rest"), "all": None}
    assert portions_of("auditor", SCHEMA, roles=mine) == ["insurance", "rest"]
    assert portions_of("all", SCHEMA, roles=mine) is None
    changed = {**PUBLISHED_ROLES, "physician": ["medical", "prescription"]}
    assert portions_of("physician", SCHEMA, roles=changed) == ["medical", "prescription"]


@pytest.mark.parametrize(
    ("role", "portions", "message"),
    [
        ("pharmacst", PORTIONS, "did you mean 'pharmacist'"),
        ("insurer", {"insurances": ["policy"]}, "'insurance': did you mean 'insurances'"),
        ("researcher", {"medical": ["age"]}, "no portion 'research'"),
        ("researcher", {"research": ["age"]}, "how portion 'research' is de-identified"),
    ],
)
def test_a_role_that_the_schema_cannot_serve_is_refused(role, portions, message):
    with pytest.raises(InvalidInputError, match=message):
        portions_of(role, Schema(age=Field(0, 120), portions=portions))


def test_a_list_that_is_none_is_refused():
    for roles, error in [
        ({"a": []}, InvalidInputError),
        ({"a": "medical"}, WrongTypeError),
        ({"a": [3]}, WrongTypeError),
        ([], WrongTypeError),
    ]:
        with pytest.raises(error):
            portions_of("a", SCHEMA, roles=roles)
    with pytest.raises(TypeError):
        PUBLISHED_ROLES["researcher"] = None
