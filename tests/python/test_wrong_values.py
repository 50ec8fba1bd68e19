"""Wrong values, one argument at a time, in every call that is public: ours are the errors, or none.

The calls are found by introspection, see `right_calls`; the values are in `wrong_values`.
"""

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import pytest
from right_calls import PUBLIC, World, calls, made, right
from wrong_values import MARK, SURE, WRONG

from mopse.errors import MopseError

CALLS = calls()
PYTHONS_OWN = {
    "mopse.ProposedSchema.__getitem__": "a mapping raises KeyError, for its `get` and `in`",
    "mopse.Schema.__getitem__": "a mapping raises KeyError, for its `get` and `in`",
    "mopse.Answer.__add__": "what is no answer may know how to be added to one",
    "mopse.attacks.Adversary": "the class of an enum, which also makes enums",
    "mopse.Opened": "a named tuple holds whatever it is given",
    "mopse.evaluate.seconds": "calls what it is given, and errors are those of that",
    "mopse.cli.main": "a command, which exits",
}
"""Calls whose errors are Python's own, and why."""

LONG = {
    name
    for name, thing in PUBLIC.items()
    if getattr(thing, "__module__", "").startswith(
        ("mopse.evaluate.performance.", "mopse.evaluate.security.")
    )
    and not name.rpartition(".")[2].startswith("draw_")
} | {
    *("mopse.evaluate.run", "mopse.Owner.save", "mopse.Provider.save", "mopse.leakage_report"),
    "mopse.service.serve",
}
"""Calls that take long with right values: they are given values that are wrong for certain."""

SLOW_ARGUMENTS = {
    ("mopse.Owner.open", "password"),
    ("mopse.Owner.open", "most_memory"),
    ("mopse.Owner.open", "most_passes"),
    ("mopse.Provider.open", "password"),
    ("mopse.Provider.open", "most_memory"),
    ("mopse.Provider.open", "most_passes"),
}

PARAMETERS = [
    (name, parameter.name)
    for name, call in CALLS.items()
    if name not in PYTHONS_OWN
    for parameter in call.parameters
    if right(call, parameter) is not None
]


def values_for(name: str, parameter: str) -> dict:
    """Return the wrong values that an argument is tried with."""
    is_drawn = name.rpartition(".")[2].startswith("draw_") and parameter != "table"
    is_slow = is_drawn or name in LONG or (name, parameter) in SLOW_ARGUMENTS
    return {key: WRONG[key] for key in SURE} if is_slow else WRONG


@functools.cache
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> Iterator[None]:
    """Work in a folder of its own, where names make files, and show nothing."""
    monkeypatch.chdir(tmp_path)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", sorted({name for name, _ in PARAMETERS} - LONG))
def test_right_values_are_right(name):
    made(CALLS[name], World())()


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_wrong_value_is_taken_or_refused_by_an_error_of_ours(name, parameter):
    here = World() if name in CHANGING else world()
    for key, value in values_for(name, parameter).items():
        call = made(CALLS[name], here, **{parameter: value})
        said = refusal(call, key)
        said.encode()  # what cannot be shown is no message
        assert MARK not in said or parameter in SHOWN, (key, said)


def refusal(call: Callable[[], Any], key: str) -> str:
    """Return what an error of ours says, or nothing if a call takes its arguments."""
    try:
        call()
    except MopseError as error:
        return "\n".join([str(error), *getattr(error, "__notes__", [])])
    except Exception as error:
        pytest.fail(f"{key}: {type(error).__name__}: {error}")
    return ""


CHANGING = {name for name, call in CALLS.items() if call.owner is not None}
"""Calls after which an object may be another."""

SHOWN = {
    *(
        "accept_leakage",
        "adversary",
        "attack",
        "beside",
        "cipher",
        "columns",
        "control",
        "expected",
    ),
    *("field", "fields", "group", "id", "kdf", "left", "like", "metric", "name", "names", "only"),
    *("out", "path", "portions", "provider", "right", "role", "room", "scheme", "shown", "source"),
    *("speciality", "team"),
    *("dates", "equals", "form", "law", "layout", "portion", "released"),
    *("table", "target", "under", "value", "view", "x", "y", "y_scale", "x_scale", "by", "of"),
    *("file", "files", "owner", "user"),
    *("clusters", "df", "notebooks", "schema", "text", "title", "label", "what"),
}
"""Arguments whose text messages repeat: names, which are no secret."""


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_what_is_of_no_right_type_is_refused_by_name(name, parameter):
    """An object without any property is right nowhere but where anything is."""
    call = made(CALLS[name], World() if name in CHANGING else world(), **{parameter: object})
    said = refusal(call, "object").lower().replace("_", " ")
    words = [word.lower().replace("_", " ") for word in (parameter, *WORDS.get(parameter, ()))]
    assert not said or any(word in said for word in words), said


WORDS: dict[str, tuple[str, ...]] = {
    "values": ("column",),
    "a": ("the ciphertexts",),
    "aad": ("the associated data",),
    "b": ("the ciphertexts",),
    "block_bits": ("bits of a block",),
    "chunk_bytes": ("a number",),
    "high": ("a bound",),
    "ids": ("the id",),
    "kdf": ("a key derivation",),
    "keyring": ("is made by",),
    "keywords": ("a keyword",),
    "known": ("a key",),
    "left": ("the first",),
    "levels": ("categories",),
    "listed": ("a request",),
    "low": ("a bound",),
    "maximum": ("a bound",),
    "message": (
        "an answer",
        "an upload",
        "a count",
        "a seal",
        "a listing",
        "notes",
        "a request",
        "a permission",
        "a file",
        "a query",
        "a removal",
        "a statement",
        "a checkpoint",
        "a thing",
    ),
    "minimum": ("a bound",),
    "more_columns": ("'pulse'",),
    "more_fields": ("'pulse'",),
    "more_ranges": ("'sbp'",),
    "public": ("announcements",),
    "record_id": ("ids",),
    "renewed": ("the number of records",),
    "right": ("the second",),
    "sealed": ("the message",),
    "superseded": ("the number of older rows",),
    "target": ("a path",),
    "to": ("a path",),
    "under": ("a provider's path",),
    "unknown_bits": ("a number",),
    "written": ("a file",),
}
"""What messages call arguments, where not by their names."""


def test_the_grid_is_as_large_as_it_says():
    cases = sum(len(values_for(*where)) for where in PARAMETERS)
    assert cases > 50_000
    assert len(CALLS) > 350
    assert PYTHONS_OWN.keys() <= CALLS.keys()
