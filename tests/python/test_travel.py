"""Objects travel: every public class is copied, pickled and sent to processes, or says why not."""

import copy
import dataclasses
import functools
import inspect
import multiprocessing
import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import polars as pl
import pytest
from right_calls import KEY, World, example, public_classes

from mopse import plot
from mopse.errors import MopseError, WrongTypeError

SECRET = {
    *("mopse.Clww", "mopse.LewiWu", "mopse.Opse", "mopse.Owner", "mopse.Provider", "mopse.User"),
    *("mopse.attacks.Deployment", "mopse.attacks.Marks", "mopse.ciphers.Cipher"),
    "mopse.attacks.LoginStore",
    *("mopse.ciphers.legacy.LegacyCipher", "mopse.rsa.PrivateKey"),
    "mopse.sharing.reencryption.Keys",
    "mopse.sharing.reencryption.Proxy",
    "mopse.sharing.reencryption.published.Keys",
    "mopse.sharing.reencryption.published.Server",
}
"""Classes whose objects hold a key."""

STAYS = {
    *("mopse.Cloud", "mopse.stores.MemoryStore", "mopse.stores.Attachment", "mopse.stores.Query"),
    "mopse.sharing.AuditLog",
    "mopse.stores.Piece",
    "mopse.stores.Seal",
    *("mopse.stores.DuckDBStore", "mopse.stores.PostgresStore"),
    *("mopse.stores.Removal", "mopse.stores.StoredUpload", "mopse.stores.Token"),
}
"""Classes whose objects are places, or were read of a message that is what travels."""

ABSTRACT = {
    *("mopse.messages.Message", "mopse.stores.SealStore", "mopse.stores.SpoolStore"),
    "mopse.stores.Store",
}
PLAIN = sorted(public_classes().keys() - SECRET - STAYS - ABSTRACT)

TAKES = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda thing, n=n: pickle.loads(pickle.dumps(thing, n))
        for n in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@functools.cache
def world() -> World:
    return World()


@functools.cache
def one(name: str) -> Any:
    return example(name, world())


def state(thing: Any) -> Any:
    """Return what an object is, in what can be compared."""
    if isinstance(thing, pl.DataFrame):
        return thing.to_dict(as_series=False), dict(thing.schema)
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.tolist()
    if isinstance(thing, plot.Figure):
        return thing.svg()
    if isinstance(thing, BaseException):
        return type(thing), thing.args, vars(thing), str(thing)
    if isinstance(thing, Mapping):
        return {key: state(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [state(value) for value in thing]
    if dataclasses.is_dataclass(thing):
        return [state(getattr(thing, field.name)) for field in dataclasses.fields(thing)]
    if hasattr(type(thing), "decode") and hasattr(thing, "encode"):
        return thing.encode()
    if type(thing).__eq__ is object.__eq__ and hasattr(thing, "__dict__"):
        return type(thing), state(vars(thing))
    if type(thing).__eq__ is object.__eq__ and not callable(thing):
        names = [name for name in dir(thing) if not name.startswith("_")]
        values = [(name, getattr(thing, name)) for name in names]
        return [(name, state(value)) for name, value in values if not callable(value)]
    return thing


def used(thing: Any) -> Any:
    """Show an object and look at all that it tells, as a notebook does."""
    repr(thing), str(thing)
    for name in dir(type(thing)):
        if name.startswith("__"):
            continue
        if name.startswith("_repr_"):
            getattr(thing, name)()
        elif type(inspect.getattr_static(type(thing), name)) is property:
            getattr(thing, name)
    return thing


def is_value(thing: Any) -> bool:
    """Say whether an object is equal to others, and can be hashed, by what it is."""
    if type(thing).__hash__ in (None, object.__hash__, BaseException.__hash__):
        return False
    try:
        hash(thing)
    except TypeError:  # a field of it cannot be
        return False
    return True


def test_every_public_class_is_in_one_list():
    assert not SECRET & STAYS
    assert public_classes().keys() > SECRET | STAYS | ABSTRACT
    assert all(inspect.isabstract(public_classes()[name]) or "Store" in name for name in ABSTRACT)


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_no_secret_is_pickled_and_copied(name):
    for thing in (example(name, world()), used(one(name))):
        for take in TAKES:
            again = take(thing)
            assert type(again) is type(thing)
            assert state(again) == state(thing)
            if is_value(thing):
                assert hash(again) == hash(thing)
            if " at 0x" not in repr(thing):
                assert repr(used(again)) == repr(thing)


@pytest.mark.parametrize("name", sorted(SECRET | STAYS))
def test_what_stays_says_why_and_what_to_do(name):
    for take in (
        copy.copy,
        copy.deepcopy,
        *(functools.partial(pickle.dumps, protocol=n) for n in range(6)),
    ):
        with pytest.raises(WrongTypeError, match=r"neither pickled nor copied.*: \w+") as caught:
            take(one(name))
        said = str(caught.value)
        assert KEY.hex() not in said
        assert repr(KEY)[2:-1] not in said
        if name in SECRET:
            assert said.startswith("keys ")
    with pytest.raises(MopseError, match="neither pickled nor copied"):
        pickle.dumps([{"inside": one(name)}])


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_objects_are_sent_to_processes_and_back(method):
    context = multiprocessing.get_context(method)
    things = [one(name) for name in PLAIN]
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        again = pool.submit(there_and_back, things).result()
    for thing, other in zip(things, again, strict=True):
        assert state(other) == state(thing)


def there_and_back(things: list[Any]) -> list[Any]:
    """Look at objects in a child process; tables need what a forked one has not."""
    return [thing for thing in things if repr(thing)]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_an_error_is_raised_in_the_parent_as_it_was(method):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool, pytest.raises(MopseError) as caught:
        pool.submit(world_error).result()
    assert type(caught.value).__name__ == "InvalidInputError"
    assert caught.value.row == 3


def world_error() -> None:
    """Raise an error with more than a message, as the core does."""
    from mopse.errors import InvalidInputError

    error = InvalidInputError("the record in row 3")
    error.row = 3
    raise error


def test_a_copy_of_a_figure_is_another_figure():
    figure = plot.Figure(x="x", y="y").line([1, 2], [3, 4])
    before = figure.svg()
    for again in (copy.copy(figure), copy.deepcopy(figure), pickle.loads(pickle.dumps(figure))):
        assert again.svg() == before
        again.line([1, 2], [4, 3], name="more")
        assert figure.svg() == before
    values = np.array([3.0, 4.0])
    figure = plot.Figure(x="x", y="y").line([1, 2], values)
    values[:] = 0
    assert copy.copy(figure).svg() == before
    grid = plot.grid([figure, figure], title="two")
    assert pickle.loads(pickle.dumps(grid)).svg() == grid.svg()


def test_messages_are_equal_if_what_travels_is():
    message = world().upload
    assert message == type(message)(bytes(message))
    assert hash(message) == hash(type(message)(bytes(message)))
    assert message != world().attached
    assert message != bytes(message)
