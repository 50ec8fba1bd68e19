"""Which attacks on a snapshot are run on which scheme."""

from collections.abc import Callable

from mopse import _scheme_names as schemes
from mopse._checked import measured
from mopse.attacks import (
    Auxiliary,
    Domain,
    Guess,
    Posterior,
    View,
    cumulative,
    differential,
    dyadic_differential,
    frequency,
    geometry,
    monotone_cumulative,
    multinomial,
    non_crossing,
    ordered_posterior,
    rank,
    sorting,
)

__all__ = ["APPLY", "ATTACKS", "applies"]

Attack = Callable[[View, str, Auxiliary], Guess | Posterior]

LONGEST_ASSIGNMENT = 512  # values; an assignment costs the cube

WITH_REPETITION: dict[str, Attack] = {
    "sorting": lambda view, field, _: sorting(view, field),
    "frequency": frequency,
    "cumulative": cumulative,
    "monotone cumulative": monotone_cumulative,
    "non-crossing": non_crossing,
    "multinomial": multinomial,
    "posterior": ordered_posterior,
}
"""Attacks on equal ciphertexts of equal values."""

WITHOUT_REPETITION: dict[str, Attack] = {
    "rank": rank,
    "geometry": lambda view, field, _: geometry(view, field),
    "change points": differential,
    "dyadic": dyadic_differential,
}
"""Attacks on ciphertexts that repeat by chance only."""

APPLY: dict[str, tuple[str, ...]] = {
    schemes.DETERMINISTIC: (*WITH_REPETITION, "rank", "geometry"),
    schemes.COMMON: tuple(WITHOUT_REPETITION),
    schemes.PER_PROVIDER: ("rank", "geometry"),
    schemes.MOPSE: ("rank", "geometry", "change points"),
    schemes.PLUS: ("rank", "geometry"),
}
"""Which attacks on a snapshot are run on which scheme."""

ATTACKS = {**WITH_REPETITION, **WITHOUT_REPETITION}


@measured()
def applies(attack: str, domain: Domain) -> bool:
    """Say whether an attack is done before long in a domain."""
    return attack != "cumulative" or domain.cells <= LONGEST_ASSIGNMENT
