"""What an attack returns: a value per record, or a distribution per record, or no guess."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse._checks import whole
from mopse.attacks._view import Domain

__all__ = ["NO_GUESS", "Guess", "Posterior"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_GUESS = -1
"""What stands where an attack has no guess."""


@checked()
@dataclass(frozen=True, eq=False)
class Guess:
    """One value per record of a view.

    Parameters
    ----------
    values : (records,) int64 array
        Plaintexts, `NO_GUESS` where there is none.
    confidence : (records,) float64 array, optional
        The probability the attack claims for each; 1 is certainty.
    """

    values: Integers
    confidence: Floats | None = None

    @property
    def is_guessed(self) -> NDArray[np.bool_]:
        """Which records there is a guess for."""
        return np.not_equal(self.values, NO_GUESS)


@checked(masses=2)
@dataclass(frozen=True, eq=False)
class Posterior:
    """One distribution per record of a view; records of one class share it.

    Parameters
    ----------
    domain : Domain
        The field's values.
    classes : (records,) int64 array
        The row of `masses` for each record, -1 where nothing is claimed.
    masses : (k, M) float64 array
        The probability of each value, for each class; rows sum to 1.
    """

    domain: Domain
    classes: Integers
    masses: Floats

    @checked()
    def guess(self, tolerance: int = 0) -> Guess:
        """Return the values that are most likely within a tolerance.

        Parameters
        ----------
        tolerance : int
            How far a guess may be off and still count, in steps.

        Returns
        -------
        Guess
            ``argmax_v sum of masses over |j - v| <= tolerance``, with that sum as confidence.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the tolerance is negative.
        """
        tolerance = min(whole(tolerance, "tolerance", least=0), self.domain.plaintexts)
        windows = self.masses
        if tolerance:
            sums = np.pad(np.cumsum(windows, axis=1), ((0, 0), (1, 0)))
            values = np.arange(self.domain.plaintexts)
            low = np.maximum(values - tolerance, 0)
            high = np.minimum(values + tolerance, self.domain.plaintexts - 1) + 1
            windows = sums[:, high] - sums[:, low]
        best = windows.argmax(axis=1)
        is_guessed = self.classes >= 0
        confidence = np.minimum(windows[np.arange(len(best)), best], 1.0)
        return Guess(
            np.where(is_guessed, best[self.classes], NO_GUESS),
            np.where(is_guessed, confidence[self.classes], 0.0),
        )
