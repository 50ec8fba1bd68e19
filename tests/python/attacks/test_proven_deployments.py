"""Proofs give attacks nothing: deployments whose fields are proven fall as those without.

Seals add numbers to what the cloud sees, and tokens name slots. The attacks of the notebooks find
the same, and a distinguisher that holds another provider's keyring finds no value in the numbers.
Its controls are tables without masks, of which it reads everything.
"""

import copy
import functools
import itertools
import sys
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mopse import Field, Schema, attacks, evaluate
from mopse.attacks import Deployment
from mopse.evaluate import security

FIELD, CELLS = "age", 81
NOTEBOOKS = {
    "security_snapshots": {"seeds": range(1), "names": ("sex", "age")},
    "security_knowledge": {},
    "security_merging": {},
    "security_insider": {},
    "security_subtrees": {},
    "security_linked": {},
    "security_updates": {"seeds": range(1), "birthdays": (1,), "updated": (0, 500)},
}
"""Experiments of notebooks 12 to 15 that deploy providers, and smaller sizes of some."""


def proven(schema: Schema) -> Schema:
    """Return a schema whose fields are all to be proven."""
    fields = {name: copy.copy(field) for name, field in schema.items()}
    for field in fields.values():
        field._proof = True
    return Schema(fields)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_attacks_find_the_same_with_proofs(name, monkeypatch):
    experiment = evaluate.EXPERIMENTS[name]
    arguments = {**experiment.fast, **NOTEBOOKS[name]}
    without = experiment.measure(**arguments)
    sealed = []

    def deployed(scheme, tables, schema, **more):
        made = Deployment(scheme, tables, proven(schema), **more)
        sealed.append(len(made.view("snapshot").seals))
        return made

    module = sys.modules[experiment.measure.__module__]
    monkeypatch.setattr(module, "Deployment", deployed)
    assert_frame_equal(experiment.measure(**arguments), without)
    assert max(sealed) > 1, "several providers sealed"


def dealt(values: np.ndarray) -> dict[str, pl.DataFrame]:
    """Return records of two providers; the first has the values, the second all that there are."""
    own = pl.DataFrame({"record_id": np.arange(len(values)), FIELD: values})
    return {
        "target": own,
        "insider": pl.DataFrame({"record_id": range(CELLS), FIELD: range(CELLS)}),
    }


def deployed(values: np.ndarray, seed: int) -> Deployment:
    schema = Schema({FIELD: Field(0, CELLS - 1, proof=True)})
    return Deployment(attacks.MOPSE, dealt(values), schema, seed=seed)


def in_order(made: Deployment) -> list[int]:
    """Return the number in the target's slot of each place, as an insider puts them in order.

    It asks for every single value, and so learns which slots belong to which cells.
    """
    slots = []
    for cell in range(CELLS):
        (*_, token) = made.ask({FIELD: (cell, cell)}, provider="insider")
        low, high = token.slots[FIELD]
        slots += [low, high] if cell == 0 else [high]
        assert slots[-2:] == [low, high], "neighbours share a slot"
    (seal,) = (seal for seal in made.view("snapshot").seals if seal.sender == 0)
    table = seal.tables[FIELD]
    assert sorted(slots) == list(range(len(table)))
    return [int(high) << 64 | int(low) for high, low in table[slots].tolist()]


def steps(places: list[int]) -> list[int]:
    """Return the differences of neighbours: without masks the sums of each cell's leaves."""
    return [(after - before) % 2**128 for before, after in itertools.pairwise(places)]


def unmasked(counts: np.ndarray, seed: int) -> list[int]:
    """Return a table without masks, of uniform leaves: the control."""
    random = np.random.default_rng([seed, 5])
    places, total = [0], 0
    for count in counts:
        total += sum(int.from_bytes(random.bytes(16), "little") for _ in range(count))
        places.append(total % 2**128)
    return places


@functools.cache
def pairs() -> list[tuple[np.ndarray, list[int]]]:
    """Return how many records each cell has, and what the insider makes of the table."""
    made = []
    for seed in range(12):
        values = np.random.default_rng(seed).integers(0, 30 + seed, 60)
        made.append((np.bincount(values, minlength=CELLS), in_order(deployed(values, seed))))
    return made


