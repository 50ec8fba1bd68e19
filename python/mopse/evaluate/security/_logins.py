"""What falls of a stolen log-in store, and what a guess costs in each form."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from mopse import passwords as hashing
from mopse import plot, specimens
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse.attacks import (
    LOGIN_FORMS,
    LoginStore,
    fallen,
    guess_logins,
    rank_share,
)
from mopse.ciphers import legacy
from mopse.errors import InvalidInputError, WrongPasswordError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH, completed

__all__ = ["EXPERIMENT", "draw_logins", "logins", "logins_in_a_day"]

STORE, DES_KEY, ALL_KEYS = "the store", "the store and the DES key", "the store and all keys"
"""What the thief has."""

BY_RANK, ANY_WORD, RANDOM = "by rank", "any word", "random"
"""Passwords by the law of `rank_share`, or any word of the list in use; and of random letters that
are in no list: a control."""

LISTED, STRANGERS = "passwords in use", "strangers"
"""The list by whose ranks passwords are in use, and one that holds none of them: a control."""

_CHUNKS = "published-chunks"
_CASES = [(_CHUNKS, STORE), (_CHUNKS, DES_KEY), (_CHUNKS, ALL_KEYS)] + [
    (form, STORE) for form in LOGIN_FORMS if form != _CHUNKS
]
_SLOW = ("pbkdf2-sha256", "argon2id")
_KEYS = {STORE: (), DES_KEY: legacy.CHUNK_CIPHERS[:1], ALL_KEYS: legacy.CHUNK_CIPHERS}
_DAY_S = 24 * 3600
_STRANGERS_SEED = 2**31
_RANDOM_LETTERS = 8


@measured(costs=(1, 1024))
def logins(
    seeds: Sequence[int] = range(5),
    words: Sequence[int] = (10, 100, 1000, 10_000),
    users: int = 1000,
    *,
    slow_words: int = 4,
    slow_users: int = 4,
    costs: Sequence[tuple[int, int]] = ((16, 1), (64, 1), (64, 3), (256, 3)),
    unknown_bits: int = 18,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack stolen log-in stores of every form with word lists, and time guesses.

    Parameters
    ----------
    seeds : sequence of int
        One word list and one population each. Keys and salts are random.
    words : sequence of int
        How many words are tried, from the likeliest on.
    users : int
        How many log-ins a store has.
    slow_words, slow_users : int
        The same for PBKDF2 and Argon2id; each log-in has any of these words.
    costs : sequence of (int, int)
        MiB of memory and passes over it at which one guess at Argon2id is timed.
    unknown_bits : int
        How many bits of a DES key are searched, to time one trial; the whole key has 56.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        ``part`` is ``list`` for attacks with a word list, with ``form``, ``knowledge`` (what the
        thief has), ``population`` and ``listed`` (which passwords, which list), ``words`` tried and
        ``users``; ``guessed``, ``certain``, ``fallen`` and ``expected``, the shares of log-ins that
        the attack has a guess for, is certain of, has right, and a closed form of the last. It is
        ``cost`` for guesses at Argon2id at ``memory_mib`` and ``passes``, and ``DES key`` for the
        search of the last ``bits`` of one. Always ``tries``, ``cpu_s``, the work of all cores that
        they took, and ``tries_per_s``, of one core.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are no words, log-ins, bits, memory or passes, or too many.

    Notes
    -----
    A word list is made up (`mopse.specimens.words`), and who uses which word is drawn by the law of
    `rank_share`; passwords beyond the list are random letters. So shares are those of the law, and
    no population's. What is measured is that attacks reach them, in every form that shows which
    guess is right, and what that takes. Rates are of this package on one core, and bound nobody who
    has faster code or more of them. A store of one seed and size holds the same passwords in every
    form.

    **Expected**, of the list in use: the law at the number of words, or 1 for any word; of chunks
    with the DES key the sum of the law over words that no likelier one shares its first chunk and
    quarter of the length with; with all keys 1, of random passwords too. Else 0.
    """
    wholes(seeds, "seeds", least=0)
    if max(wholes(words, "words", least=1)) > 10**5:
        raise InvalidInputError(f"words is {max(words)}, expected at most 10^5")
    for value, name in ((users, "users"), (slow_words, "slow_words"), (slow_users, "slow_users")):
        whole(value, name, least=1)
    if not 1 <= unknown_bits <= 40:
        raise InvalidInputError(f"unknown_bits is {unknown_bits}, expected 1 to 40")
    for memory, passes in costs:
        if passes > 16:
            raise InvalidInputError(f"costs: {passes} passes over {memory} MiB, expected 1 to 16")
    keys = _keys(seeds, words, users, slow_words, slow_users, costs, unknown_bits)

    def rows(left: Sequence[int]) -> Iterator[pl.DataFrame]:
        # One after the other on one thread: rates are of a core that does nothing else.
        for place in left:
            measure = {"list": _attacked, "cost": _timed, "DES key": _searched}[keys[place]["part"]]
            yield pl.DataFrame([keys[place] | measure(keys[place])], schema=_SCHEMA)

    return completed(keys, rows, path=path, progress=progress, columns=["tries_per_s"])


