"""Copying within memory, the ceiling of any cipher."""

import numpy as np
import polars as pl

from mopse._checked import measured
from mopse.evaluate._measure import seconds

__all__ = ["copying"]


@measured()
def copying(size_bytes: int = 1 << 28, repeats: int = 9) -> pl.DataFrame:
    """Time copying within memory, the ceiling of any cipher.

    Returns
    -------
    polars.DataFrame
        ``size_bytes``, ``repeat``, ``time_s``; as many bytes are read as written.

    Notes
    -----
    From one array to another that exists, with NumPy, on one core.
    """
    # Ones, so that both are really there before the clock starts.
    source, target = np.ones(size_bytes, np.uint8), np.ones(size_bytes, np.uint8)
    took = [seconds(np.copyto, target, source)[0] for _ in range(repeats)]
    return pl.DataFrame({"repeat": range(repeats), "time_s": took}).with_columns(
        pl.lit(size_bytes).alias("size_bytes")
    )
