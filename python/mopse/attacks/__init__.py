"""Attacks: what ciphertexts, queries and a corrupt provider give away.

An attack is given a `View` and what is known beforehand (`Auxiliary`), and returns a `Guess` or a
`Posterior`. Only `score` sees the truth.
"""

from mopse.attacks._auxiliary import Auxiliary, total_variation
from mopse.attacks._guess import NO_GUESS, Guess, Posterior
from mopse.attacks._view import Adversary, Domain, Index, Insider, ObservedToken, View

__all__ = [
    "NO_GUESS",
    "Adversary",
    "Auxiliary",
    "Domain",
    "Guess",
    "Index",
    "Insider",
    "ObservedToken",
    "Posterior",
    "View",
    "total_variation",
]
