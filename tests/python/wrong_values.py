"""Values that are wrong nearly everywhere, by what they are."""

from collections.abc import Callable
from typing import Any, Never

import numpy as np
import polars as pl

import mopse

__all__ = ["MARK", "SURE", "WRONG"]

MARK = "q9z7"
"""What messages may not repeat of a value that might be somebody's."""


class EvilError(RuntimeError):
    """What a value raises that is in the way of who looks at it."""


class Evil:
    """Raises at whatever is asked of it."""

    def _raise(self, *_: Any) -> Never:
        raise EvilError

    __index__ = __int__ = __float__ = __iter__ = __len__ = __fspath__ = __bytes__ = _raise
    __getitem__ = __eq__ = __lt__ = __hash__ = __bool__ = __array__ = __contains__ = _raise


class Path:
    """Is a path, it says."""

    def __fspath__(self) -> Any:
        return 5


def _nested(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def _round() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


WRONG: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "object": object,
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "2^31": lambda: 2**31,
    "2^32": lambda: 2**32,
    "2^63": lambda: 2**63,
    "2^64": lambda: 2**64,
    "2^200": lambda: 2**200,
    "-2^200": lambda: -(2**200),
    "1.5": lambda: 1.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "-0.0": lambda: -0.0,
    "complex": lambda: 1j,
    "empty text": lambda: "",
    "text": lambda: MARK,
    "256 letters": lambda: "w" * 256,
    "10^4 letters": lambda: "x" * 10**4,
    "half a pair": lambda: "\ud800",
    "zero character": lambda: "\0",
    "no bytes": lambda: b"",
    "bytes": lambda: b"\xff\0" * 9,
    "bytearray": lambda: bytearray(9),
    "wide memoryview": lambda: memoryview(np.arange(3)),
    "empty list": list,
    "empty dict": dict,
    "empty tuple": tuple,
    "nested list": lambda: [[1], [2, [3]]],
    "deep list": lambda: _nested(5000),
    "round list": _round,
    "[None]": lambda: [None],
    "[2^200]": lambda: [2**200],
    "[-1]": lambda: [-1],
    "[nan]": lambda: [float("nan")],
    "[half a pair]": lambda: ["\ud800"],
    "[text, 5]": lambda: ["a", 5],
    "[object]": lambda: [object()],
    "(None, object)": lambda: (None, object()),
    "(2^200, -2^200)": lambda: (2**200, -(2**200)),
    "{half a pair: object}": lambda: {"\ud800": object()},
    "{5: None}": lambda: {5: None},
    "{age: None}": lambda: {"age": None, "x": None},
    "set": lambda: {1},
    "generator": lambda: (number for number in "ab"),
    "np.int8": lambda: np.int8(-3),
    "np.float32": lambda: np.float32(1.5),
    "np.bool": lambda: np.True_,
    "np.str": lambda: np.str_("s"),
    "np.datetime64": lambda: np.datetime64("NaT"),
    "array of no dimension": lambda: np.array(1),
    "array of two dimensions": lambda: np.zeros((2, 3)),
    "array of objects": lambda: np.array([object(), "a"]),
    "array of text": lambda: np.array(["a", "b"]),
    "array of 2^63": lambda: np.array([2**63], np.uint64),
    "array of half floats": lambda: np.array([np.nan, np.inf], np.float16),
    "array of truth": lambda: np.array([True, False]),
    "masked array": lambda: np.ma.masked_array([1, 2], [True, False]),
    "array of -1": lambda: np.array([-1, -5]),
    "empty array": lambda: np.empty(0, np.int64),
    "empty table": pl.DataFrame,
    "table": lambda: pl.DataFrame({"one": [None, 1], MARK: ["a", None]}),
    "lazy table": lambda: pl.LazyFrame({"id": [1]}),
    "series": lambda: pl.Series(["a", None]),
    "class": lambda: int,
    "our class": lambda: mopse.Schema,
    "function": lambda: lambda: 5,
    "module": lambda: mopse,
    "evil": Evil,
    "[evil]": lambda: [Evil()],
    "false path": Path,
}

SURE = ("object", "2^200", "-2^200", "nan", "half a pair", "complex", "deep list", "evil", "[evil]")
"""Those that are right for no number, text, list, path or flag."""