def test_no_empty_cell_shows_in_a_table():
    for seed, (counts, places) in enumerate(pairs()):
        empty = counts == 0
        assert empty.any()
        assert not any(step == 0 for step in steps(places))
        assert [step == 0 for step in steps(unmasked(counts, seed))] == empty.tolist()


def test_differences_of_slots_do_not_follow_the_counts():
    """Sizes of differences against counts: a correlation of 972 pairs is below 5 / sqrt(972).

    A normal variable is beyond 5 with a chance below 1e-6.
    """
    counts = np.concatenate([counts for counts, _ in pairs()])
    sizes = np.array([step / 2**128 for _, places in pairs() for step in steps(places)])
    bound = 5 / np.sqrt(len(counts))
    assert abs(np.corrcoef(counts > 0, sizes)[0, 1]) < bound
    small = [step for seed, (c, _) in enumerate(pairs()) for step in steps(unmasked(c, seed))]
    control = np.array([step / 2**128 for step in small])
    assert np.corrcoef(counts > 0, control)[0, 1] > bound


def bits(places: list[int]) -> np.ndarray:
    """Return how often each of the 128 bits is set."""
    whole = b"".join(place.to_bytes(16, "little") for place in places)
    return np.unpackbits(np.frombuffer(whole, np.uint8).reshape(-1, 16), axis=1).sum(axis=0)


@pytest.mark.parametrize("lowest", [0, 40])
def test_every_bit_of_tables_is_as_often_set_whatever_the_values(lowest):
    """Chi-square with 128 degrees of freedom: above 219 with a chance below 1e-6."""
    places: list[int] = []
    for seed in range(6):
        values = lowest + np.random.default_rng(seed).integers(0, 40, 200)
        places += in_order(deployed(values, seed))
    count = len(places)
    assert ((bits(places) - count / 2) ** 2 / (count / 4)).sum() < 219
    assert len(set(places)) == count


def test_what_a_seal_says_beside_its_tables_the_store_says_too():
    values = np.random.default_rng(1).integers(0, CELLS, 50)
    made = deployed(values, 1)
    for seal in made.view("snapshot").seals:
        assert seal.records == (made.senders == seal.sender).sum()
        assert seal.number == 1
    made.update({"target": pl.DataFrame({"record_id": [3, 4], FIELD: [5, 6]})})
    made.delete({"target": [7]})
    numbers = {seal.sender: (seal.number, seal.records) for seal in made.view("cloud").seals}
    assert numbers == {0: (3, 49), 1: (1, CELLS)}
    assert not made.view("provider", provider="insider").seals


def queries(made: Deployment) -> Iterator[tuple[int, int]]:
    random = np.random.default_rng(2)
    for _ in range(40):
        low, high = sorted(random.integers(0, CELLS, 2).tolist())
        made.ask({FIELD: (low, high)})
        yield low, high


def test_slots_tell_of_a_query_what_its_bounds_tell():
    made = deployed(np.random.default_rng(3).integers(0, CELLS, 50), 3)
    asked = list(queries(made))
    tokens = made.view("cloud").tokens
    assert len(tokens) == len(asked)
    assert all(not token.values for token in tokens)
    lows = {(t.bounds[FIELD][0], t.slots[FIELD][0]) for t in tokens}
    highs = {(t.bounds[FIELD][1], t.slots[FIELD][1]) for t in tokens}
    for told in (lows, highs):
        bounds, slots = (set(side) for side in zip(*told, strict=True))
        assert len(told) == len(bounds) == len(slots), "one slot for each bound, and the other way"
    ends = {low for low, _ in asked}, {high for _, high in asked}
    assert [len(lows), len(highs)] == [len(end) for end in ends]


def test_fields_without_proofs_are_not_sealed():
    schema = Schema({FIELD: Field(0, CELLS - 1)})
    made = Deployment(attacks.MOPSE, dealt(np.arange(9)), schema, seed=1)
    (token,) = made.ask({FIELD: (1, 2)})
    assert not token.slots
    assert not made.view("snapshot").seals
    control = Deployment(attacks.COMMON, dealt(np.arange(9)), proven(schema), seed=1)
    assert not control.view("snapshot").seals
    assert security.fields(["age"]).proven == ()
