"""What an adversary sees: ciphertexts, bounds, and what its own keyring tells. No key, no truth."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Never

import numpy as np
from numpy.typing import NDArray

from mopse._arrays import floats
from mopse._checked import checked
from mopse._checks import integers, whole
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = [
    "Adversary",
    "Domain",
    "Index",
    "Insider",
    "ObservedSeal",
    "ObservedToken",
    "Replaced",
    "View",
]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_MOST_PLAINTEXTS = 2**32
_ANY = (-math.inf, math.inf)


class Adversary(StrEnum):
    """Who looks.

    Notes
    -----
    *snapshot*: a copy of the cloud's store. *cloud*: also sees all queries and all changes, and
    remembers them. *provider*: one provider's keyring and its own records. *provider+snapshot*: the
    realistic breach.
    *provider+cloud*: a provider that works with the cloud. *user+cloud*: whoever has queries asked
    works with the cloud, and so knows the values they ask for.
    """

    SNAPSHOT = "snapshot"
    CLOUD = "cloud"
    PROVIDER = "provider"
    PROVIDER_SNAPSHOT = "provider+snapshot"
    PROVIDER_CLOUD = "provider+cloud"
    USER_CLOUD = "user+cloud"

    @classmethod
    def _missing_(cls, value: object) -> Never:
        if not isinstance(value, str):
            raise WrongTypeError(f"an adversary's value is a string, not {type(value).__name__}")
        raise InvalidInputError(f"there is no adversary {value!r}: {', '.join(cls)}")


@checked()
@dataclass(frozen=True)
class Domain:
    """The values a field can have, which its schema says in public.

    Parameters
    ----------
    plaintexts : int
        How many values: they are 0 to plaintexts - 1.
    cell : int
        How many neighbouring values share a cell of the index.
    """

    plaintexts: int
    cell: int = 1

    def __post_init__(self) -> None:
        whole(self.cell, "cell", least=1)
        if whole(self.plaintexts, "plaintexts", least=1) > _MOST_PLAINTEXTS:
            raise InvalidInputError(f"plaintexts is {self.plaintexts}, expected at most 2^32")

    @property
    def cells(self) -> int:
        """How many cells there are: the values an attack can tell apart."""
        return -(-self.plaintexts // self.cell)

    @checked()
    def cell_masses(self, distribution: Floats) -> Floats:
        """Return the probability of each cell.

        Parameters
        ----------
        distribution : (plaintexts,) float array
            The probability of each value.

        Returns
        -------
        (cells,) float64 array
            Sums over the values of each cell.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is not one probability per value.
        """
        shares = self._shares(distribution)
        return np.add.reduceat(shares, np.arange(0, self.plaintexts, self.cell))

    def _shares(self, distribution: Any) -> Floats:
        shares = floats(distribution, "the probabilities")
        if not np.isfinite(shares).all():
            entry = int(np.isfinite(shares).argmin())
            raise InvalidInputError(f"the probabilities: entry {entry} is not finite")
        if len(shares) != self.plaintexts:
            raise InvalidInputError(
                f"probabilities of shape {shares.shape}, not ({self.plaintexts},)"
            )
        return shares

    def _require(self, distribution: Floats) -> None:
        if distribution.shape != (self.plaintexts,):
            raise InvalidInputError(
                f"distribution: probabilities of shape {distribution.shape}, not "
                f"({self.plaintexts},)"
            )

    @checked()
    def likeliest(self, distribution: Floats | None = None) -> Integers:
        """Return the best guess of a value when only its cell is known.

        Parameters
        ----------
        distribution : (plaintexts,) float array, optional
            What is known of the values; without it the guess is the lowest value of the cell, as
            good as any other.

        Returns
        -------
        (cells,) int64 array
            One value per cell.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is not one probability per value.
        """
        starts = np.arange(0, self.plaintexts, self.cell)
        if distribution is None:
            return starts
        shares = self._shares(distribution)
        if self.cell == 1:
            return starts
        parts = np.split(shares, starts[1:])
        return starts + np.array([part.argmax() for part in parts], np.int64)


@checked()
@dataclass(frozen=True, eq=False)
class Index:
    """One field of one group as the store holds it, merged.

    Parameters
    ----------
    group : str
        Whose entries are merged here.
    ciphertexts : (n,) int64 array
        Ascending.
    records : (n,) int64 array
        Which record of the view each belongs to. That entries of two fields belong to one record
        shows in the store.
    """

    group: str
    ciphertexts: Integers
    records: Integers

    def classes(self) -> tuple[Integers, Integers]:
        """Return the class of equal ciphertexts that each entry is in, and the size of each class.

        Returns
        -------
        (n,) int64 array and (k,) int64 array
            Numbers of classes in ciphertext order, and how many entries each has.
        """
        _, classes, counts = np.unique(self.ciphertexts, return_inverse=True, return_counts=True)
        return classes.astype(np.int64), counts.astype(np.int64)


@checked(ciphertexts=2)
@dataclass(frozen=True, eq=False)
class Replaced:
    """What the cloud saw of records that were replaced, in one field of one group.

    Only changes from a value to a value are here; a value that stays in its cell keeps its
    ciphertext, and is here too.

    Parameters
    ----------
    group : str
        Whose entries they are.
    ciphertexts : (n, 2) int64 array
        The old and the new one of each change, in the order they came.
    records : (n,) int64 array
        Which record of the view each belongs to; from `View.records` on, one that was deleted
        since.
    """

    group: str
    ciphertexts: Integers
    records: Integers


@checked(tables=2)
@dataclass(frozen=True, eq=False)
class ObservedSeal:
    """A provider's statement of all its records, as the store holds it.

    Parameters
    ----------
    sender : int
        The number of the provider, as in `View.senders`.
    number : int
        How many seals it has made.
    records : int
        How many records it states.
    tables : mapping from str to (slots, 2) uint64 array
        For each proven field the high and the low half of the number in each slot.
    """

    sender: int
    number: int
    records: int
    tables: Mapping[str, NDArray[np.uint64]]


@checked(bounds=_ANY, values=_ANY, slots=_ANY)
@dataclass(frozen=True)
class ObservedToken:
    """One token of a query as the cloud sees it.

    Parameters
    ----------
    query : int
        Tokens of one query have one number: whoever sends them together links them.
    group : str
        The group whose index it searches.
    bounds : mapping from str to (int, int)
        For each field the lowest and the highest ciphertext asked for.
    values : mapping from str to (int, int)
        The plaintexts asked for, both included; known only to who works with the asker.
    slots : mapping from str to (int, int)
        For each field whose range is to be proven the slots of a seal where it begins and ends.
    """

    query: int
    group: str
    bounds: Mapping[str, tuple[int, int]]
    values: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    slots: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@checked(spans=2)
@dataclass(frozen=True, eq=False)
class Insider:
    """What a provider gives to an adversary, worked out with its keyring: tables, not keys.

    Parameters
    ----------
    spans : mapping from (group, field) to (cells, 2) int64 array
        For each field of each group in reach, the first and the last ciphertext of each cell, as
        far as the provider knows them.
    own : mapping from str to (records,) int64 array
        For each field the values of records the provider can open, -1 elsewhere.
    """

    provider: str
    spans: Mapping[tuple[str, str], Integers]
    own: Mapping[str, Integers]


@checked()
@dataclass(frozen=True, eq=False)
class View:
    """Exactly what one adversary sees of a run of this package.

    An attack is given a view, and what is known beforehand, and nothing else: neither keys nor the
    records' values can be reached from here.

    Parameters
    ----------
    domains : mapping from str to Domain
        The public schema.
    senders : (records,) int64 array
        The number of the provider that sent each record.
    indexes : mapping from str to sequence of Index
        For each field its index in each group; none for an adversary without the store.
    tokens : sequence of ObservedToken
        Queries, in the order they came; none for an adversary that sees no queries.
    insider : Insider, optional
        What a provider among the adversaries knows.
    replaced : mapping from str to sequence of Replaced
        For each field what was seen of replaced records; none for an adversary that sees no
        changes. A copy of the store shows live records only, as `mopse.stores.Store.merged` does;
        one that was made before the store forgot what was replaced shows more.
    deleted : mapping from str to sequence of Index
        For each field the entries of deleted records, for who saw them: these are numbered from
        `records` on.
    gone : (d,) int64 array
        The number of the provider of each deleted record, as tombstones show it.
    seals : sequence of ObservedSeal
        What providers sealed, of fields whose answers are proven; none for an adversary without the
        store.
    """

    adversary: Adversary
    domains: Mapping[str, Domain]
    senders: Integers
    indexes: Mapping[str, Sequence[Index]]
    tokens: Sequence[ObservedToken] = ()
    insider: Insider | None = None
    replaced: Mapping[str, Sequence[Replaced]] = field(default_factory=dict)
    deleted: Mapping[str, Sequence[Index]] = field(default_factory=dict)
    gone: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    seals: Sequence[ObservedSeal] = ()

    @property
    def records(self) -> int:
        """How many records the store holds."""
        return len(self.senders)

    @classmethod
    @checked()
    def snapshot(cls, ciphertexts: Any, plaintexts: int, *, cell: int = 1) -> "View":
        """Return the snapshot of one column of ciphertexts, whose field is called ``x``.

        Parameters
        ----------
        ciphertexts : (n,) integer array
            One per record, in any order.
        plaintexts : int
            How many values the field can have.
        cell : int
            How many neighbouring values share a cell.

        Returns
        -------
        View
            Record ``i`` is entry ``i`` of the array.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no ciphertext.
        mopse.errors.WrongTypeError
            If ciphertexts are not integers.

        Examples
        --------
        >>> View.snapshot([30, 10, 10], plaintexts=2).index("x").ciphertexts.tolist()
        [10, 10, 30]
        """
        column = integers(ciphertexts, "the ciphertexts")
        if not len(column):
            raise InvalidInputError("a snapshot without ciphertexts shows nothing")
        order = np.argsort(column, kind="stable")
        return cls(
            Adversary.SNAPSHOT,
            {"x": Domain(plaintexts, cell)},
            np.zeros(len(column), np.int64),
            {"x": [Index("", column[order], order)]},
        )

    @checked()
    def domain(self, field: str) -> Domain:
        """Return the domain of a field.

        Returns
        -------
        Domain
            From the schema.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such field.
        """
        if field not in self.domains:
            raise InvalidInputError(f"the view has no field {field!r}")
        return self.domains[field]

    @checked()
    def indexes_of(self, field: str) -> Sequence[Index]:
        """Return the indexes of a field that hold entries.

        Returns
        -------
        sequence of Index
            At least one.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such field, or no entry of it is seen.
        """
        self.domain(field)
        held = [index for index in self.indexes.get(field, ()) if len(index.ciphertexts)]
        if not held:
            raise InvalidInputError(f"a view of {self.adversary} holds no entry of {field!r}")
        return held

    @checked()
    def index(self, field: str) -> Index:
        """Return the only index of a field.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such field, no entry of it is seen, or there are several indexes.
        """
        held = self.indexes_of(field)
        if len(held) > 1:
            raise InvalidInputError(f"{field!r} has {len(held)} indexes: choose a group")
        return held[0]

    @checked()
    def alone(self, sender: int) -> "View":
        """Return the view of one provider's entries, as if no other had sent any.

        Parameters
        ----------
        sender : int
            The provider's number, as in `senders`.

        Returns
        -------
        View
            Records keep their numbers. What was seen of changes is left out.
        """
        return self._with_records(lambda records: self.senders[records] == sender, lambda r: r)

    @checked()
    def shuffled(self, seed: int) -> "View":
        """Return the view with entries dealt to records at random: the control without any order.

        Returns
        -------
        View
            What attacks find here they find without looking at the ciphertexts' order. Records of
            each index keep an entry in it. What was seen of changes is left out.
        """
        random = np.random.default_rng(seed)
        return self._with_records(lambda records: np.full(len(records), True), random.permutation)

    def remembered(self) -> "View":
        """Return the view with deleted records in it, as if they had stayed.

        Returns
        -------
        View
            They are numbered from `records` on, in the order they were deleted.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the adversary sees that records were deleted, and not their entries.
        """
        if not len(self.gone):
            return self
        if not self.deleted:
            raise InvalidInputError(f"a view of {self.adversary} shows no entry of what is deleted")
        indexes = {}
        for name, held in self.indexes.items():
            by_group = {index.group: index for index in held}
            for lost in self.deleted.get(name, ()):
                kept = by_group.get(lost.group)
                both = [lost] if kept is None else [kept, lost]
                ciphertexts = np.concatenate([index.ciphertexts for index in both])
                order = np.argsort(ciphertexts, kind="stable")
                records = np.concatenate([index.records for index in both])
                by_group[lost.group] = Index(lost.group, ciphertexts[order], records[order])
            indexes[name] = list(by_group.values())
        insider = self.insider
        if insider is not None:
            unopened = np.full(len(self.gone), -1, np.int64)
            own = {name: np.append(values, unopened) for name, values in insider.own.items()}
            insider = replace(insider, own=own)
        return replace(
            self,
            senders=np.append(self.senders, self.gone),
            indexes=indexes,
            insider=insider,
            deleted={},
            gone=np.zeros(0, np.int64),
        )

    def _with_records(
        self,
        is_kept: Callable[[Integers], NDArray[np.bool_]],
        dealt: Callable[[Integers], Integers],
    ) -> "View":
        """Return the view with some entries, whose records are dealt anew."""
        indexes = {}
        for name, held in self.indexes.items():
            indexes[name] = [
                Index(i.group, i.ciphertexts[keep], dealt(i.records[keep]))
                for i in held
                for keep in [is_kept(i.records)]
            ]
        nothing = np.zeros(0, np.int64)
        return replace(self, indexes=indexes, replaced={}, deleted={}, gone=nothing)
