"""Attacks: what ciphertexts, queries and a corrupt provider give away.

An attack is given a `View` and what is known beforehand (`Auxiliary`), and returns a `Guess` or a
`Posterior`. Only `score` sees the truth.
"""

from mopse.attacks._auxiliary import Auxiliary, total_variation
from mopse.attacks._density import (
    differential,
    dyadic_differential,
    dyadic_segments,
    segments,
)
from mopse.attacks._geometry import (
    distance,
    geometry,
    information,
    limit_information,
    limit_window_advantage,
    window_advantage,
)
from mopse.attacks._guess import NO_GUESS, Guess, Posterior
from mopse.attacks._queries import (
    AccessPatterns,
    access_patterns,
    approx_value,
    boundaries,
    boundary_classes,
    expected_queries,
    exposed,
    exposed_fraction,
    exposure,
    generalized_kkno,
    reflected,
    simulate_queries,
    support_gaps,
)
from mopse.attacks._view import Adversary, Domain, Index, Insider, ObservedToken, View

__all__ = [
    "NO_GUESS",
    "AccessPatterns",
    "Adversary",
    "Auxiliary",
    "Domain",
    "Guess",
    "Index",
    "Insider",
    "ObservedToken",
    "Posterior",
    "View",
    "access_patterns",
    "approx_value",
    "boundaries",
    "boundary_classes",
    "differential",
    "distance",
    "dyadic_differential",
    "dyadic_segments",
    "expected_queries",
    "exposed",
    "exposed_fraction",
    "exposure",
    "generalized_kkno",
    "geometry",
    "information",
    "limit_information",
    "limit_window_advantage",
    "reflected",
    "segments",
    "simulate_queries",
    "support_gaps",
    "total_variation",
    "window_advantage",
]
