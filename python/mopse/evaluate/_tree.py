"""The hierarchy that experiments put their providers in."""

from mopse._checked import checked
from mopse._checks import whole

__all__ = ["FAN_OUT", "tree"]

FAN_OUT = 8


@checked(providers=(0, 2**20))
def tree(providers: int, fan_out: int = FAN_OUT) -> list[tuple[str, str | None]]:
    """Return names and parents of providers in a tree that is filled level by level.

    Parameters
    ----------
    fan_out : int
        How many the owner has, and at most each provider.

    Returns
    -------
    list of (str, str or None)
        The name of each provider and the path it is under, parents first.

    Examples
    --------
    >>> tree(4, fan_out=2)
    [('p0', None), ('p1', None), ('p2', 'p0'), ('p3', 'p0')]
    """
    whole(providers, "providers", least=0)
    whole(fan_out, "fan_out", least=1)
    paths: list[str] = []
    placed: list[tuple[str, str | None]] = []
    for number in range(providers):
        under = None if number < fan_out else paths[number // fan_out - 1]
        paths.append(f"p{number}" if under is None else f"{under}/p{number}")
        placed.append((f"p{number}", under))
    return placed
