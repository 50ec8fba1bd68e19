"""The main job on real data, told step by step.

An owner authorises providers, each encrypts its part of NHANES 2017-2018 under its own key, the
cloud merges the indexes without a key and answers one query over all of them, the owner decrypts.
The answer is compared with the same question asked of the plaintext.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tqdm import tqdm

import mopse
from mopse import plot
from mopse._files import as_folder, made_folder
from mopse._scheme_names import COMMON, MOPSE, PER_PROVIDER, PLAIN, PLUS
from mopse.cli._command import Commands, add_command
from mopse.cli._keyrings import made_new
from mopse.errors import SignatureError
from mopse.evaluate import seconds

__all__ = ["add", "compare", "run"]

DATA = "nhanes-2017-2018"
GROUP = [f"hospital-{number}" for number in range(1, 9)]
BRANCH = ["hospital-1/cardiology", "hospital-1/cardiology/ward", "hospital-1/cardiology/ward/gp"]
SEED = 20261121
REPEATS = 5
PASSWORD = "demonstration"
FIGURE = "mopse-demo.png"

SCHEMA = mopse.Schema(
    age=mopse.Field(0, 120),
    systolic_1=mopse.Field(60, 260),
    bmi=mopse.Field(8, 100, step=0.1, cell=5),
    cholesterol=mopse.Field(50, 500),
    general_health=mopse.Field.categories(["poor", "fair", "good", "very good", "excellent"]),
)


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "demo",
        short="encrypt, merge, query and decrypt a real health survey",
        long=__doc__,
    )
    command.add_argument(
        "--figure",
        metavar="PATH",
        help=f"where the figure goes, .png or .svg (default: {FIGURE}, which is drawn anew)",
    )
    command.add_argument(
        "--replace", action="store_true", help="draw it in place of a file that is there"
    )
    command.add_argument(
        "--store",
        default="mopse-demo",
        metavar="DIR",
        help="the folder of the cloud's file and of the owner's keyring, where what one run sends "
        "is found by the next (default: %(default)s)",
    )
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    if given.figure is not None:
        made_new(given.figure, may_replace=given.replace)
    run(given.figure or FIGURE, given.store)


def run(figure: str, store: str) -> None:
    """Run the demonstration, print what it shows and write a figure, .png or .svg.

    The cloud is a DuckDB file in the folder `store`, beside the owner's keyring, and keeps what it
    was sent; without DuckDB it is in memory.
    """
    people = mopse.datasets.load(DATA)
    print(f"{DATA}: {people.height:,} people, {people.width} columns.")
    print("It has no hospitals: its rows are dealt to simulated providers.\n")

    folder = _folder(store)
    keyring = None if folder is None else folder / "owner.keyring"
    is_again = keyring is not None and keyring.exists()
    owner = mopse.Owner.generate(SCHEMA)
    if keyring is not None and is_again:
        owner = mopse.Owner.open(keyring, PASSWORD)
    providers = [owner.authorize(name) for name in GROUP]
    for path in BRANCH:
        under, _, name = path.rpartition("/")
        providers.append(owner.authorize(name, under=under))
    print(f"The owner authorised {len(providers)} providers: one group of {len(GROUP)}, and below")
    print(f"{GROUP[0]} three levels: {', '.join(BRANCH)}.\n")

    with mopse.Cloud(None if folder is None else folder / "phr.duckdb") as cloud:
        cloud.enroll(owner.public)
        if is_again:
            print(f"An earlier run has sent all of it: the cloud's file holds {cloud}.\n")
        else:
            parts = mopse.datasets.providers(people, len(providers), seed=SEED).values()
            _send(cloud, providers, list(parts))
            if keyring is not None:
                owner.save(keyring, PASSWORD)  # now that all is there for the next run
        _ask(cloud, owner, providers, people)

    table = compare(people)
    print(
        "\nOne field (age), the same records, 11 providers; median of "
        f"{REPEATS} runs on this machine:"
    )
    with pl.Config(
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_cols=-1,
        tbl_width_chars=140,
        float_precision=3,
    ):
        print(table)
    drawn = Path(figure)
    _draw(people, providers[0], providers[1]).save(drawn)
    print(f"\nThe figure is in {drawn.resolve()}.")
    print("Read what this leaks before you use it: help(mopse), and the README.")


def _folder(store: str) -> Path | None:
    """Return the folder of a cloud that lasts, which is made; None without DuckDB."""
    try:
        import duckdb  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError:
        print("Without DuckDB (pip install 'mopse[duckdb]') the cloud is in memory.\n")
        return None
    folder = made_folder(as_folder(store))
    print(f"The cloud is a file in {folder.resolve()}, beside the owner's keyring, whose password")
    print(f"is {PASSWORD!r}: good for a demonstration only.\n")
    return folder


def _send(cloud: mopse.Cloud, providers: list[mopse.Provider], parts: list[pl.DataFrame]) -> None:
    """Have each provider encrypt its part, and the cloud receive it."""
    sent = 0
    for provider, part in tqdm(list(zip(providers, parts, strict=True)), desc="encrypt and send"):
        upload = provider.encrypt(part, id="record_id", accept_leakage=SCHEMA)
        cloud.receive(upload)
        sent += upload.nbytes
    print(f"Each encrypted its part under its own key. Sent: {sent:,} bytes.")
    print(f"The cloud, without any key, holds {cloud}.\n")


def _ask(
    cloud: mopse.Cloud,
    owner: mopse.Owner,
    providers: list[mopse.Provider],
    people: pl.DataFrame,
) -> None:
    """Ask as the owner and as a provider, compare with the plaintext, and forge a query."""
    query = owner.query(age=(40, 60), systolic_1=(140, None))
    answer = cloud.search(query)
    records = owner.decrypt(answer, query)
    asked = pl.col("age").is_between(40, 60) & (pl.col("systolic_1") >= 140)
    expected = people.filter(asked)
    found = records.drop("provider").sort("record_id")
    is_right = found.equals(expected.sort("record_id"))
    print("The owner asks: age 40 to 60 and systolic pressure at least 140.")
    print(
        f"  {len(query)} tokens (one per group: {', '.join(query.groups)}), {query.nbytes:,} bytes"
    )
    print(
        f"  {len(answer)} sealed records from {len(answer.providers)} providers, "
        f"{answer.nbytes:,} bytes"
    )
    print(
        f"  decrypted: {records.height} records; asked of the plaintext: {expected.height}; "
        f"{'the same' if is_right else 'NOT THE SAME'}"
    )
    if not is_right:
        raise SystemExit("the answer differs from the plaintext's")

    hospital = providers[0]
    own = hospital.ask(cloud, age=(40, 60))
    print(f"\n{hospital.path} asks for ages 40 to 60 and gets its own and its subtree's:")
    for path, count in own.group_by("provider").len().sort("provider").iter_rows():
        print(f"  {path}: {count} records")

    forged = bytearray(bytes(query))
    forged[-1] ^= 1
    try:
        cloud.search(bytes(forged))
    except SignatureError as error:
        print(f"\nA query with one bit changed is refused: {error}.")
    else:
        raise SystemExit("a forged token was not refused")


def compare(people: pl.DataFrame) -> pl.DataFrame:
    """Return counts, sizes and times of the schemes on the field ``age``.

    Parameters
    ----------
    people : polars.DataFrame
        Rows with ``record_id`` and ``age``.

    Returns
    -------
    polars.DataFrame
        One row per scheme. ``index`` is encrypting and sorting all entries of all
        providers, records not included; ``merge`` the cloud's work; ``query`` making the bounds
        and searching. MOPSE's handles are made beforehand.
    """
    parts = list(mopse.datasets.providers(people, len(GROUP) + len(BRANCH), seed=SEED).values())
    ages = [part["age"].to_numpy().astype(np.int64) for part in parts]
    keys = [bytes([number]) * 32 for number in range(len(parts))]  # not secret: this only measures
    domain = SCHEMA["age"].plaintexts
    flat, tree = _authorised(BRANCH, is_flat=True), _authorised(BRANCH, is_flat=False)

    def opse(key: bytes, values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.sort(mopse.Opse(key, domain).encrypt(values))

    def mopse_runs(owned: tuple[mopse.Owner, list[mopse.Provider]]) -> Callable[[], list[Any]]:
        handles = [p.handles(part["record_id"]) for p, part in zip(owned[1], parts, strict=True)]

        def runs() -> list[Any]:
            triples = zip(owned[1], ages, handles, strict=True)
            return [np.sort(p.entries("age", values, h)) for p, values, h in triples]

        return runs

    plain = (40, 60)
    # Scheme, keys, runs, how runs are joined, bounds of the query: one pair per index.
    schemes: list[tuple[str, int, Callable[[], list[Any]], list[list[int]], Callable[[], Any]]] = [
        (PLAIN, 0, lambda: [np.sort(a) for a in ages], [[*range(11)]], lambda: [plain]),
        (
            PER_PROVIDER,
            len(parts),
            lambda: [opse(key, a) for key, a in zip(keys, ages, strict=True)],
            [[i] for i in range(11)],
            lambda: [mopse.Opse(key, domain).bounds(*plain) for key in keys],
        ),
        (
            COMMON,
            1,
            lambda: [opse(keys[0], a) for a in ages],
            [[*range(11)]],
            lambda: [mopse.Opse(keys[0], domain).bounds(*plain)],
        ),
        (MOPSE, 11, mopse_runs(flat), [[*range(11)]], lambda: _bounds(flat[0])),
        (PLUS, 11, mopse_runs(tree), [[*range(8)], [8], [9], [10]], lambda: _bounds(tree[0])),
    ]
    rows = []
    for name, keys_held, make_runs, groups, make_bounds in tqdm(schemes, desc="compare schemes"):
        index_s, runs = _median(make_runs)

        def merge(runs: list[Any] = runs, groups: list[list[int]] = groups) -> list[Any]:
            joined = [[runs[i] for i in group] for group in groups]
            return [np.concatenate(group)[mopse.merge(group)] for group in joined]

        merge_s, indexes = _median(merge)
        is_merged = any(len(group) > 1 for group in groups)

        def query(
            indexes: list[Any] = indexes, make_bounds: Callable[[], Any] = make_bounds
        ) -> int:
            pairs = zip(indexes, make_bounds(), strict=True)
            return sum(
                int(np.searchsorted(index, high, "right") - np.searchsorted(index, low))
                for index, (low, high) in pairs
            )

        query_s, hits = _median(query)
        rows.append(
            {
                "scheme": name,
                "keys": keys_held,
                "indexes": len(groups),
                "intervals asked": len(groups),
                "entries": sum(len(index) for index in indexes),
                "bytes": sum(index.nbytes for index in indexes),
                "hits": hits,
                "index [ms]": index_s * 1e3,
                "merge [ms]": merge_s * 1e3 if is_merged else None,
                "query [ms]": query_s * 1e3,
            }
        )
    return pl.DataFrame(rows)


def _authorised(branch: list[str], *, is_flat: bool) -> tuple[mopse.Owner, list[mopse.Provider]]:
    owner = mopse.Owner.from_insecure_seed(SCHEMA, SEED)
    providers = [owner.authorize(name) for name in GROUP]
    for path in branch:
        under, _, name = path.rpartition("/")
        providers.append(
            owner.authorize(
                path.replace("/", "-") if is_flat else name, under=None if is_flat else under
            )
        )
    return owner, providers


def _bounds(owner: mopse.Owner) -> list[tuple[int, int]]:
    """Return the bounds of a query in the order hospital group first, then down the branch."""
    return [bounds["age"] for bounds in owner.query(age=(40, 60)).bounds]


def _median(call: Callable[[], Any]) -> tuple[float, Any]:
    value = call()
    taken = [seconds(call)[0] for _ in range(REPEATS)]
    return float(np.median(taken)), value


def _draw(people: pl.DataFrame, one: mopse.Provider, other: mopse.Provider) -> plot.Figure:
    """Return ages against their ciphertexts: two providers' entries on one ruler."""
    sample = people.sample(400, seed=SEED)

    def dots(provider: mopse.Provider, rows: pl.DataFrame) -> pl.DataFrame:
        entries = provider.entries("age", rows["age"], provider.handles(rows["record_id"]))
        return pl.DataFrame(
            {
                "age [years]": rows["age"].cast(pl.Float64),
                "ciphertext [2^60]": entries / 2.0**60,
                "series": [provider.path] * rows.height,
            }
        )

    entries = [dots(one, sample[:200]), dots(other, sample[200:])]
    return plot.scatter(
        pl.concat(entries),
        x="age [years]",
        y="ciphertext [2^60]",
        by="series",
        title="Two providers, two keys, one order: index entries of 200 ages each",
    )
