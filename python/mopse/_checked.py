"""Functions that look at their arguments first, as their signatures say what these are."""

import enum
import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from mopse._arrays import floats, integers, matrix, refuse_masked
from mopse._checks import is_integer, items, mapping, text, truths
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["checked", "measured"]

_Taken = TypeVar("_Taken", bound=Callable[..., Any])
_Reader = Callable[[Any, str], Any]
"""Returns a value as the function takes it, or says what is wrong with it, by a name."""

_SHOWN = 2**64
_LISTS = (Sequence, Collection, Iterable, list, set, frozenset)


def checked(**limits: Any) -> Callable[[_Taken], _Taken]:
    """Return what makes a function refuse arguments that are not what its signature says.

    Parameters
    ----------
    **limits : (least, most), or int
        For a parameter of numbers, or of lists of them, both bounds; else 0 and none for integers,
        and none for floats. For one of arrays how many dimensions it has, else 1.

    Notes
    -----
    Parameters that the signature says nothing about, and forward references to what is not
    loaded, are left to the function. Arrays come as the dtype that is said, other lists than
    sequences as lists. A class is given as ``checked()(cls)``, for its constructor.
    """

    def decorate(function: _Taken) -> _Taken:
        if inspect.isclass(function):
            function.__init__ = decorate(function.__init__)  # type: ignore[method-assign]
            return function
        signature = inspect.signature(function)

        @functools.cache
        def readers() -> dict[str, _Reader]:
            found = {}
            for name, parameter in signature.parameters.items():
                hint = _resolved(parameter.annotation, getattr(function, "__globals__", {}))
                reader = _reader(hint, limits.get(name))
                if reader is not None:
                    found[name] = reader
            return found

        @functools.wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            bound = signature.bind(*arguments, **named)
            known = readers()
            for name, value in bound.arguments.items():
                if name not in known or value is signature.parameters[name].default:
                    continue
                kind = signature.parameters[name].kind
                if kind is inspect.Parameter.VAR_POSITIONAL:
                    bound.arguments[name] = tuple(known[name](one, name) for one in value)
                elif kind is inspect.Parameter.VAR_KEYWORD:
                    bound.arguments[name] = {k: known[name](one, k) for k, one in value.items()}
                else:
                    bound.arguments[name] = known[name](value, name)
            return function(*bound.args, **bound.kwargs)

        return typing.cast(_Taken, wrapper)

    return decorate


def _resolved(hint: Any, names: Mapping[str, Any]) -> Any:
    """Return an annotation, also of what is written as text; Any for what is not loaded."""
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, dict(names))
    except (NameError, TypeError):
        return Any


def measured(**limits: Any) -> Callable[[_Taken], _Taken]:
    """Return `checked` for experiments, whose integers are sizes and counts: up to 2^32 each.

    What Polars says of a table that has other columns than an experiment's is an error of ours.
    """

    def decorate(function: _Taken) -> _Taken:
        kinds = {
            name: one.annotation for name, one in inspect.signature(function).parameters.items()
        }
        sizes = {name: (0, 2**32) for name, kind in kinds.items() if kind in _SIZES}
        looked_at = checked(**(sizes | limits))(function)
        if pl.DataFrame not in kinds.values():
            return looked_at

        @functools.wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            try:
                return looked_at(*arguments, **named)
            except pl.exceptions.PolarsError as error:
                why = str(error).partition("\n")[0]
                raise InvalidInputError(f"the table is not one of this experiment: {why}") from None

        return typing.cast(_Taken, wrapper)

    return decorate


_SIZES = (int, Sequence[int])


