"""The description says what there is, and what there is does as it says."""

import json
import re

import pytest
from scene import Scene
from service.serving import Served, served_here

import mopse
from mopse import Cloud, Field, Schema, errors
from mopse.service import DESCRIPTION
from mopse.service._application import _STATUSES, _status
from mopse.service._calls import CALLS

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

from hypothesis import HealthCheck, Phase, settings  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    positive_data_acceptance,
)


def test_every_path_and_option_is_described():
    paths = {path.split("/")[2] for path in DESCRIPTION["paths"] if path.startswith("/v1/")}
    assert paths == set(CALLS)
    for name, call in CALLS.items():
        if name != "announcements":
            described = DESCRIPTION["paths"][f"/v1/{name}"]["post"]["parameters"]
            options = {one["name"] for one in described if "name" in one}
            assert options == set(call.options), name
    others = {path for path in DESCRIPTION["paths"] if not path.startswith("/v1/")}
    assert others == {"/health", "/metrics", "/openapi.json"}


def test_every_reference_leads_somewhere():
    for path in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DESCRIPTION)):
        found = DESCRIPTION
        for word in path.split("/"):
            found = found[word]


def test_every_error_has_a_status_that_is_described():
    described = DESCRIPTION["paths"]["/v1/search"]["post"]["responses"]
    for name in errors.__all__:
        assert str(_status(getattr(errors, name)("x"))) in described, name
    assert len({kind for kind, _ in _STATUSES}) == len(_STATUSES)
    damaged = errors.DamagedFileError("the store '/secret/phr.duckdb' failed: x")
    assert _status(damaged) == 503


def test_it_is_what_is_given(tmp_path):
    with served_here(Cloud(), tmp_path / "log.jsonl") as url:
        status, body, _ = Cloud(url)._gate._exchange("/openapi.json", None)
    assert status == 200
    assert json.loads(body) == json.loads(json.dumps(DESCRIPTION))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Run a service with an owner and records."""
    with Served(tmp_path_factory.mktemp("described")) as served:
        scene = Scene(Schema(age=Field(0, 9)), "hospital", cloud=Cloud(served.url))
        scene.send("hospital", {"id": [1], "age": [4]})
        yield served
        assert served.stop() == 0


DESCRIBED = schemathesis.openapi.from_dict(DESCRIPTION)


@DESCRIBED.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_service_does_as_it_is_described(case, served):
    # Nobody guesses a message that was signed, so what is made by chance is mostly refused.
    case.call_and_validate(
        base_url=served.url, excluded_checks=[positive_data_acceptance], timeout=20
    )


def test_the_package_says_where_it_is():
    assert "service" in dir(mopse)
