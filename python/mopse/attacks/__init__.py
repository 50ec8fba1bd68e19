"""Attacks: what ciphertexts, queries and a corrupt provider give away.

An attack is given a `View` and what is known beforehand (`Auxiliary`), and returns a `Guess` or a
`Posterior`. Only `score` sees the truth.
"""

from mopse.attacks._auxiliary import Auxiliary, total_variation
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
    "blind",
    "by_copies",
    "candidates",
    "expected_candidates",
    "labelled",
    "linkage",
    "locate",
    "score",
    "subtree_share",
    "summary",
    "total_variation",
]
