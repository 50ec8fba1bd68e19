"""One attack after another over seeds and sizes."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from mopse._checked import measured
from mopse.evaluate._resume import PATH, completed

__all__ = ["sweep"]


@measured()
def sweep(
    keys: Sequence[Mapping[str, Any]],
    rows_of: Callable[..., Iterable[pl.DataFrame]],
    path: PATH,
    progress: bool | None,
) -> pl.DataFrame:
    """Return the rows of every key; those that a file holds are not made again.

    A key is the arguments of a block, which are columns of its rows. Blocks run on all cores, as
    far as kernels release the interpreter. The file is written after each, so that an interrupted
    sweep goes on where it stopped.
    """
    is_over = threading.Event()

    def block(place: int) -> pl.DataFrame:
        key = keys[place]
        case = {name: pl.lit(value) for name, value in key.items()}
        frames = []
        for frame in rows_of(**key):
            frames.append(frame.with_columns(**case))
            if is_over.is_set():  # whoever asked waits for nothing any more
                break
        return pl.concat(frames, how="diagonal_relaxed")

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        return completed(keys, lambda left: pool.map(block, left), path=path, progress=progress)
    finally:
        is_over.set()
        pool.shutdown(wait=False, cancel_futures=True)
