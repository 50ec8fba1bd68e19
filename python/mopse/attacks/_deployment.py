"""A run of this package with keys and values in it, and the view each adversary gets of it.

Keys and the truth are here, so that they are nowhere else: attacks import no part of this module.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Never

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checked import checked
from mopse._checks import is_integer, mapping
from mopse._fork import check_tables
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
from mopse._table import as_frame, from_columns
from mopse.attacks._marks import Marks
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
from mopse.cloud import Cloud
from mopse.errors import DecryptionError, InvalidInputError, ScopeError, WrongTypeError
from mopse.messages import Query, Seal, Upload
from mopse.owner import Owner
from mopse.provider import Provider
from mopse.schema import Schema
from mopse.schemes import Opse
from mopse.stores import MemoryStore, Store
from mopse.user import User

__all__ = ["Deployment"]

_REAL = (MOPSE, PLUS)
_FAR_AHEAD = 2**40  # seconds; tokens of an experiment do not expire

Integers = NDArray[np.int64]


class Deployment:
    """Providers that encrypt tables under one scheme, a cloud that holds them, and queries.

    Parameters
    ----------
    scheme : str
        One of `SCHEMES`. Under MOPSE and MOPSE+ owner, providers, cloud and tokens are those of
        this package; the others are controls over the same tables. OPSE is one-to-many unless it
        says otherwise. ``"MOPSE, marks"`` is the layout that is for evaluation only.
    tables : mapping from str to table
        For each provider's path its records, with a column ``record_id``. Only under MOPSE+ does
        the path say whom a provider is under; parents come first.
    schema : Schema
        The fields. Its cells are those of the index under every scheme. Where answers of some are
        to be proven, providers seal whatever they send, and queries of such fields name slots;
        under the controls nobody does.
    seed : int
        Of all keys, which makes them no secret.
    store : Store, optional
        Where the cloud keeps it, under MOPSE and MOPSE+, empty at first; in memory by default.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such scheme or no table, or a value does not fit the schema.

    Notes
    -----
    Records are numbered in the order the store has them: by group and upload, and in an upload by
    pseudonym, so that a number tells nothing of a value. A change moves records to a new upload, so
    that numbers of a view hold until the next one; `truth` and `senders` are of the live records.
    """

    @checked()
    def __init__(
        self,
        scheme: str,
        tables: Mapping[str, Any],
        schema: Schema,
        *,
        seed: int,
        store: Any = None,
    ) -> None:
        check_tables()
        if scheme not in SCHEMES:
            raise InvalidInputError(f"there is no scheme {scheme!r}, only {', '.join(SCHEMES)}")
        if not tables:
            raise InvalidInputError("a deployment needs a provider with records")
        tables = {path: as_frame(table) for path, table in mapping(tables, "tables").items()}
        self.scheme, self.schema, self._seed = scheme, schema, seed
        self.domains = {name: Domain(f.plaintexts, f.cell) for name, f in schema.items()}
        self._owner = Owner.from_insecure_seed(schema, seed)
        self._providers: dict[str, Provider] = {}
        for path in tables:
            above, _, name = path.rpartition("/")
            is_below = scheme == PLUS and bool(above)
            self._providers[path] = self._owner.authorize(
                name if scheme == PLUS else path.replace("/", "."), above if is_below else None
            )
        self.providers = list(tables)
        self._store: Store = MemoryStore() if store is None else store
        self._cloud = Cloud(self._store)
        self._cloud.enroll(self._owner.public)
        for path, table in tables.items():
            provider = self._providers[path]
            provider.catch_up(self._cloud)
            upload = provider.encrypt(table, id="record_id", accept_leakage=schema)
            self._cloud.receive(upload)
        self._seals: dict[str, Seal] = {}
        self._seal(tables)
        self._enter(tables)
        self._number()
        self._tokens: list[ObservedToken] = []

    def _enter(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Give records the serial numbers that they keep, with their senders and values."""
        by_path = {provider.path: path for path, provider in self._providers.items()}
        self._serials: dict[tuple[str, Any], int] = {}
        self._names: list[tuple[str, Any]] = []
        self._uploads: dict[str, list[list[int]]] = {path: [] for path in tables}
        senders, handles = [], []
        for _, _, sender, _, _ in self._store.contents:
            path = by_path[sender]
            pseudonyms = self._providers[path].handles(tables[path]["record_id"])
            order = np.lexsort((pseudonyms[:, 1], pseudonyms[:, 0]))
            ids = tables[path]["record_id"][order]
            first = len(self._names)
            self._uploads[path].append(list(range(first, first + len(ids))))
            for record_id in ids:
                self._serials[path, record_id] = len(self._names)
                self._names.append((path, record_id))
            senders.append(np.full(len(ids), self.providers.index(path), np.int64))
            handles.append(pseudonyms[order])
        self._all_senders = np.concatenate(senders)
        self._all_handles = np.concatenate(handles)
        self._values = {name: np.full(len(self._names), -1, np.int64) for name in self.schema}
        for path, table in tables.items():
            serials = [self._serials[path, record_id] for record_id in table["record_id"]]
            for name, column in self._plaintexts(table).items():
                self._values[name][serials] = column
        self._replaced: dict[tuple[str, str], list[tuple[Integers, Integers]]] = {}
        self._deleted: list[int] = []
        self._lost: dict[str, tuple[list[str], Integers]] = {
            name: ([], np.zeros(0, np.int64)) for name in self.schema
        }

    def _plaintexts(self, table: pl.DataFrame) -> dict[str, Integers]:
        """Return the values of each field, -1 for none."""
        columns = {}
        for name, field in self.schema.items():
            rows, plaintexts = field.plaintexts_of(table[name])
            columns[name] = np.full(table.height, -1, np.int64)
            columns[name][rows] = plaintexts
        return columns

    def _number(self) -> None:
        """Give live records the numbers they have in the store, and merge their indexes."""
        by_path = {provider.path: path for path, provider in self._providers.items()}
        left = {path: iter(uploads) for path, uploads in self._uploads.items()}
        order = [s for line in self._store.contents for s in next(left[by_path[line[2]]])]
        self._order = np.array(order, np.int64)
        self._rows = {self._names[serial]: number for number, serial in enumerate(order)}
        self.senders = self._all_senders[self._order]
        self._handles = self._all_handles[self._order]
        self.truth = {name: values[self._order] for name, values in self._values.items()}
        self._indexes = {name: self._merged(name) for name in self.schema}

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "keys are neither pickled nor copied: make a deployment of the same tables and seed"
        )

    @property
    def records(self) -> int:
        """How many live records there are."""
        return len(self.senders)

    @property
    def truth_of_deleted(self) -> dict[str, Integers]:
        """For each field the last values of deleted records, as `View.remembered` numbers them."""
        return {name: values[self._deleted] for name, values in self._values.items()}

    @checked()
    def update(self, tables: Mapping[str, Any]) -> None:
        """Replace records by new versions, and remember what the cloud sees of it.

        Parameters
        ----------
        tables : mapping from str to table
            For each provider that changes some, its changed records: whole rows with a column
            ``record_id``.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such provider, a record is not stored, or a value does not fit the
            schema; nothing has changed then.
        """
        uploads, serials, values = [], [], []
        tables = {path: as_frame(table) for path, table in mapping(tables, "tables").items()}
        for path, table in tables.items():
            provider = self._changing(path)
            uploads.append(
                provider.update(
                    table, id="record_id", accept_leakage=self.schema, cloud=self._cloud
                )
            )
            values.append(self._plaintexts(table))
            serials.append([self._serials[path, record_id] for record_id in table["record_id"]])
        before = {name: self._entries(name) for name in self.schema}
        moved = self._carry_out(tables, uploads, serials)
        for (path, columns), changed in zip(zip(tables, values, strict=True), serials, strict=True):
            for name, column in columns.items():
                self._values[name][changed] = column
            self._uploads[path].append(self._by_handle(changed))
        self._number()
        for name, (groups, old) in before.items():
            now, new = self._entries(name)
            is_seen = (old[moved] >= 0) & (new[moved] >= 0) & (groups[moved] == now[moved])
            seen = moved[is_seen]
            for group in dict.fromkeys(now[seen]):
                own = seen[now[seen] == group]
                pairs = np.stack([old[own], new[own]], axis=1)
                self._replaced.setdefault((name, group), []).append((pairs, own))

    @checked()
    def delete(self, ids: Mapping[str, Sequence[Any]]) -> None:
        """Delete records, and remember what the cloud sees of it.

        Parameters
        ----------
        ids : mapping from str to sequence
            For each provider that deletes some, their record ids.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such provider, a record is not stored, or none would be left; nothing
            has changed then.
        """
        uploads, serials = [], []
        for path, chosen in ids.items():
            uploads.append(self._changing(path).delete(chosen, cloud=self._cloud))
            serials.append([self._serials[path, record_id] for record_id in chosen])
        if sum(map(len, serials)) == self.records:
            raise InvalidInputError("a deployment needs a provider with records")
        before = {name: self._entries(name) for name in self.schema}
        moved = self._carry_out(ids, uploads, serials)
        self._deleted += moved.tolist()
        for name, (groups, ciphertexts) in before.items():
            known, lost = self._lost[name]
            self._lost[name] = known + groups[moved].tolist(), np.append(lost, ciphertexts[moved])
        self._number()

    def _changing(self, path: str) -> Provider:
        if path not in self._providers:
            raise InvalidInputError(f"there is no provider {path!r}")
        return self._providers[path]

    def _carry_out(
        self, paths: Mapping[str, Any], uploads: list[Upload], serials: list[list[int]]
    ) -> Integers:
        """Let the cloud have uploads; return the records that leave theirs, as they came."""
        moved: list[int] = []
        for path, upload, changed in zip(paths, uploads, serials, strict=True):
            self._cloud.receive(upload)
            gone = set(changed)
            left = [[s for s in one if s not in gone] for one in self._uploads[path]]
            self._uploads[path] = [one for one in left if one]
            moved += self._by_handle(changed)
        self._seal(paths)
        return np.array(moved, np.int64)

    def _seal(self, paths: Iterable[str]) -> None:
        """Have providers seal what they have sent, if answers are to be proven."""
        if self.scheme not in _REAL or not self.schema.proven:
            return
        for path in paths:
            self._seals[path] = self._providers[path].seal()
            self._cloud.receive(self._seals[path])

    def _by_handle(self, serials: list[int]) -> list[int]:
        """Return records in the order in which an upload has them."""
        handles = self._all_handles[serials]
        return [serials[at] for at in np.lexsort((handles[:, 1], handles[:, 0]))]

    def _entries(self, field: str) -> tuple[NDArray[Any], Integers]:
        """Return the group and the ciphertext of each record by its serial number, -1 for none."""
        groups = np.full(len(self._names), "", object)
        ciphertexts = np.full(len(self._names), -1, np.int64)
        for index in self._indexes[field]:
            serials = self._order[index.records]
            groups[serials], ciphertexts[serials] = index.group, index.ciphertexts
        return groups, ciphertexts

    def _keys(self, purpose: str, count: int = 1) -> list[bytes]:
        """Return keys that only measure: whoever knows the seed has them."""
        random = np.random.default_rng([self._seed, *purpose.encode()])
        return [random.bytes(32) for _ in range(count)]

    def _opse(self, field: str) -> list[Opse]:
        """Return the OPSE of each provider: one for all, or one each."""
        cells = self.domains[field].cells
        count = len(self.providers) if self.scheme == PER_PROVIDER else 1
        return [Opse(key, cells) for key in self._keys(field, count)]

    def _marks(self, field: str) -> list[Marks]:
        domain = self.domains[field]
        (ruler,) = self._keys(field)
        keys = self._keys(f"{field}/marks", len(self.providers))
        return [Marks(ruler, key, domain.plaintexts, cell=domain.cell) for key in keys]

    def _merged(self, field: str) -> list[Index]:
        """Return a field's index in each group, as the store holds it."""
        if self.scheme in _REAL:
            return self._from_store(field)
        (held,) = np.nonzero(self.truth[field] >= 0)
        values = self.truth[field][held]
        serials = self._order[held]
        cells = values // self.domains[field].cell
        if self.scheme == PLAIN:
            return [_index("all", cells, held)]
        if self.scheme == DETERMINISTIC:
            return [_index("all", self._opse(field)[0].encrypt(cells), held)]
        if self.scheme == COMMON:
            return [_index("all", self._opse(field)[0].encrypt(cells, ids=serials), held)]
        ciphertexts = np.empty_like(held)
        for number in range(len(self.providers)):
            is_own = self.senders[held] == number
            if self.scheme == PER_PROVIDER:
                opse = self._opse(field)[number]
                ciphertexts[is_own] = opse.encrypt(cells[is_own], ids=serials[is_own])
            else:
                marks = self._marks(field)[number]
                handles = np.ascontiguousarray(self._handles[held[is_own]])
                ciphertexts[is_own] = marks.encrypt(values[is_own], handles)
        if self.scheme == MARKS:
            return [_index("all", ciphertexts, held)]
        return [
            _index(path, ciphertexts[is_own], held[is_own])
            for number, path in enumerate(self.providers)
            for is_own in [self.senders[held] == number]
        ]

    def _from_store(self, field: str) -> list[Index]:
        first = 0
        indexes = []
        contents = self._store.contents
        for owner, group in dict.fromkeys(line[:2] for line in contents):
            ciphertexts, records = self._store.merged(owner, group, field)
            indexes.append(Index(group, ciphertexts, first + records.astype(np.int64)))
            first += sum(line[3] for line in contents if line[:2] == (owner, group))
        return indexes

    @checked()
    def ask(
        self, ranges: Mapping[str, tuple[int, int]], *, provider: str | None = None
    ) -> list[ObservedToken]:
        """Send one query to the cloud.

        Parameters
        ----------
        ranges : mapping from str to (int, int)
            For each field the lowest and the highest plaintext, both included.
        provider : str, optional
            Path of the provider that asks; the owner otherwise.

        Returns
        -------
        list of ObservedToken
            What the cloud sees of it.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such field or provider, or the scheme is a control in which only the
            owner asks.
        """
        for field, (low, high) in ranges.items():
            domain = self.domains.get(field)
            is_whole = is_integer(low) and is_integer(high)
            if domain is None or not is_whole or not 0 <= low <= high < domain.plaintexts:
                raise InvalidInputError(f"there is no such range of field {field!r}")
        if provider is not None and (self.scheme not in _REAL or provider not in self._providers):
            raise InvalidInputError(f"provider {provider!r} asks nothing under {self.scheme}")
        number = len({token.query for token in self._tokens})
        slots: dict[str, tuple[int, int]] = {}
        if self.scheme in _REAL:
            seen = self._really_asked(ranges, provider)
        elif self.scheme == PER_PROVIDER:
            seen = [
                (path, {name: self._bounds(name, at, *r) for name, r in ranges.items()}, slots)
                for at, path in enumerate(self.providers)
            ]
        else:
            bounds = {name: self._bounds(name, 0, *r) for name, r in ranges.items()}
            seen = [("all", bounds, slots)]
        tokens = [ObservedToken(number, *token[:2], dict(ranges), token[2]) for token in seen]
        self._tokens += tokens
        return [replace(token, values={}) for token in tokens]

    def _really_asked(
        self, ranges: Mapping[str, tuple[int, int]], provider: str | None
    ) -> list[tuple[str, dict[str, tuple[int, int]], dict[str, tuple[int, int]]]]:
        """Sign a query, have the cloud check and answer it, and return what its tokens show."""
        asker: Any = self._owner if provider is None else self._providers[provider]
        asked = [(name, int(low), int(high)) for name, (low, high) in ranges.items()]
        is_proven = {*ranges} <= {*self.schema.proven}
        sign = asker._keyring.provable_query if is_proven else asker._keyring.query
        query = Query._signed(sign(asked, _FAR_AHEAD))
        self._cloud.count(query)
        slots = [{name: (low, high) for name, low, high in t.slots} for t in query.tokens]
        return list(zip(query.groups, query.bounds, slots, strict=True))

    def _bounds(self, field: str, provider: int, low: int, high: int) -> tuple[int, int]:
        cell = self.domains[field].cell
        if self.scheme == PLAIN:
            return low // cell, high // cell
        if self.scheme == MARKS:
            domain = self.domains[field]
            (key,) = self._keys(field)
            spans = _mopse.attack.ruler_spans(key, domain.plaintexts, domain.cell)
            return int(spans[low // cell, 0]), int(spans[high // cell, 1])
        return self._opse(field)[provider].bounds(low // cell, high // cell)

    @checked()
    def view(self, adversary: Adversary | str, *, provider: str | None = None) -> View:
        """Return what an adversary sees.

        Parameters
        ----------
        provider : str, optional
            Path of the corrupt provider, for those adversaries that have one.

        Returns
        -------
        View
            Arrays and numbers only.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such adversary or provider, or one is given to who has none.
        """
        if adversary not in set(Adversary):
            raise InvalidInputError(f"there is no adversary {adversary!r}")
        adversary = Adversary(adversary)
        has_insider = adversary.startswith("provider")
        if has_insider != (provider is not None):
            wanted = "needs" if has_insider else "has no"
            raise InvalidInputError(f"{adversary} {wanted} corrupt provider")
        if provider is not None and provider not in self._providers:
            raise InvalidInputError(f"there is no provider {provider!r}")
        sees_store = adversary is not Adversary.PROVIDER
        sees_queries = adversary in (
            Adversary.CLOUD,
            Adversary.PROVIDER_CLOUD,
            Adversary.USER_CLOUD,
        )
        knows_values = adversary is Adversary.USER_CLOUD
        replaced, deleted = self._changes() if sees_queries else ({}, {})
        tokens = [t if knows_values else replace(t, values={}) for t in self._tokens]
        return View(
            adversary,
            dict(self.domains),
            self.senders.copy(),
            {name: list(indexes) for name, indexes in self._indexes.items()} if sees_store else {},
            tokens if sees_queries else [],
            None if provider is None else self._insider(provider),
            replaced,
            deleted,
            self._all_senders[self._deleted] if sees_store else np.zeros(0, np.int64),
            self._sealed_tables() if sees_store else [],
        )

    @checked()
    def holder(self, ranges: Mapping[str, Any] | None = None, /, **more_ranges: Any) -> View:
        """Return what whoever has a right to search sees in a copy of the store.

        Parameters
        ----------
        ranges : mapping from str to range, optional
            Ranges of fields whose names are no Python names.
        **more_ranges : tuple
            As of `mopse.Owner.delegate`: those of the right. A user is made who is given it.

        Returns
        -------
        View
            Of the snapshot, with the cells of which the right holds the cuts: `locate` tells what
            they are good for.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the scheme has no rights, or a range is none.
        """
        if self.scheme not in _REAL:
            raise InvalidInputError(f"{self.scheme} has no rights to search")
        user = User.generate()
        user.accept(self._owner.delegate(user.public, ranges, **more_ranges))
        spans: dict[tuple[str, str], Integers] = {}
        for owner, right, held, *_ in _mopse.party.rights_held(user._grants, int(time.time())):
            for field, *_ in held:
                for group, first, cells in _mopse.party.spans_held(
                    user._grants, owner, right, field
                ):
                    # Cells below, of which nothing is known, begin and end below all ciphertexts.
                    below = np.repeat(np.arange(-first - 1, -1)[:, None], 2, axis=1)
                    spans[group, field] = np.concatenate([below, cells])
        own = {name: np.full(self.records, -1) for name in self.domains}
        return replace(self.view(Adversary.SNAPSHOT), insider=Insider("", spans, own))

    def _sealed_tables(self) -> list[ObservedSeal]:
        """Return what the store holds of seals."""
        seals = []
        for path, seal in self._seals.items():
            held = {name: seal._decoded.slots(name) for name in seal.tables}
            tables = {name: slots for name, slots in held.items() if slots is not None}
            sender = self.providers.index(path)
            seals.append(ObservedSeal(sender, seal.number, len(seal), tables))
        return seals

    def _changes(self) -> tuple[dict[str, list[Replaced]], dict[str, list[Index]]]:
        """Return what the cloud saw of changes, by field and group."""
        numbers = np.empty(len(self._names), np.int64)
        numbers[self._order] = np.arange(self.records)
        numbers[self._deleted] = self.records + np.arange(len(self._deleted))
        replaced: dict[str, list[Replaced]] = {}
        for (name, group), parts in self._replaced.items():
            pairs, serials = (np.concatenate(columns) for columns in zip(*parts, strict=True))
            replaced.setdefault(name, []).append(Replaced(group, pairs, numbers[serials]))
        deleted: dict[str, list[Index]] = {}
        for name, (groups, ciphertexts) in self._lost.items():
            for group in dict.fromkeys(groups):
                own = np.array([g == group for g in groups]) & (ciphertexts >= 0)
                if own.any():
                    records = self.records + np.flatnonzero(own)
                    deleted.setdefault(name, []).append(_index(group, ciphertexts[own], records))
        return replaced, deleted

    def _insider(self, provider: str) -> Insider:
        opened = self.opened(provider)
        own = {name: np.where(opened, truth, -1) for name, truth in self.truth.items()}
        return Insider(provider, self._spans(provider), own)

    def _spans(self, provider: str) -> dict[tuple[str, str], Integers]:
        """Return what a provider's key tells of each index it can encrypt for."""
        number = self.providers.index(provider)
        spans: dict[tuple[str, str], Integers] = {}
        for field, domain in self.domains.items():
            if self.scheme in _REAL:
                for group, table in self._providers[provider]._keyring.spans(field):
                    spans[group, field] = table
            elif self.scheme == MARKS:
                spans["all", field] = self._marks(field)[number].spans()
            elif self.scheme == PLAIN:
                spans["all", field] = np.repeat(np.arange(domain.cells)[:, None], 2, axis=1)
            else:
                group = provider if self.scheme == PER_PROVIDER else "all"
                at = number if self.scheme == PER_PROVIDER else 0
                opse = self._opse(field)[at]
                bounds = [opse.bounds(cell, cell) for cell in range(domain.cells)]
                spans[group, field] = np.array(bounds, np.int64)
        return spans

    @checked()
    def opened(self, provider: str) -> NDArray[np.bool_]:
        """Return which records a provider's keyring opens.

        Returns
        -------
        (records,) bool array
            Found by trying: every sealed record in the store is given to the keyring.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such provider.

        Notes
        -----
        Records are sealed as this package seals them. Under one common key, or none, the key that
        opens one opens all.
        """
        if provider not in self._providers:
            raise InvalidInputError(f"there is no provider {provider!r}")
        is_open = np.zeros(self.records, np.bool_)
        if self.scheme in (PLAIN, DETERMINISTIC, COMMON):
            return ~is_open
        keyring = self._providers[provider]
        for path, parts in self._sealed().items():
            for part in parts:
                try:
                    columns, *_ = keyring._keyring.open_part(part, [], False)
                except (ScopeError, DecryptionError):
                    continue
                for record_id in from_columns(columns)["record_id"]:
                    is_open[self._rows[path, record_id]] = True
        return is_open

    def _sealed(self) -> dict[str, list[_mopse.message.Part]]:
        """Return all sealed records of each provider that have a value in some field."""
        by_path = {provider.path: path for path, provider in self._providers.items()}
        parts: dict[str, list[_mopse.message.Part]] = {path: [] for path in self.providers}
        for name, domain in self.domains.items():
            asked = [(name, 0, domain.plaintexts - 1)]
            query = _mopse.message.Query.decode(self._owner._keyring.query(asked, _FAR_AHEAD))
            for part in self._store.search(query):
                if len(part):
                    parts[by_path[part.provider]].append(part)
        return parts


def _index(group: str, ciphertexts: Integers, records: Integers) -> Index:
    """Return entries in the order of their ciphertexts."""
    order = np.argsort(ciphertexts, kind="stable")
    return Index(group, ciphertexts[order], records[order])
