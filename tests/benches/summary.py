"""Measure the hot paths through Python, each beside its control, and print one table.

Run by ``make bench``. Every number is the median of repeats that are interleaved with those of
its control; inputs are made and outputs checked outside the clock. Times are wall-clock times of
one call over the number of values, with both cores and the allocation of the result. The
machine may be shared: read ratios before times.
"""

import secrets
import statistics
import subprocess
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

import mopse
from mopse import evaluate

SEED = 20261121
REPEATS = 5

Call = Callable[[], object]


def interleaved(calls: dict[str, Call], repeats: int = REPEATS) -> dict[str, float]:
    """Return the median time of each call in seconds; one call of each warms up."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(evaluate.seconds(call)[0])
    return {name: statistics.median(taken) for name, taken in times.items()}


def row(task: str, domain: int, n: int, seconds: float, goal_ns: float | None = None, **more):
    """Return one line of the table."""
    each = seconds / n * 1e9
    return {
        "task": task,
        "M": f"2^{(domain - 1).bit_length()}" if domain != 121 else "121",
        "n": n,
        "time [ms]": seconds * 1e3,
        "per value [ns]": each,
        "goal [ns]": goal_ns,
        "reached": None if goal_ns is None else each <= goal_ns,
        "control": more.get("control"),
        "times faster": more.get("ratio"),
    }


def codebooks() -> Iterator[dict]:
    """Make the table of all ciphertexts; the prototype took 6.7 ms for 2^16 on one core."""
    for domain in (121, 2**10, 2**16, 2**20):
        plaintexts = np.arange(domain)

        def whole(domain=domain, plaintexts=plaintexts):
            return mopse.Opse(secrets.token_bytes(32), domain).encrypt(plaintexts)

        seconds = interleaved({"mopse": whole}, repeats=9)["mopse"]
        goal = 5e6 / 2**16 if domain == 2**16 else None
        yield row("codebook, new key", domain, domain, seconds, goal)


def scalars() -> Iterator[dict]:
    """Encrypt one value at a time, beside pyope on the same values where it can."""
    from pyope.ope import OPE, ValueRange

    rng = np.random.default_rng(SEED)
    for domain in (121, 2**10, 2**16, 2**20, 2**32):
        opse = mopse.Opse(secrets.token_bytes(32), domain)
        pyope = OPE(secrets.token_bytes(32), ValueRange(0, domain - 1), ValueRange(0, 2**63 - 1))
        values = [int(value) for value in rng.integers(0, domain, 100)]
        taken = interleaved(
            {
                "mopse": lambda opse=opse, values=values: [opse.encrypt(v) for v in values],
                "pyope": lambda pyope=pyope, values=values: [pyope.encrypt(v) for v in values],
            },
            repeats=3,
        )
        ratio = taken["pyope"] / taken["mopse"]
        goal = 3000 if domain == 2**16 else None
        name = "one value at a time"
        yield row(name, domain, 100, taken["mopse"], goal, control="pyope 0.2.2", ratio=ratio)


def batches() -> Iterator[dict]:
    """Encrypt arrays, deterministic and one-to-many."""
    rng = np.random.default_rng(SEED)
    for n in (10**4, 10**6, 10**7):
        ids = np.arange(n)
        for domain in (121, 2**10, 2**16, 2**20, 2**32):
            if domain == 2**32 and n > 10**6:
                continue
            values = rng.integers(0, domain, n)
            opse = mopse.Opse(secrets.token_bytes(32), domain)
            calls: dict[str, Call] = {
                "deterministic": lambda opse=opse, values=values: opse.encrypt(values),
                "one-to-many": lambda o=opse, v=values, ids=ids: o.encrypt(v, ids=ids),
            }
            taken = interleaved(calls, repeats=REPEATS if n < 10**7 else 3)
            for name, seconds in taken.items():
                goal = None
                if name == "one-to-many" and n == 10**7 and domain == 2**16:
                    goal = 4
                if domain == 2**32 and n == 10**6:
                    goal = 1500
                yield row(f"batch, {name}", domain, n, seconds, goal)


def entries() -> Iterator[dict]:
    """Make MOPSE's index entries from handles, beside OPSE's one-to-many ciphertexts."""
    rng = np.random.default_rng(SEED)
    for domain in (121, 2**10, 2**16, 2**20):
        field = mopse.Field(0, domain - 1, cell=1)
        hospital = mopse.Owner.generate(mopse.Schema(x=field)).authorize("hospital")
        opse = mopse.Opse(secrets.token_bytes(32), domain)
        for n in (10**6, 10**7):
            values, ids = rng.integers(0, domain, n), np.arange(n)
            handles = hospital.handles(ids)
            calls: dict[str, Call] = {
                "mopse": lambda v=values, h=handles, p=hospital: p._keyring.entries("x", v, h),
                "opse": lambda v=values, i=ids, opse=opse: opse.encrypt(v, ids=i),
            }
            taken = interleaved(calls)
            line = row("MOPSE entries", domain, n, taken["mopse"], control="one-to-many OPSE")
            ratio = taken["opse"] / taken["mopse"]
            yield line | {"times faster": ratio, "reached": ratio >= 1 / 1.3}


def core() -> Iterator[dict]:
    """Add what the Rust benchmark measures."""
    goals = {
        "seal records": 1500,
        "find a range of 10^7 entries": 5000,
    }
    command = ["cargo", "bench", "--quiet", "--bench", "core"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in printed.splitlines():
        task, n, each = line.split("\t")
        seconds = float(each) * int(n) / 1e9
        yield row(task, 121, int(n), seconds, goals.get(task)) | {"M": "121"}


def merges() -> Iterator[dict]:
    """Merge runs, beside NumPy's stable argsort of the joined runs."""
    rng = np.random.default_rng(SEED)
    n = 10**7
    ciphertexts = rng.integers(0, 2**63 - 1, n)
    for k in (2, 16, 256):
        runs = [np.sort(part) for part in np.array_split(ciphertexts, k)]
        calls: dict[str, Call] = {
            "mopse": lambda runs=runs: mopse.merge(runs),
            "numpy": lambda runs=runs: np.argsort(np.concatenate(runs), kind="stable"),
        }
        assert np.array_equal(calls["mopse"](), calls["numpy"]())
        taken = interleaved(calls, repeats=3)
        ratio = taken["numpy"] / taken["mopse"]
        line = row(f"merge, k = {k}", 2**63, n, taken["mopse"], None, control="numpy", ratio=ratio)
        yield line | {"reached": ratio >= 4 if k > 2 else None}


def ciphers() -> Iterator[dict]:
    """Encrypt a mebibyte into new bytes, beside OpenSSL; the goal is 0.8 of it on one core."""
    n = 1 << 20
    table = evaluate.performance.beside_openssl([n], repeats=9)
    table = table.filter((pl.col("direction") == "encrypt") & (pl.col("buffer") == "new"))
    medians = table.group_by("cipher", "engine", maintain_order=True).agg(pl.col("time_s").median())
    taken = {(cipher, engine): seconds for cipher, engine, seconds in medians.iter_rows()}
    for (cipher, engine), seconds in taken.items():
        if engine != "OpenSSL":
            ratio = taken[cipher, "OpenSSL"] / seconds
            line = row(f"{cipher}, {engine}", 121, n, seconds, control="OpenSSL", ratio=ratio)
            yield line | {"M": "", "reached": ratio >= 0.8}


def main() -> None:
    """Print the table."""
    parts = (codebooks, scalars, batches, entries, merges, core, ciphers)
    rows = [line for part in parts for line in part()]
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, float_precision=2):
        print(pl.DataFrame(rows, infer_schema_length=None))


if __name__ == "__main__":
    main()
