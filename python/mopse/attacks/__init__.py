"""Attacks: what ciphertexts, queries, a corrupt provider and stolen log-ins give away.

An attack is given a `View` and what is known beforehand (`Auxiliary`), and returns a `Guess` or a
`Posterior`. Only `score` sees the truth.
"""

from typing import TYPE_CHECKING, Any

from mopse._formulas import (
    expected_candidates,
    expected_density,
    expected_queries,
    expected_rank_recovery,
    exposed_fraction,
    information,
    limit_information,
    limit_window_advantage,
    rank_share,
    subtree_share,
    window_advantage,
)
from mopse._scheme_names import (
    COMMON,
    DETERMINISTIC,
    MARKS,
    MOPSE,
    PER_PROVIDER,
    PLAIN,
    PLUS,
    SCHEMES,
)
from mopse.attacks._access import (
    AccessPatterns,
    access_patterns,
    approx_value,
    generalized_kkno,
    reflected,
)
from mopse.attacks._auxiliary import Auxiliary, total_variation
from mopse.attacks._boundaries import (
    boundaries,
    boundary_classes,
    exposed,
    exposure,
    simulate_queries,
    support_gaps,
)
from mopse.attacks._density import (
    differential,
    dyadic_differential,
    dyadic_segments,
    segments,
)
from mopse.attacks._geometry import distance, geometry
from mopse.attacks._guess import NO_GUESS, Guess, Posterior
from mopse.attacks._insider import (
    by_copies,
    candidates,
    labelled,
    linkage,
    locate,
)
from mopse.attacks._logins import (
    LOGIN_FORMS,
    LoginGuess,
    StolenLogins,
    fallen,
    guess_logins,
)
from mopse.attacks._marks import Marks, locate_between_marks, widest_gaps
from mopse.attacks._reencryption import (
    match_chunks,
    read_by_norm,
    read_from_chunk,
    read_with_escrow,
    read_with_kept,
    read_with_reencryption_key,
)
from mopse.attacks._reidentify import reidentify, unshift
from mopse.attacks._score import CERTAIN, blind, class_recovery, score, summary
from mopse.attacks._snapshot import (
    assignment,
    correlated,
    cumulative,
    frequency,
    monotone_cumulative,
    multinomial,
    non_crossing,
    ordered_posterior,
    rank,
    sorting,
)
from mopse.attacks._updates import raised
from mopse.attacks._view import (
    Adversary,
    Domain,
    Index,
    Insider,
    ObservedSeal,
    ObservedToken,
    Replaced,
    View,
)

if TYPE_CHECKING:
    from mopse.attacks._deployment import Deployment
    from mopse.attacks._login_store import LoginStore
    from mopse.attacks._release import release_readers

__all__ = [
    "CERTAIN",
    "COMMON",
    "DETERMINISTIC",
    "LOGIN_FORMS",
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
    "LoginGuess",
    "LoginStore",
    "Marks",
    "ObservedSeal",
    "ObservedToken",
    "Posterior",
    "Replaced",
    "StolenLogins",
    "View",
    "access_patterns",
    "approx_value",
    "assignment",
    "blind",
    "boundaries",
    "boundary_classes",
    "by_copies",
    "candidates",
    "class_recovery",
    "correlated",
    "cumulative",
    "differential",
    "distance",
    "dyadic_differential",
    "dyadic_segments",
    "expected_candidates",
    "expected_density",
    "expected_queries",
    "expected_rank_recovery",
    "exposed",
    "exposed_fraction",
    "exposure",
    "fallen",
    "frequency",
    "generalized_kkno",
    "geometry",
    "guess_logins",
    "information",
    "labelled",
    "limit_information",
    "limit_window_advantage",
    "linkage",
    "locate",
    "locate_between_marks",
    "match_chunks",
    "monotone_cumulative",
    "multinomial",
    "non_crossing",
    "ordered_posterior",
    "raised",
    "rank",
    "rank_share",
    "read_by_norm",
    "read_from_chunk",
    "read_with_escrow",
    "read_with_kept",
    "read_with_reencryption_key",
    "reflected",
    "reidentify",
    "release_readers",
    "score",
    "segments",
    "simulate_queries",
    "sorting",
    "subtree_share",
    "summary",
    "support_gaps",
    "total_variation",
    "unshift",
    "widest_gaps",
    "window_advantage",
]


def __getattr__(name: str) -> Any:
    """Import what shows an attack its view when it is asked for: it holds keys, attacks do not."""
    if name == "Deployment":
        from mopse.attacks._deployment import Deployment

        return Deployment
    if name == "LoginStore":
        from mopse.attacks._login_store import LoginStore

        return LoginStore
    if name == "release_readers":
        from mopse.attacks._release import release_readers

        return release_readers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
