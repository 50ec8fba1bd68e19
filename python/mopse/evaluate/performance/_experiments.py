"""The published experiments: what encrypting, merging, querying and authorising cost.

Each returns the table of `record`, or a table of counts where nothing is timed.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _mopse, datasets
from mopse._arrays import whole, wholes
from mopse._scheme_names import COMMON, MOPSE, ONE_MESSAGE, PER_PROVIDER, PLAIN, PLUS
from mopse.cloud import Cloud, merge
from mopse.errors import InvalidInputError
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.owner import Owner
from mopse.provider import Provider
from mopse.schema import Field, Schema
from mopse.scheme import Opse

__all__ = [
    "authorization",
    "cell_width",
    "excess",
    "index_encryption",
    "merging",
    "provider_query",
    "storage",
    "tree",
    "user_query",
]

DATA = "nhanes-2017-2018"
FAN_OUT = 8
PATH = str | os.PathLike[str] | None
Integers = NDArray[np.int64]


def tree(providers: int, fan_out: int = FAN_OUT) -> list[tuple[str, str | None]]:
    """Return names and parents of providers in a tree that is filled level by level.

    Parameters
    ----------
    providers : int
        How many.
    fan_out : int
        How many the owner has, and at most each provider.

    Returns
    -------
    list of (str, str or None)
        The name of each provider and the path it is under, parents first.

    Examples
    --------
    >>> tree(4, fan_out=2)
    [('p0', None), ('p1', None), ('p2', 'p0'), ('p3', 'p0')]
    """
    whole(providers, "providers", least=0)
    whole(fan_out, "fan_out", least=1)
    paths: list[str] = []
    placed: list[tuple[str, str | None]] = []
    for number in range(providers):
        under = None if number < fan_out else paths[number // fan_out - 1]
        paths.append(f"p{number}" if under is None else f"{under}/p{number}")
        placed.append((f"p{number}", under))
    return placed


def _authorized(
    schema: Schema, providers: int, seed: int, *, is_flat: bool
) -> tuple[Owner, list[Provider]]:
    """Return an owner and its providers, in one group or in a tree."""
    owner = Owner.from_insecure_seed(schema, seed)
    placed = tree(providers)
    return owner, [owner.authorize(name, None if is_flat else under) for name, under in placed]


def _received(
    owner: Owner, parties: Iterable[Provider], parts: Iterable[pl.DataFrame]
) -> tuple[Cloud, int]:
    """Return a cloud that holds what each provider encrypted of its part, and the bytes sent."""
    cloud = Cloud()
    cloud.enroll(owner.public)
    sent = 0
    for party, part in zip(parties, parts, strict=True):
        upload = party.encrypt(part, id="record_id", accept_leakage=party.schema)
        cloud.receive(upload)
        sent += upload.nbytes
    return cloud, sent


def _keys(count: int, seed: int) -> list[bytes]:
    """Return keys that only measure: whoever knows the seed has them."""
    rng = np.random.default_rng([seed, 1])
    return [rng.bytes(32) for _ in range(count)]


def _people(columns: Sequence[str]) -> pl.DataFrame:
    return datasets.load(DATA).select("record_id", *columns)


def _grid(column: str, cell: int = 1) -> tuple[Field, float, float]:
    """Return a column's field, with its minimum and step."""
    grid = datasets.card(DATA)["columns"][column]["grid"]
    low, step = grid["minimum"], grid["step"]
    return Field(low, grid["maximum"], step=step, cell=cell), low, step