_SCHEMA = {
    **{"part": pl.String, "seed": pl.Int64, "form": pl.String, "knowledge": pl.String},
    **{"population": pl.String, "listed": pl.String, "words": pl.Int64, "users": pl.Int64},
    **{"memory_mib": pl.Int64, "passes": pl.Int64, "bits": pl.Int64},
    **{"guessed": pl.Float64, "certain": pl.Float64},
    **{"fallen": pl.Float64, "expected": pl.Float64},
    **{"tries": pl.Int64, "cpu_s": pl.Float64, "tries_per_s": pl.Float64},
}


def _keys(
    seeds: Sequence[int],
    words: Sequence[int],
    users: int,
    slow_words: int,
    slow_users: int,
    costs: Sequence[tuple[int, int]],
    unknown_bits: int,
) -> list[dict[str, Any]]:
    """Return what tells the rows apart."""
    found: list[dict[str, Any]] = []
    empty = dict.fromkeys(list(_SCHEMA)[:11])
    for seed in seeds:
        for form, knowledge in _CASES:
            is_slow = form in _SLOW
            # By the law so few would have one of so few words that nothing could be told.
            weak = ANY_WORD if is_slow else BY_RANK
            for population, listed in [(weak, LISTED), (RANDOM, LISTED), (weak, STRANGERS)]:
                about: dict[str, Any] = {"form": form, "knowledge": knowledge, "listed": listed}
                about |= {"users": slow_users if is_slow else users, "population": population}
                found += [
                    {**empty, "part": "list", "seed": seed, **about, "words": count}
                    for count in ([slow_words] if is_slow else words)
                ]
        for memory, passes in costs:
            about = {"form": "argon2id", "memory_mib": memory, "passes": passes}
            found.append({**empty, "part": "cost", "seed": seed, **about})
        about = {"form": _CHUNKS, "bits": unknown_bits}
        found.append({**empty, "part": "DES key", "seed": seed, **about})
    return found