def _reader(hint: Any, limit: Any) -> _Reader | None:
    """Return what reads values of an annotation; None for what may be anything."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object, inspect.Parameter.empty, ArrayLike):
        return None
    if hint in _SIMPLE:
        return functools.partial(_SIMPLE[hint], limit=limit)
    if origin is Literal:
        return functools.partial(_choice, choices=inner)
    if origin in (Union, types.UnionType):
        return _union(inner, limit)
    if origin is np.ndarray:
        return functools.partial(_array, kind=typing.get_args(inner[1])[0], dimensions=limit or 1)
    if origin is tuple:
        return functools.partial(_tuple, readers=[_reader(one, limit) for one in inner])
    if origin in _LISTS:
        return functools.partial(_list, reader=_reader(inner[0], limit))
    if origin is Mapping or origin is dict:
        key, held = (_reader(one, limit) for one in inner)
        return functools.partial(_mapping, key=key, held=held)
    if origin is Callable:
        return _callable
    if inspect.isclass(hint):
        return functools.partial(_instance, kind=hint)
    if inspect.isclass(origin):
        return functools.partial(_instance, kind=origin)
    return None


def _union(inner: tuple[Any, ...], limit: Any) -> _Reader | None:
    """Return what reads values of one of some annotations; the last one says what is wrong."""
    some = [one for one in inner if one is not type(None)]
    is_optional = len(some) < len(inner)
    if any(typing.get_origin(one) is os.PathLike for one in some):
        some = [one for one in some if one is not str and typing.get_origin(one) is not os.PathLike]
        readers = [*(_reader(one, limit) for one in some), _path]
    else:
        readers = [_reader(one, limit) for one in some]
    if None in readers:
        return None

    def read(value: Any, what: str) -> Any:
        if value is None and is_optional:
            return None
        *first, last = readers
        for reader in first:
            try:
                return typing.cast(_Reader, reader)(value, what)
            except WrongTypeError:
                continue
        return typing.cast(_Reader, last)(value, what)

    return read


def _wrong_type(value: Any, what: str, expected: str) -> WrongTypeError:
    return WrongTypeError(f"{what} is a {type(value).__name__}, expected {expected}")


def _integer(value: Any, what: str, limit: tuple[float, float] | None) -> int:
    least, most = (0, np.inf) if limit is None else limit
    if not is_integer(value):
        raise _wrong_type(value, what, "an int")
    if not least <= value <= most:
        shown = value if abs(value) <= _SHOWN else "a number of more than 64 bits"
        raise InvalidInputError(f"{what} is {shown}, expected {least} to {most}")
    return int(value)


def _float(value: Any, what: str, limit: tuple[float, float] | None) -> Any:
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if not is_number or isinstance(value, bool | np.timedelta64):
        raise _wrong_type(value, what, "a number")
    try:
        number = float(value)
    except OverflowError:
        raise InvalidInputError(f"{what} is too large") from None
    least, most = (-np.inf, np.inf) if limit is None else limit
    if not least <= number <= most:  # NaN neither
        raise InvalidInputError(f"{what} is {number}, expected a number from {least} to {most}")
    return value


def _text(value: Any, what: str, limit: None) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, what, "a str")
    return text(value, what)


def _truth(value: Any, what: str, limit: None) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _wrong_type(value, what, "a bool")
    return bool(value)


def _bytes(value: Any, what: str, limit: None) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong_type(value, what, "bytes")
    return bytes(value)


_SIMPLE: dict[Any, Callable[..., Any]] = {
    bool: _truth,
    bytes: _bytes,
    float: _float,
    int: _integer,
    str: _text,
}


def _choice(value: Any, what: str, choices: tuple[Any, ...]) -> Any:
    if not isinstance(value, str) or value not in choices:
        named = ", ".join(map(repr, choices))
        if not isinstance(value, str):
            raise _wrong_type(value, what, f"one of {named}")
        raise InvalidInputError(f"{what} is {value!r}, expected one of {named}")
    return value


def _array(value: Any, what: str, kind: Any, dimensions: int) -> Any:
    if kind is np.bool_:
        return truths(value, what, dimensions)
    if np.issubdtype(kind, np.floating):
        return floats(value, what) if dimensions == 1 else matrix(value, what)
    if kind is np.int64 and dimensions == 1:
        return integers(value, what)
    refuse_masked(value, what)
    if kind is np.uint64 and not (isinstance(value, np.ndarray) and value.dtype == np.uint64):
        raise WrongTypeError(f"{what} must be a uint64 array")
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        raise WrongTypeError(f"{what} must be an array of integers")
    if value.ndim != dimensions:
        raise WrongTypeError(f"{what} must have {dimensions} dimensions, not {value.ndim}")
    if not np.can_cast(value.dtype, kind) and value.size and kind is np.int64:
        return integers(value.ravel(), what).reshape(value.shape)
    return np.ascontiguousarray(value, kind)


def _tuple(value: Any, what: str, readers: Sequence[_Reader | None]) -> tuple[Any, ...]:
    given = items(value, what, f"pair, or {len(readers)} values")
    if len(given) != len(readers):
        raise InvalidInputError(f"{what} has {len(given)} values, expected {len(readers)}")
    return tuple(
        one if reader is None else reader(one, f"a value of {what}")
        for one, reader in zip(given, readers, strict=True)
    )


def _list(value: Any, what: str, reader: _Reader | None) -> Any:
    given = items(value, what, "list")
    if isinstance(value, Mapping):
        raise WrongTypeError(f"{what} must be a list, not {type(value).__name__}")
    read = given if reader is None else [reader(one, f"a value of {what}") for one in given]
    return value if isinstance(value, Sequence) and read == given else read


def _mapping(value: Any, what: str, key: _Reader | None, held: _Reader | None) -> Any:
    given = mapping(value, what)
    try:
        entries = list(given.items())
    except Exception as error:
        raise WrongTypeError(f"{what} cannot be read") from error
    return {
        name if key is None else key(name, f"a key of {what}"): one
        if held is None
        else held(one, f"a value of {what}")
        for name, one in entries
    }


def _callable(value: Any, what: str) -> Any:
    if not callable(value):
        raise _wrong_type(value, what, "a function")
    return value


def _instance(value: Any, what: str, kind: type) -> Any:
    if isinstance(value, kind):
        return value
    if issubclass(kind, enum.Enum) and isinstance(value, str):
        return kind(value)
    raise _wrong_type(
        value, what, f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
    )


def _path(value: Any, what: str) -> Any:
    try:
        named = os.fsencode(value)
    except UnicodeEncodeError:
        raise InvalidInputError(f"{what} must be a path, and holds half of a surrogate") from None
    except Exception:
        raise WrongTypeError(f"{what} must be a path, not {type(value).__name__}") from None
    if not named or b"\0" in named:
        raise InvalidInputError(f"{what} must be a path, which names a file")
    return value
