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
from mopse.attacks._deployment import (
    COMMON,
    DETERMINISTIC,
    MARKS,
    MOPSE,
    PER_PROVIDER,
    PLAIN,
    PLUS,
    SCHEMES,
    Deployment,
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
from mopse.attacks._insider import (
    by_copies,
    candidates,
    expected_candidates,
    labelled,
    linkage,
    locate,
    subtree_share,
)
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
from mopse.attacks._score import CERTAIN, blind, score, summary
from mopse.attacks._view import Adversary, Domain, Index, Insider, ObservedToken, View

__all__ = [
    "CERTAIN",
    "COMMON",
    "DETERMINISTIC",
    "MARKS",
    "MOPSE",
    "NO_GUESS",
    "PER_PROVIDER",
    "PLAIN",
    "PLUS",
    "SCHEMES",
    "AccessPatterns",
    "Adversary",
    "Auxiliary",
    "Deployment",
    "Domain",
    "Guess",
    "Index",
    "Insider",
    "ObservedToken",
    "Posterior",
    "View",
    "access_patterns",
    "approx_value",
    "blind",
    "boundaries",
    "boundary_classes",
    "by_copies",
    "candidates",
    "differential",
    "distance",
    "dyadic_differential",
    "dyadic_segments",
    "expected_candidates",
    "expected_queries",
    "exposed",
    "exposed_fraction",
    "exposure",
    "generalized_kkno",
    "geometry",
    "information",
    "labelled",
    "limit_information",
    "limit_window_advantage",
    "linkage",
    "locate",
    "reflected",
    "score",
    "segments",
    "simulate_queries",
    "subtree_share",
    "summary",
    "support_gaps",
    "total_variation",
    "window_advantage",
]
