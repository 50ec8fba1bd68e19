"""Kinds of users, and the portions that each is given: the published access list as a preset."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mopse._checks import instance, items, listed, mapping, spelt, text
from mopse.errors import InvalidInputError
from mopse.schema import Schema

__all__ = ["PUBLISHED_ROLES", "portions_of"]

PUBLISHED_ROLES: Mapping[str, Sequence[str] | None] = MappingProxyType(
    {
        "family": None,
        "physician": ("medical",),
        "pharmacist": ("prescription", "insurance"),
        "insurer": ("insurance",),
        "researcher": ("research",),
    }
)
"""Portions by role, as SeSPHR prints its access list (IEEE TCC 2018); None is all of them.

Its records have the portions ``personal``, ``medical``, ``insurance`` and ``prescription``. A
researcher gets the medical one de-identified, which is ``research`` here: `deidentified`. It prints
no line for physicians, but that a doctor opens the medical portion: that, and no more, is theirs.
"""

_DEIDENTIFIED = ("researcher",)
"""Roles of the published list whose portions are de-identified."""


def portions_of(
    role: str,
    schema: Schema,
    *,
    roles: Mapping[str, Sequence[str] | None] = PUBLISHED_ROLES,
) -> list[str] | None:
    """Return the portions that a kind of user is given by default.

    Parameters
    ----------
    role : str
        The kind of user.
    schema : Schema
        The schema of the records.
    roles : mapping from str to sequence of str or None
        The portions of each kind; None is all of them.

    Returns
    -------
    list of str or None
        What `mopse.Owner.share` and `mopse.Owner.grant` take as ``portions``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such role, the schema lacks one of its portions, or the published list says
        that it is de-identified and the schema does not.

    Notes
    -----
    A preset, and nothing else: what is shared is as if the portions had been typed. A change of the
    list takes nothing back.

    Examples
    --------
    >>> import mopse
    >>> from mopse.sharing import portions_of
    >>> schema = mopse.Schema(
    ...     age=mopse.Field(0, 120), portions={"insurance": ["policy"], "prescription": ["drug"]}
    ... )
    >>> portions_of("pharmacist", schema)
    ['prescription', 'insurance']
    >>> portions_of("auditor", schema, roles={"auditor": ["insurance", "rest"]})
    ['insurance', 'rest']
    """
    instance(schema, Schema, "a schema")
    known = mapping(roles, "roles")
    name = text(role, "a role")
    if name not in known:
        raise InvalidInputError(f"there is no role {name!r}: {listed(name, known)}")
    if known[name] is None:
        return None
    given = items(known[name], f"role {name!r}", "list of names of portions, or None")
    portions = [spelt(text(portion, "a portion")) for portion in given]
    if not portions:
        raise InvalidInputError(f"role {name!r} has no portion")
    there = [*schema.portions, "rest", "files"]
    for portion in portions:
        if portion not in there:
            raise InvalidInputError(
                f"role {name!r}: the schema has no portion {portion!r}: {listed(portion, there)}"
            )
    if known is PUBLISHED_ROLES and name in _DEIDENTIFIED:
        plain = [portion for portion in portions if portion not in schema.deidentified]
        if plain:
            raise InvalidInputError(
                f"role {name!r}: the schema does not say how portion {plain[0]!r} is de-identified"
            )
    return portions
