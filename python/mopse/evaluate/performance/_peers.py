"""Other order-preserving and order-revealing packages and schemes, on the same values."""

import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.schemes import Clww, LewiWu, Opse

__all__ = ["EXPERIMENT", "PEERS", "draw_peers", "peers"]

PEERS = "cargo bench --quiet --bench peers"
"""The command that measures the Rust crates, in the project's folder."""

_OPE_DOMAIN = 65_534  # the only one of the crate ope


@measured()
def peers(
    domains: Sequence[int] = (121, 1 << 10, 1 << 16, 1 << 32),
    *,
    values: int = 200,
    distinct: int = 20,
    rust: str | None = None,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time encryption, decryption and comparison beside peers, on the same values.

    Parameters
    ----------
    domains : sequence of int
        How many plaintexts there are; the ciphertext space is the largest each takes.
    values : int
        How many plaintexts are encrypted one at a time; batches have a thousand times as many.
    distinct : int
        How many different values the column ``few`` has.
    rust : str, optional
        A command that measures the Rust crates on values of its own, such as `PEERS`, more often
        than `repeats`.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Schemes ``OPSE``, ``CLWW``, ``Lewi-Wu, 8 bits``, ``pyope 0.2.2``, and what the command
        names; steps ``encrypt`` and ``decrypt`` (one at a time), ``encrypt few`` (a column of few
        different values, one at a time), ``encrypt batch`` and ``compare`` (a batch with itself,
        shuffled). ``values`` is how many the time is of, ``ciphertext_bytes`` the size of one.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a peer does not keep order, pyope is not installed, or the command fails.

    Notes
    -----
    They differ in more than speed. OPSE's ciphertexts are integers that every engine compares; the
    ones of CLWW and Lewi-Wu need a function, and reveal other things. pyope and the crate ``ope``
    sample another distribution than the scheme's.
    """
    try:
        from pyope.ope import OPE, ValueRange
    except ImportError:
        raise InvalidInputError("the comparison needs the extra mopse[peers]") from None

    wholes(domains, "domains", least=2)
    whole(values, "values", least=1)
    whole(distinct, "distinct", least=1)

    def block(domain: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            rng = np.random.default_rng([seed, domain])
            singles = [int(x) for x in rng.integers(0, domain, values)]
            few = [int(x) for x in rng.choice(rng.integers(0, domain, distinct), values)]
            many = rng.integers(0, domain, 1000 * values)
            other = rng.permutation(many)
            key = rng.bytes(32)
            opse, clww, lewi_wu = Opse(key, domain), Clww(key, domain), LewiWu(key, domain)
            pyope = OPE(key, ValueRange(0, domain - 1), ValueRange(0, (1 << 63) - 1))
            return {
                "OPSE": _case(
                    opse,
                    8,
                    singles,
                    few,
                    many,
                    other,
                    lambda a, b: np.sign(a - b),
                    fresh=lambda: Opse(key, domain),
                ),
                "CLWW": _case(clww, clww.ciphertext_bytes, singles, few, many, other, clww.compare),
                "Lewi-Wu, 8 bits": _case(
                    lewi_wu,
                    lewi_wu.ciphertext_bytes,
                    singles,
                    few,
                    many[: 10 * values],
                    other[: 10 * values],
                    lewi_wu.compare,
                ),
                "pyope 0.2.2": _case(pyope, 8, singles, few, None, None, None),
            }

        return Block({"domain": domain, "singles": values, "distinct": distinct}, prepare)

    blocks = [block(domain) for domain in domains]
    if rust is not None:
        about = {"domain": _OPE_DOMAIN, "singles": values, "distinct": distinct}
        blocks.append(Block(about, lambda: _rust(rust)))
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


@measured()
def draw_peers(table: pl.DataFrame) -> plot.Figure:
    """Return the time to encrypt one value beside peers.

    From a table of `peers`. Left one value at a time, right batches.
    """
    each = table.with_columns(
        (pl.col("time_s") * 1e6 / pl.col("values")).alias("time per value [us]"),
        np.log2(pl.col("domain")).alias("plaintexts [bits]"),
    )
    panels = [
        plot.lines(
            each.filter(pl.col("step") == step),
            x="plaintexts [bits]",
            y="time per value [us]",
            by="scheme",
            y_scale="log10",
            title=title,
        )
        for step, title in (("encrypt", "One value at a time"), ("encrypt batch", "Batches"))
    ]
    return plot.grid(panels, title="Encryption beside peers", width=1100, height=480)


def _case(
    scheme: Any,
    ciphertext_bytes: int,
    singles: Sequence[int],
    few: Sequence[int],
    many: Any,
    other: Any,
    compare: Callable[[Any, Any], Any] | None,
    fresh: Callable[[], Any] | None = None,
) -> Case:
    def case(watch: Watch) -> None:
        about = {"ciphertext_bytes": ciphertext_bytes, "values": len(singles)}
        one = scheme if fresh is None else fresh()  # without a codebook from the last repeat
        with watch.step("encrypt", "provider") as more:
            ciphertexts = [one.encrypt(x) for x in singles]
            more |= about
        with watch.step("decrypt", "owner") as more:
            plaintexts = [one.decrypt(c) for c in ciphertexts]
            more |= about
        if plaintexts != list(singles):
            raise InvalidInputError("a peer does not decrypt what it encrypted")
        with watch.step("encrypt few", "provider") as more:
            for x in few:
                one.encrypt(x)
            more |= about
        if many is None or compare is None:
            return
        with watch.step("encrypt batch", "provider") as more:
            left = one.encrypt(many)
            more |= {**about, "values": len(many)}
        right = one.encrypt(other)
        with watch.step("compare", "cloud") as more:
            signs = compare(left, right)
            more |= {**about, "values": len(many)}
        if not np.array_equal(signs, np.sign(many - other)):
            raise InvalidInputError("a scheme does not keep order")

    return case


def _rust(command: str) -> Mapping[str, Case]:
    """Return cases whose repeats a command has measured already."""
    try:
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    except OSError as error:
        raise InvalidInputError(f"the command for the Rust crates failed: {error}") from None
    if done.returncode:
        last = " ".join(done.stderr.strip().splitlines()[-1:])
        raise InvalidInputError(f"the command for the Rust crates failed: {last}")
    measured: dict[str, list[dict[str, Any]]] = {}
    try:
        for line in done.stdout.splitlines():
            scheme, step, domain, values, size, _, seconds = line.split("\t")
            if int(domain) != _OPE_DOMAIN:
                raise ValueError
            row = {"step": step, "party": "provider", "time_s": float(seconds)}
            row |= {"values": int(values), "ciphertext_bytes": int(size)}
            measured.setdefault(scheme, []).append(row)
    except ValueError:
        raise InvalidInputError("the command for the Rust crates prints other lines") from None

    def case(rows: list[dict[str, Any]]) -> Case:
        def replay(watch: Watch) -> None:
            if not rows:
                raise InvalidInputError("the command for the Rust crates repeats too rarely")
            watch.rows.append(rows.pop(0))

        return replay

    return {scheme: case(rows) for scheme, rows in measured.items()}


EXPERIMENT = Experiment(
    "peers",
    "performance",
    peers,
    draw_peers,
    fast={"domains": (121, 1024), "values": 10, "repeats": 2},
    needs="pyope",
)
