"""What an adversary knows beforehand: how often values occur in a population like the target."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse._checks import listed
from mopse._formulas import counts_of
from mopse._table import as_frame
from mopse.attacks._view import Domain
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.schema import Schema

__all__ = ["Auxiliary", "total_variation"]

Floats = NDArray[np.float64]


class Auxiliary:
    """How often each value occurs in other records: a census, an older survey, a held-out half.

    Parameters
    ----------
    counts : mapping from str to (M,) array
        For each field how often each value 0 to M - 1 was counted. Only proportions matter, but
        for the smoothing: few records weigh less against a value that was never seen.
    joint : mapping from (str, str) to (M1, M2) array, optional
        For pairs of fields how often values were counted together.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a count is negative or not finite, or all are zero.
    mopse.errors.WrongTypeError
        If counts are not numbers.

    Notes
    -----
    It must never be the target's own histogram: an attack that is given the answer shows nothing.

    Examples
    --------
    >>> Auxiliary({"x": [1, 3]}).distribution("x", Domain(2)).tolist()
    [0.3, 0.7]
    """

    @checked()
    def __init__(
        self,
        counts: Mapping[str, Any],
        joint: Mapping[tuple[str, str], Any] | None = None,
    ) -> None:
        if not isinstance(counts, Mapping) or not isinstance(joint, Mapping | None):
            raise WrongTypeError("counts must be a mapping from names of fields to arrays")
        self._counts = {
            name: counts_of(values, f"field {name!r}") for name, values in counts.items()
        }
        self._joint = {
            pair: counts_of(values, f"fields {pair!r}", 2) for pair, values in (joint or {}).items()
        }

    @classmethod
    @checked()
    def from_table(
        cls, table: Any, schema: Schema, *, pairs: Sequence[tuple[str, str]] = ()
    ) -> "Auxiliary":
        """Count a table of other records.

        Parameters
        ----------
        table : table
            Records in the clear: Polars, pandas or Arrow, or a mapping from names to arrays.
        schema : Schema
            The fields; each is a column of the table.
        pairs : sequence of (str, str)
            Fields to count together.

        Returns
        -------
        Auxiliary
            Counts of every field that has a value.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a column is missing, or a value is outside its field.
        """
        frame = schema._named(as_frame(table))
        unknown = [name for pair in pairs for name in pair if name not in schema]
        if unknown:
            raise InvalidInputError(f"the schema has no field {unknown[0]!r} to count together")
        columns = {}
        for name, field in schema.items():
            if name not in frame.columns:
                raise InvalidInputError(
                    f"the table has no column {name!r}: {listed(name, frame.columns)}"
                )
            rows, plaintexts = field.plaintexts_of(frame[name])
            columns[name] = np.full(frame.height, -1, np.int64)
            columns[name][rows] = plaintexts
        counts = {
            name: np.bincount(column[column >= 0], minlength=schema[name].plaintexts)
            for name, column in columns.items()
            if (column >= 0).any()
        }
        joint = {}
        for left, right in pairs:
            is_both = (columns[left] >= 0) & (columns[right] >= 0)
            shape = schema[left].plaintexts, schema[right].plaintexts
            place = columns[left][is_both] * shape[1] + columns[right][is_both]
            joint[left, right] = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
        return cls(counts, joint)

    @checked()
    def distribution(self, field: str, domain: Domain) -> Floats:
        """Return the probability of each value, smoothed so that none is zero.

        Parameters
        ----------
        domain : Domain
            Its values.

        Returns
        -------
        (M,) float64 array
            ``(count + 1/2) / (sum + M/2)``.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the field was not counted, or counted over another domain.
        """
        if field not in self._counts:
            raise InvalidInputError(f"nothing is known of field {field!r} beforehand")
        counts = self._counts[field]
        if counts.shape != (domain.plaintexts,):
            raise InvalidInputError(
                f"field {field!r}: counts of {counts.size} values, the domain has "
                f"{domain.plaintexts}"
            )
        smoothed: Floats = (counts + 0.5) / (counts.sum() + 0.5 * counts.size)
        return smoothed

    @checked()
    def joint(self, left: str, right: str, domains: tuple[Domain, Domain]) -> Floats:
        """Return the probability of each pair of values, smoothed so that none is zero.

        Parameters
        ----------
        left, right : str
            Names of two fields.
        domains : (Domain, Domain)
            Their values.

        Returns
        -------
        (M1, M2) float64 array
            Half a count is shared by each row and column as independent values would share it.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the pair was not counted, or counted over other domains.
        """
        if (left, right) not in self._joint:
            raise InvalidInputError(f"{left!r} and {right!r} were not counted together")
        counts = self._joint[left, right]
        if counts.shape != (domains[0].plaintexts, domains[1].plaintexts):
            raise InvalidInputError(
                f"fields {left!r} and {right!r}: counts of {counts.shape[0]} by {counts.shape[1]} "
                f"values, the domains have {domains[0].plaintexts} by {domains[1].plaintexts}"
            )
        independent = np.outer(
            self.distribution(left, domains[0]), self.distribution(right, domains[1])
        )
        weight = 0.5 * min(counts.shape)
        smoothed: Floats = (counts + weight * independent) / (counts.sum() + weight)
        return smoothed

    @checked()
    def wrong(self, distance: float, *, seed: int = 0) -> "Auxiliary":
        """Return knowledge that is wrong by a stated total-variation distance in every field.

        Parameters
        ----------
        distance : float
            Half the sum of absolute differences, 0 to below 1.
        seed : int
            Of the order in which a skewed distribution that is mixed in falls over the values.

        Returns
        -------
        Auxiliary
            As many counts in sum; pairs are left out.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the distribution mixed in is not as far away.
        """
        random = np.random.default_rng(seed)
        moved = {}
        for name, counts in self._counts.items():
            share = counts / counts.sum()
            skewed = 1 / np.arange(1, len(share) + 1) ** 2
            drawn = [random.permutation(skewed / skewed.sum()) for _ in range(16)]
            other = max(drawn, key=lambda q: total_variation(share, q))
            furthest = total_variation(share, other)
            if not 0 <= distance <= furthest:
                raise InvalidInputError(
                    f"field {name!r}: a distance of {distance} is not between 0 and {furthest:.3f}"
                )
            part = distance / furthest if furthest else 0.0
            moved[name] = counts.sum() * ((1 - part) * share + part * other)
        return Auxiliary(moved)

    def __repr__(self) -> str:
        return f"Auxiliary({sorted(self._counts)}, pairs={sorted(self._joint)})"


@checked()
def total_variation(left: Any, right: Any) -> float:
    """Return the total-variation distance of two distributions.

    Parameters
    ----------
    left, right : (M,) array
        Counts or probabilities over one domain.

    Returns
    -------
    float
        Half the sum of absolute differences, 0 to 1.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the domains differ, or counts are not as they must be.

    Examples
    --------
    >>> total_variation([1, 1], [1, 0])
    0.5
    """
    first, second = counts_of(left, "the first"), counts_of(right, "the second")
    if first.shape != second.shape:
        raise InvalidInputError("the distributions are over domains of other sizes")
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)