def _attacked(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return what falls of one store."""
    count, users, seed = key["words"], key["users"], key["seed"]
    used = specimens.words(count, seed=seed)
    tried = used
    if key["listed"] == STRANGERS:
        known = set(used)
        others = specimens.words(2 * count, seed=seed + _STRANGERS_SEED)
        tried = [word for word in others if word not in known][:count]
    truth = _population(key["population"], used, users, np.random.default_rng([seed, count]))
    store = LoginStore(key["form"])
    for number, password in enumerate(truth):
        store.enroll(f"user {number}", password)
    stolen = store.steal(_KEYS[key["knowledge"]])
    typed = [word.encode() for word in tried]
    work, guess = _work(lambda: guess_logins(stolen, typed))
    return {
        "guessed": float(np.mean([one is not None for one in guess.passwords])),
        "certain": float(guess.certain.mean()),
        "fallen": float(fallen(guess, truth).mean()),
        "expected": _expected(key, used),
        **_rate(guess.tries, work),
    }


def _population(
    kind: str, used: Sequence[str], users: int, random: np.random.Generator
) -> list[str]:
    """Return a password for each user."""
    # The share that words up to a rank have, solved for the rank; words are the integers above.
    shares = np.array([rank_share(rank) for rank in range(1, len(used) + 1)])
    ranks = np.searchsorted(shares, random.random(users))
    if kind == ANY_WORD:
        ranks = random.integers(len(used), size=users)
    if kind == RANDOM:
        ranks[:] = len(used)
    letters = random.integers(ord("a"), ord("z") + 1, size=(users, _RANDOM_LETTERS), dtype=np.uint8)
    return [
        used[rank] if rank < len(used) else letter.tobytes().decode()
        for rank, letter in zip(ranks, letters, strict=True)
    ]


def _expected(key: Mapping[str, Any], used: Sequence[str]) -> float:
    """Return the share of log-ins that falls, by the law."""
    if key["knowledge"] == ALL_KEYS:
        return 1.0
    is_in_list = key["population"] != RANDOM and key["listed"] == LISTED
    if not is_in_list or (key["form"], key["knowledge"]) == (_CHUNKS, STORE):
        return 0.0
    if key["knowledge"] == STORE:
        return 1.0 if key["population"] == ANY_WORD else rank_share(len(used))
    first: dict[tuple[str, int], int] = {}
    for rank, word in enumerate(used):
        first.setdefault((word[: len(word) // 4], len(word) // 4), rank)
    return sum(rank_share(rank + 1) - rank_share(rank) for rank in first.values())


def _work(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long all cores worked on a call, in seconds, and what it returned."""
    start = time.process_time()
    returned = call()
    return time.process_time() - start, returned


def _rate(tries: int, work: float) -> dict[str, Any]:
    rate = tries / work if tries and work > 0 else None
    return {"tries": tries, "cpu_s": work, "tries_per_s": rate}


def _timed(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a guess at Argon2id costs: at a hash of no known password."""
    memory, passes = key["memory_mib"], key["passes"]
    cost = f"m={1024 * memory},t={passes},p=1"
    kept = f"$argon2id$v=19${cost}${'c2FsdCBvZiAxNiBieXRl'}${'A' * 43}"
    tries = 3

    def guess() -> None:
        for number in range(tries):
            try:
                hashing.verify(f"guess {number}", kept, most_memory=1024, most_passes=16)
            except WrongPasswordError:
                continue
            raise InvalidInputError("a guess at no password was right")

    guess()
    work, _ = _work(guess)
    return _rate(tries, work)


def _searched(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial of a DES key costs, beside the first chunk of a password."""
    bits, keys = key["bits"], [legacy.generate_key(name) for name in legacy.CHUNK_CIPHERS[:2]]
    keys += [bytes(range(16)), bytes(range(32))]
    [word] = specimens.words(1, seed=key["seed"])
    password = word[:4] * 4
    chunk = legacy.split_credential(password.encode(), keys)[0]
    known = bytearray(keys[0])
    left = bits
    for byte in reversed(range(8)):
        here = min(left, 7)
        known[byte] &= 0xFF << (here + 1) & 0xFF
        left -= here
    work, found = _work(lambda: legacy.search_des_key(chunk, 4, bytes(known), bits))
    if password[:4].encode() not in [text for _, text in found]:
        raise InvalidInputError("the search missed the key")
    return _rate(2**bits, work)


@measured(users=(1, 2**32))
def logins_in_a_day(table: pl.DataFrame, users: int = 1000) -> pl.DataFrame:
    """Compute what one core reaches in a day: rates are measured, shares are the law's.

    Parameters
    ----------
    table : polars.DataFrame
        From `logins`.
    users : int
        How many log-ins the stolen store has.

    Returns
    -------
    polars.DataFrame
        Per ``form`` that can be guessed at ``guesses_per_s`` (the median, of one core),
        ``guesses_a_day``, ``words_each``, how many words that is for each log-in, and ``share``,
        the part of log-ins that has fallen then by `rank_share`; ``share_of_one``, if all work is
        on one log-in. A salt divides the work by the log-ins; without one there is nothing to
        divide.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the table is none of `logins`.
    """
    rates = (
        table.filter(pl.col("part") == "list", pl.col("tries_per_s").is_not_null())
        .filter(pl.col("words") == pl.col("words").max().over("form"))
        .group_by("form", maintain_order=True)
        .agg(pl.col("tries_per_s").median().alias("guesses_per_s"))
    )
    rows = []
    for form, rate in rates.iter_rows():
        a_day = int(rate * _DAY_S)
        each = a_day if form == "published-md5" else a_day // users
        rows.append({
            "form": form, "guesses_per_s": rate, "guesses_a_day": a_day, "words_each": each,
            "share": rank_share(each), "share_of_one": rank_share(a_day),
        })  # fmt: skip
    return pl.DataFrame(rows)


@measured()
def draw_logins(table: pl.DataFrame) -> plot.Figure:
    """Return what falls to word lists, measured beside the law, and what a day would reach.

    From a table of `logins`. On the left are the forms whose hashes are cheap, and the control,
    random passwords. On the right all is computed from the rates measured and the law.
    """
    left = plot.Figure(
        x="words tried", y="share of log-ins", x_scale="log10", y_range=(0.0, 1.02),
        title="measured: what falls",
    )  # fmt: skip
    listed = table.filter(pl.col("part") == "list")
    in_use = listed.filter(pl.col("population") == BY_RANK, pl.col("listed") == LISTED)
    for form, knowledge in _CASES:
        is_one = (pl.col("form") == form) & (pl.col("knowledge") == knowledge)
        name = form if knowledge == STORE else f"{form}, {knowledge.removeprefix('the store and ')}"
        part = in_use.filter(is_one)
        if form not in _SLOW:
            left.repeats(part["words"], part["fallen"], name=name)
            left.line(*_means(part, "fallen"), name=name)
    md5 = pl.col("form") == "published-md5"
    left.line(*_means(in_use.filter(md5), "expected"), name="expected", role="expected")
    control = listed.filter(md5, pl.col("population") == RANDOM)
    left.line(*_means(control, "fallen"), name="random passwords", role="control")

    right = plot.Figure(
        x="log-ins in the store", y="share of log-ins", x_scale="log10", y_range=(0.0, 1.02),
        title="computed: what a core reaches in a day",
    )  # fmt: skip
    sizes = [10**power for power in range(7)]
    days = [logins_in_a_day(table, users) for users in sizes]
    for form in days[0]["form"]:
        shares = chain.from_iterable(day.filter(pl.col("form") == form)["share"] for day in days)
        right.line(sizes, list(shares), name=form)
    title = "A stolen log-in store: a hash sets the price of a guess, not what guesses find"
    return plot.grid([left, right], title=title, width=1200, height=480)


def _means(part: pl.DataFrame, of: str) -> tuple[pl.Series, pl.Series]:
    curve = part.group_by("words").agg(pl.col(of).mean()).sort("words")
    return curve["words"], curve[of]


EXPERIMENT = Experiment(
    "security_logins",
    "security",
    logins,
    draw_logins,
    fast={
        "seeds": range(2),
        "words": (10, 100),
        "users": 100,
        "slow_words": 1,
        "slow_users": 1,
        "costs": ((1, 1), (2, 1)),
        "unknown_bits": 10,
    },
)