def index_encryption(
    records: Sequence[int] = (100, 1000, 10_000, 100_000, 1_000_000),
    domains: Sequence[int] = (121, 1 << 16),
    *,
    providers: int = 8,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Time how providers make their index entries, per scheme (experiment E1).

    Parameters
    ----------
    records : sequence of int
        How many records all providers have together.
    domains : sequence of int
        How many plaintexts the field has; 121 are ages of NHANES, resampled, others are uniform.
    providers : int
        How many.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps, all of the provider: ``set-up`` (from keys to codebooks or rulers), ``handles``
        (MOPSE's pseudonyms of the record ids), ``entries``, ``sort``; for MOPSE also ``seal``, a
        whole upload of records with one field besides their id, which holds all of them.

    Notes
    -----
    OPSE is one-to-many. Values and ids are in memory beforehand; ciphertexts are new arrays.
    """
    whole(providers, "providers", least=1)
    wholes(records, "records", least=providers)
    wholes(domains, "domains", least=2)

    def block(domain: int, count: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            rng = np.random.default_rng([seed, domain, count])
            if domain == 121:
                ages = _people(["age"])["age"].drop_nulls().to_numpy().astype(np.int64)
                values = rng.choice(ages, count)
            else:
                values = rng.integers(0, domain, count)
            parts = np.array_split(values, providers)
            ids = np.array_split(np.arange(count), providers)
            keys = _keys(providers, seed)
            schema = Schema(x=Field(0, domain - 1, cell=1))

            def plain(watch: Watch) -> None:
                with watch.step("entries", "provider"):
                    runs = [part.copy() for part in parts]
                _sort(watch, runs)

            def opse(keys: list[bytes]) -> Case:
                def case(watch: Watch) -> None:
                    with watch.step("set-up", "provider"):
                        schemes = [Opse(key, domain) for key in keys]
                        for scheme in schemes:
                            if count // providers * 16 >= domain:
                                scheme.encrypt(np.zeros(domain // 16 + 1, np.int64))
                    schemes = schemes * (providers // len(schemes))
                    with watch.step("entries", "provider"):
                        triples = zip(schemes, parts, ids, strict=True)
                        runs = [opse.encrypt(part, ids=at) for opse, part, at in triples]
                    _sort(watch, runs)

                return case

            def mopse(is_flat: bool) -> Case:
                def case(watch: Watch) -> None:
                    _, parties = _authorized(schema, providers, seed, is_flat=is_flat)
                    with watch.step("set-up", "provider"):
                        one = np.zeros((1, 2), np.uint64)
                        for party in parties:
                            party._keyring.entries("x", np.zeros(1, np.int64), one)
                    with watch.step("handles", "provider"):
                        handles = [p.handles(at) for p, at in zip(parties, ids, strict=True)]
                    with watch.step("entries", "provider"):
                        triples = zip(parties, parts, handles, strict=True)
                        runs = [p._keyring.entries("x", part, h) for p, part, h in triples]
                    _sort(watch, runs)
                    if is_flat:
                        tables = [{"id": i, "x": x} for i, x in zip(ids, parts, strict=True)]
                        with watch.step("seal", "provider") as more:
                            pairs = zip(parties, tables, strict=True)
                            uploads = [
                                party.encrypt(table, id="id", accept_leakage=schema)
                                for party, table in pairs
                            ]
                            more["bytes"] = sum(upload.nbytes for upload in uploads)

                return case

            return {
                PLAIN: plain,
                COMMON: opse(keys[:1]),
                PER_PROVIDER: opse(keys),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        return Block({"domain": domain, "records": count, "providers": providers}, prepare)

    blocks = [block(domain, count) for domain in domains for count in records]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


def _sort(watch: Watch, runs: list[Integers]) -> None:
    with watch.step("sort", "provider"):
        for run in runs:
            run.sort()


def user_query(
    providers: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000),
    shares: Sequence[float] = (0.001, 0.01, 0.1),
    *,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Time a query of the owner over all providers, against their number (experiment E2).

    Parameters
    ----------
    providers : sequence of int
        How many providers the people of NHANES are dealt to.
    shares : sequence of float
        Which part of the people a query is to find, near enough: an interval of cholesterol.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps: ``ask`` (owner: bounds, tokens, signatures; ``bytes`` up, ``messages``), ``search``
        (cloud: verification and counting; ``found``), and for MOPSE and MOPSE+ ``answer`` (cloud:
        the same search, with the sealed records; ``bytes`` down) and ``open`` (owner). Column
        ``share`` is the part that was really found.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the schemes do not find equally many.

    Notes
    -----
    OPSE with a key per provider asks twice: in a message per provider, and in one message of
    as many intervals. Both are leaner than MOPSE's messages: no certificates, no expiry, no fields.
    The answers are the same records for all schemes, hence taken once.
    """
    wholes(providers, "providers", least=1)
    for share in shares:
        if not 0 < share <= 1:
            raise InvalidInputError(f"a share is {share}, expected above 0 and at most 1")
    people = _people(["cholesterol"]).drop_nulls()
    field, lowest, _ = _grid("cholesterol")
    schema = Schema(cholesterol=field)
    _, values = field.plaintexts_of(people["cholesterol"])

    def block(count: int, wanted: float) -> Block:
        low, high = _interval(values, wanted)
        found = int(np.count_nonzero((low <= values) & (values <= high)))

        def prepare() -> Mapping[str, Case]:
            dealt = datasets.providers(people, count, seed=seed)
            parts = [field.plaintexts_of(part["cholesterol"])[1] for part in dealt.values()]
            keys = _keys(count, seed)

            def check(counted: int) -> int:
                if counted != found:
                    raise InvalidInputError(f"a scheme found {counted} of {found} records")
                return counted

            def control(querier: Any, runs: list[list[Integers]], per_message: int) -> Case:
                server = _mopse.ControlServer(querier.verification_key, len(runs))
                for index, of_index in enumerate(runs):
                    server.add(index, np.sort(np.concatenate(of_index)))

                def case(watch: Watch) -> None:
                    with watch.step("ask", "owner") as more:
                        messages = querier.requests(low, high, per_message)
                        more["bytes"] = sum(map(len, messages))
                        more["messages"] = len(messages)
                    with watch.step("search", "cloud") as more:
                        more["found"] = check(sum(server.count(message) for message in messages))

                return case

            def mopse(is_flat: bool) -> Case:
                owner, parties = _authorized(schema, count, seed, is_flat=is_flat)
                cloud, _ = _received(owner, parties, dealt.values())
                bounds = (low + lowest, high + lowest)

                def case(watch: Watch) -> None:
                    with watch.step("ask", "owner") as more:
                        query = bytes(owner.query(cholesterol=bounds))
                        more["bytes"] = len(query)
                        more["messages"] = 1
                    with watch.step("search", "cloud") as more:
                        more["found"] = check(cloud.count(query))
                    with watch.step("answer", "cloud") as more:
                        answer = cloud.search(query)
                        more["bytes"] = answer.nbytes
                    with watch.step("open", "owner") as more:
                        more["found"] = owner.decrypt(answer).height

                return case

            domain = field.plaintexts
            runs = [Opse(key, domain).encrypt(part) for key, part in zip(keys, parts, strict=True)]
            common = [Opse(keys[0], domain).encrypt(part) for part in parts]
            each = _mopse.ControlQuerier(keys, domain)
            return {
                PLAIN: control(_mopse.ControlQuerier.plain(domain), [parts], 1),
                COMMON: control(_mopse.ControlQuerier(keys[:1], domain), [common], 1),
                PER_PROVIDER: control(each, [[run] for run in runs], 1),
                ONE_MESSAGE: control(each, [[run] for run in runs], count),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        share = round(found / len(values), 6)
        return Block({"providers": count, "wanted": wanted, "share": share}, prepare)

    blocks = [block(count, wanted) for count in providers for wanted in shares]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


def _interval(values: Integers, share: float) -> tuple[int, int]:
    """Return the interval around the upper quartile that holds nearest to a share of the values."""
    counts = np.bincount(values)
    best = low = high = int(np.quantile(values, 0.75))
    least = np.inf
    while low > 0 and high < len(counts) - 1:
        off = abs(counts[low : high + 1].sum() / len(values) - share)
        if off < least:
            least, best = off, high - low
        low, high = low - (high - low) % 2, high + 1 - (high - low) % 2
    middle = int(np.quantile(values, 0.75))
    return middle - best // 2, middle + (best + 1) // 2


def provider_query(
    below: Sequence[int] = (0, 8, 72, 584),
    *,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Time a query of a provider over its own records and of those below it (experiment E3).

    Parameters
    ----------
    below : sequence of int
        How many providers are below the one that asks.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps ``ask`` (provider) and ``search`` (cloud), as in `user_query`.

    Notes
    -----
    Under OPSE and MOPSE, which know no hierarchy, the provider asks for its own records only.
    """
    wholes(below, "below", least=0)
    people = _people(["cholesterol"]).drop_nulls()
    field, lowest, _ = _grid("cholesterol")
    schema = Schema(cholesterol=field)
    low, high = 200, 239

    def block(count: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            dealt = list(datasets.providers(people, count + 1, seed=seed).values())
            own = np.sort(field.plaintexts_of(dealt[0]["cholesterol"])[1])
            bounds = (low - lowest, high - lowest)

            def control(querier: Any, run: Integers) -> Case:
                server = _mopse.ControlServer(querier.verification_key, 1)
                server.add(0, run)

                def case(watch: Watch) -> None:
                    with watch.step("ask", "provider") as more:
                        (message,) = querier.requests(*bounds, 1)
                        more["bytes"], more["messages"] = len(message), 1
                    with watch.step("search", "cloud") as more:
                        more["found"] = server.count(message)

                return case

            def mopse(is_flat: bool) -> Case:
                owner = Owner.from_insecure_seed(schema, seed)
                asking = owner.authorize("p")
                placed = tree(count)
                parties = [asking]
                for name, under in placed:
                    above = "p" if under is None else f"p/{under}"
                    parties.append(owner.authorize(name, None if is_flat else above))
                cloud, _ = _received(owner, parties, dealt)

                def case(watch: Watch) -> None:
                    with watch.step("ask", "provider") as more:
                        query = bytes(asking.query(cholesterol=(low, high)))
                        more["bytes"], more["messages"] = len(query), 1
                    with watch.step("search", "cloud") as more:
                        more["found"] = cloud.count(query)

                return case

            (key,) = _keys(1, seed)
            domain = field.plaintexts
            return {
                PLAIN: control(_mopse.ControlQuerier.plain(domain), own),
                PER_PROVIDER: control(
                    _mopse.ControlQuerier([key], domain), Opse(key, domain).encrypt(own)
                ),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        return Block({"below": count}, prepare)

    blocks = [block(count) for count in below]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


def merging(
    entries: Sequence[int] = (10_000, 100_000, 1_000_000, 10_000_000),
    runs: Sequence[int] = (2, 4, 16, 64, 256, 1024),
    *,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Time the cloud's merge against its size and the number of runs (experiment E4).

    Parameters
    ----------
    entries : sequence of int
        How many entries all runs have together, in 16 runs.
    runs : sequence of int
        How many runs the largest number of entries is cut into.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Step ``merge`` for schemes ``MOPSE`` (`mopse.merge` over ciphertexts), ``Plain`` (the same
        over plaintexts of 121 values) and ``numpy`` (a stable argsort of the joined ciphertexts,
        the joining included), and step ``add`` of ``MOPSE`` (merging the last run into the others,
        merged already).

    Raises
    ------
    mopse.errors.InvalidInputError
        If the two orders differ.
    """
    wholes(runs, "runs", least=2)
    wholes(entries, "entries", least=max(16, *runs))
    cases = {(count, 16) for count in entries} | {(max(entries), k) for k in runs}

    def block(count: int, k: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            rng = np.random.default_rng([seed, count, k])
            _, parties = _authorized(Schema(x=Field(0, 120)), 1, seed, is_flat=True)
            ages = np.array_split(rng.integers(0, 121, count), k)
            handles = [rng.integers(0, 1 << 63, (len(part), 2)).astype(np.uint64) for part in ages]
            pairs = zip(ages, handles, strict=True)
            joined = [np.sort(parties[0]._keyring.entries("x", x, h)) for x, h in pairs]
            plain = [np.sort(part) for part in ages]
            old = np.concatenate(joined[:-1])[merge(joined[:-1])]
            expected = np.argsort(np.concatenate(joined), kind="stable")
            if not np.array_equal(merge(joined), expected):
                raise InvalidInputError("the orders differ")

            def ours(runs: list[Integers]) -> Case:
                def case(watch: Watch) -> None:
                    with watch.step("merge", "cloud"):
                        merge(runs)

                return case

            def added(watch: Watch) -> None:
                ours(joined)(watch)
                with watch.step("add", "cloud"):
                    merge([old, joined[-1]])

            def numpy(watch: Watch) -> None:
                with watch.step("merge", "cloud"):
                    np.argsort(np.concatenate(joined), kind="stable")

            return {MOPSE: added, PLAIN: ours(plain), "numpy": numpy}

        return Block({"entries": count, "runs": k}, prepare)

    blocks = [block(count, k) for count, k in sorted(cases)]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


def storage(providers: int = 64, *, seed: int = 1) -> pl.DataFrame:
    """Measure what each party stores and sends, for NHANES with all its fields (experiment E5).

    Parameters
    ----------
    providers : int
        How many.
    seed : int
        Of the deal.

    Returns
    -------
    polars.DataFrame
        ``scheme``, ``party``, ``step`` (what it is), ``bytes``, ``items`` (how many of them;
        ``bytes`` is of all). Nothing is timed. Messages and files are real ones; entries and rulers
        are counted.

    Notes
    -----
    The fields are age, first systolic pressure, body mass index and cholesterol; the query asks
    for ages 40 to 60. OPSE's row is the control: entries of eight bytes, keys of 32.
    """
    whole(providers, "providers", least=1)
    columns = ["age", "systolic_1", "bmi", "cholesterol"]
    people = _people(columns)
    schema = Schema(**{name: _grid(name)[0] for name in columns})
    entries = sum(people[name].drop_nulls().len() for name in columns)
    rows: list[dict[str, Any]] = []

    def add(scheme: str, party: str, step: str, size: int, items: int = 1) -> None:
        rows.append({"scheme": scheme, "party": party, "step": step, "bytes": size, "items": items})

    add(PLAIN, "cloud", "index entries", 8 * entries, entries)
    keys = _keys(providers, seed)
    querier = _mopse.ControlQuerier(keys, schema["age"].plaintexts)
    add(PER_PROVIDER, "owner", "keys", sum(map(len, keys)), providers)
    add(PER_PROVIDER, "cloud", "index entries", 8 * entries, entries)
    for scheme, per_message in ((PER_PROVIDER, 1), (ONE_MESSAGE, providers)):
        requests = querier.requests(40, 60, per_message)
        add(scheme, "owner", "query", sum(map(len, requests)), len(requests))
    for scheme, is_flat in ((MOPSE, True), (PLUS, False)):
        owner, parties = _authorized(schema, providers, seed, is_flat=is_flat)
        dealt = datasets.providers(people, providers, seed=seed)
        cloud, sent = _received(owner, parties, dealt.values())
        with tempfile.TemporaryDirectory() as folder:
            for name, party in (("owner", owner), ("provider", parties[0])):
                party.save(Path(folder) / name, "a password that only measures")
                add(scheme, name, "keyring file", (Path(folder) / name).stat().st_size)
        cells = sum(field.cells for field in schema.values())
        add(scheme, "provider", "rulers in memory", 8 * cells, len(schema))
        add(scheme, "owner", "announcement", len(owner.public))
        sealed = sum(size for *_, size in cloud._contents())
        add(scheme, "provider", "uploads", sent, providers)
        add(scheme, "cloud", "sealed records", sealed, people.height)
        add(scheme, "cloud", "index entries", 8 * entries, entries)
        add(scheme, "cloud", "record numbers of entries", 4 * entries, entries)
        query = owner.query(age=(40, 60))
        answer = cloud.search(bytes(query))
        add(scheme, "owner", "query", query.nbytes, len(query))
        add(scheme, "cloud", "answer", answer.nbytes, len(answer))
        add(scheme, "owner", "grant of a provider", len(owner.grant(parties[0].path)))
    return pl.DataFrame(rows)


def excess(counts: Integers, cell: int) -> float:
    """Return how many records too many a uniformly random range finds on average.

    Parameters
    ----------
    counts : (M,) int array
        How many records each plaintext has.
    cell : int
        How many plaintexts share a cell.

    Returns
    -------
    float
        Over all M (M + 1) / 2 ranges, each as likely: records in the cells of the range that are
        not in the range.

    Examples
    --------
    >>> excess(np.array([1, 1, 1, 1]), cell=2)  # of ten ranges four miss one record, two miss two
    0.8
    """
    m = len(counts)
    if m == 0 or counts.min() < 0:
        raise InvalidInputError("counts must be those of at least one plaintext, none negative")
    whole(cell, "cell", least=1)
    ends = np.concatenate([[0], np.cumsum(counts)])
    at = np.arange(m)
    first, after = at // cell * cell, np.minimum(at // cell * cell + cell, m)
    too_low = ends[at] - ends[first]  # below the lower bound, in its cell
    too_high = ends[after] - ends[at + 1]  # above the upper bound, in its cell
    # A lower bound at x has m - x upper bounds, an upper bound at x has x + 1 lower ones.
    return float((too_low * (m - at) + too_high * (at + 1)).sum() / (m * (m + 1) / 2))


def cell_width(
    widths: Sequence[int] = (1, 2, 5, 10, 20),
    fields: Sequence[str] = ("age", "systolic_1", "bmi", "cholesterol"),
    *,
    queries: int = 200,
    providers: int = 8,
    seed: int = 1,
) -> pl.DataFrame:
    """Measure what wider cells cost: records found that do not match (experiment E6).

    Parameters
    ----------
    widths : sequence of int
        Grid steps per cell.
    fields : sequence of str
        Columns of NHANES with a grid.
    queries : int
        How many random ranges, each as likely; the same for all widths.
    providers : int
        How many.
    seed : int
        Of the deal and the ranges.

    Returns
    -------
    polars.DataFrame
        One row per field, width and query: ``low`` and ``high`` (plaintexts), ``matching`` and
        ``found`` (records), ``answer_bytes``, and ``expected_excess``, the mean of
        ``found - matching`` over all ranges, from `excess`.

    Raises
    ------
    mopse.errors.InvalidInputError
        If decryption does not leave exactly the records that match.
    """
    wholes(widths, "widths", least=1)
    whole(queries, "queries", least=1)
    for name in fields:
        if "grid" not in datasets.card(DATA)["columns"].get(name, {}):
            raise InvalidInputError(f"{DATA} has no column {name!r} with a grid")
    rows: list[dict[str, Any]] = []
    for name in fields:
        people = _people([name])
        field, lowest, step = _grid(name)
        m = field.plaintexts
        counts = np.bincount(field.plaintexts_of(people[name])[1], minlength=m)
        rng = np.random.default_rng([seed, m])
        # Uniform over all ranges: any two of m + 1 gaps enclose one.
        gaps = np.sort([rng.choice(m + 1, 2, replace=False) for _ in range(queries)], axis=1)
        dealt = datasets.providers(people, providers, seed=seed).values()
        for width in widths:
            schema = Schema(**{name: _grid(name, cell=width)[0]})
            owner, parties = _authorized(schema, providers, seed, is_flat=True)
            cloud, _ = _received(owner, parties, dealt)
            expected = excess(counts, width)
            for low, after in gaps.tolist():
                bounds = (lowest + low * step, lowest + (after - 1) * step)
                answer = cloud.search(owner.query({name: bounds}))
                matching = int(counts[low:after].sum())
                if owner.decrypt(answer).height != matching:
                    raise InvalidInputError(f"{name}: decryption leaves other records")
                rows.append(
                    {
                        "field": name,
                        "cell": width,
                        "plaintexts": m,
                        "low": low,
                        "high": after - 1,
                        "matching": matching,
                        "found": len(answer),
                        "answer_bytes": answer.nbytes,
                        "expected_excess": expected,
                        "seed": seed,
                    }
                )
    return pl.DataFrame(rows)


def authorization(
    providers: Sequence[int] = (8, 64, 512),
    *,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Time what adding and removing a provider costs the owner and the others (experiment E7).

    Parameters
    ----------
    providers : sequence of int
        How many there are.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps: ``add`` (owner: a keyring for one more; ``bytes`` are its certificates or key),
        ``remove`` (owner: a new epoch of its group), ``announce`` (owner: what the cloud is told;
        ``bytes``), ``authorize again`` (owner: keyrings for all who stay in the group, and for
        those below them; ``providers_again``), ``encrypt again`` (those providers: all their
        records, which are NHANES' ages; ``records_again``). Under OPSE with a key per provider
        nobody else changes keys; with one common key everybody does.

    Notes
    -----
    The one removed is the last of the top group. Receiving is not timed. Under OPSE what is
    encrypted again are index entries; MOPSE's uploads hold the sealed records too.
    """
    wholes(providers, "providers", least=1)
    people = _people(["age"])
    schema = Schema(age=Field(0, 120))

    def block(count: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            dealt = list(datasets.providers(people, count, seed=seed).values())
            ages = [part["age"].to_numpy().astype(np.int64) for part in dealt]
            ids = [part["record_id"].to_numpy().astype(np.int64) for part in dealt]

            def mopse(is_flat: bool) -> Case:
                placed = tree(count)
                top = placed[-1][0] if is_flat else placed[min(count, FAN_OUT) - 1][0]

                def case(watch: Watch) -> None:
                    owner, parties = _authorized(schema, count, seed, is_flat=is_flat)
                    with watch.step("add", "owner") as more:
                        more["bytes"] = len(owner.authorize("another").public)
                    with watch.step("remove", "owner"):
                        owner.revoke(top)
                    with watch.step("announce", "owner") as more:
                        more["bytes"] = len(owner.public)
                    stay = [
                        (party, part)
                        for party, part in zip(parties, dealt, strict=True)
                        if party.path.split("/")[0] != top
                    ]
                    with watch.step("authorize again", "owner") as more:
                        again = []
                        for party, part in stay:
                            under, _, name = party.path.rpartition("/")
                            again.append((owner.authorize(name, under or None), part))
                        more["providers_again"] = len(again)
                    with watch.step("encrypt again", "provider") as more:
                        sent = [
                            p.encrypt(part, id="record_id", accept_leakage=p.schema)
                            for p, part in again
                        ]
                        more["bytes"] = sum(upload.nbytes for upload in sent)
                        more["records_again"] = sum(map(len, sent))

                return case

            def opse(is_common: bool) -> Case:
                def case(watch: Watch) -> None:
                    stay = range(count - 1) if is_common else range(0)
                    with watch.step("add", "owner") as more:
                        more["bytes"] = len(os.urandom(32))
                    with watch.step("remove", "owner"):
                        key = os.urandom(32)
                    with watch.step("authorize again", "owner") as more:
                        more["providers_again"] = len(stay)
                    with watch.step("encrypt again", "provider") as more:
                        scheme = Opse(key, 121)
                        runs = [scheme.encrypt(ages[i], ids=ids[i]) for i in stay]
                        more["records_again"] = sum(map(len, runs))

                return case

            return {
                COMMON: opse(True),
                PER_PROVIDER: opse(False),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        return Block({"providers": count}, prepare)

    blocks = [block(count) for count in providers]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)
