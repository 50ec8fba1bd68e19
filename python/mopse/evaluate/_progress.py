"""The bar that long runs show, if one is wanted."""

from collections.abc import Iterable
from typing import TypeVar

__all__ = ["progressing"]

Step = TypeVar("Step")


def progressing(
    steps: Iterable[Step],
    progress: bool,
    *,
    name: str | None = None,
    done: int = 0,
    total: int | None = None,
) -> Iterable[Step]:
    """Return the same steps, with a bar beside them if there is to be one.

    `done` steps of `total` were taken before.
    """
    if not progress:
        return steps
    from tqdm import tqdm  # here, so that only a shown bar needs it

    return tqdm(steps, desc=name, initial=done, total=total)
