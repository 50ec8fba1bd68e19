"""What the cloud sees of changes and deletions, and what it reads from them."""

import itertools
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import mopse
from mopse import attacks
from mopse.attacks import Adversary, Auxiliary, Deployment, Index, Replaced, View
from mopse.errors import InvalidInputError

SCHEMA = mopse.Schema(age=mopse.Field(0, 80), bmi=mopse.Field(10, 60, step=0.5, cell=5))
WITH_CHANGES = (Adversary.CLOUD, Adversary.PROVIDER_CLOUD, Adversary.USER_CLOUD)


def tables(records: int = 40) -> dict[str, pl.DataFrame]:
    """Return records of four providers in a tree; some lack a value."""
    random = np.random.default_rng(1)
    return {
        path: pl.DataFrame(
            {
                "record_id": np.arange(records) + 1000 * number,
                "age": random.integers(0, 80, records),
                "bmi": [None if at % 7 == 0 else 20 + at / 2 for at in range(records)],
            }
        )
        for number, path in enumerate(["a", "a/b", "a/b/c", "d"])
    }


def changed(scheme: str) -> tuple[Deployment, dict[str, pl.DataFrame]]:
    """Return a run with changes of two providers and deletions of two, and what is left there."""
    held = tables()
    made = Deployment(scheme, held, SCHEMA, seed=1)
    new = {path: held[path].head(15).with_columns(pl.col("age") + 1) for path in ("a", "d")}
    made.update(new)
    again = new["a"].head(5).with_columns(pl.col("age") - 1, bmi=pl.lit(30.0))
    made.update({"a": again})
    lost = {"a": [2, 39], "a/b": [1000]}
    made.delete(lost)
    for path, table in [*new.items(), ("a", again)]:
        held[path] = held[path].update(table, on="record_id", include_nulls=True)
    gone = [record_id for ids in lost.values() for record_id in ids]
    return made, {p: t.filter(~pl.col("record_id").is_in(gone)) for p, t in held.items()}


@pytest.fixture(scope="module", params=attacks.SCHEMES)
def life(request):
    return changed(request.param)


def test_truth_and_entries_are_those_of_live_records(life):
    made, held = life
    view = made.view("snapshot")
    assert made.records == view.records == sum(table.height for table in held.values())
    for number, path in enumerate(made.providers):
        mine = made.senders == number
        assert sorted(made.truth["age"][mine]) == sorted(held[path]["age"])
        assert (made.truth["bmi"][mine] < 0).sum() == held[path]["bmi"].null_count()
    for field, truth in made.truth.items():
        seen = np.concatenate([index.records for index in view.indexes_of(field)])
        assert sorted(seen) == np.flatnonzero(truth >= 0).tolist()
        for index in view.indexes_of(field):
            cells = truth[index.records] // view.domain(field).cell
            assert (np.diff(index.ciphertexts) >= 0).all()
            assert (np.diff(cells) >= 0).all()


def test_a_deployment_opens_what_is_live_after_changes(life):
    made, _ = life
    own = made.opened("a/b/c")
    assert own[made.senders == made.providers.index("a/b/c")].all()


def test_only_who_works_with_the_cloud_sees_changes(life):
    made, _ = life
    for adversary in Adversary:
        provider = "a/b" if adversary.startswith("provider") else None
        view = made.view(adversary, provider=provider)
        assert bool(view.replaced) == bool(view.deleted) == (adversary in WITH_CHANGES)
        seen = [] if adversary == Adversary.PROVIDER else [0, 0, 1]
        assert view.gone.tolist() == seen, "tombstones say whose they are"


def test_the_cloud_sees_old_and_new_of_each_change(life):
    made, _ = life
    view, width = made.view("cloud"), SCHEMA["bmi"].cell
    ages = view.replaced["age"]
    assert sum(len(seen.records) for seen in ages) == 15 + 15 + 5
    truth = {f: np.append(made.truth[f], made.truth_of_deleted[f]) for f in made.truth}
    assert len(truth["age"]) == view.records + 3
    last = {}
    for seen in ages:
        assert seen.ciphertexts.shape == (len(seen.records), 2)
        assert seen.ciphertexts.dtype == np.int64
        for record, (old, new) in zip(seen.records, seen.ciphertexts.tolist(), strict=True):
            assert last.setdefault(record, old) == old, "each change takes up where one ended"
            last[record] = new
    entries = {
        record: ciphertext
        for index in view.remembered().indexes_of("age")
        for record, ciphertext in zip(index.records, index.ciphertexts.tolist(), strict=True)
    }
    assert all(entries[record] == ciphertext for record, ciphertext in last.items())
    # What stayed in its cell, or came back to it, has its old place.
    for seen in view.replaced["bmi"]:
        for record, (old, new) in zip(seen.records, seen.ciphertexts.tolist(), strict=True):
            if old == new:
                continue
            assert truth["bmi"][record] // width == 40 // width, "only those that became 30.0"


def test_what_is_deleted_stays_known_to_the_cloud(life):
    made, _ = life
    view = made.view("cloud")
    whole = view.remembered()
    assert whole.records == view.records + 3
    assert whole.senders[view.records :].tolist() == view.gone.tolist()
    truth = np.append(made.truth["age"], made.truth_of_deleted["age"])
    for index in whole.indexes_of("age"):
        assert (np.diff(index.ciphertexts) >= 0).all()
        assert (np.diff(truth[index.records]) >= 0).all()
    assert sorted(made.truth_of_deleted["age"].tolist()) == sorted(
        tables()["a"]["age"][[2, 39]].to_list() + tables()["a/b"]["age"][[0]].to_list()
    )
    with pytest.raises(InvalidInputError, match="shows no entry of what is deleted"):
        made.view("snapshot").remembered()
    inside = made.view("provider+cloud", provider="a").remembered()
    assert (inside.insider.own["age"][view.records :] == -1).all()


def test_no_key_and_no_truth_is_reachable_from_a_view_of_changes(life):
    made, _ = life
    view = made.view("cloud")
    for field, truth in made.truth.items():
        for seen in view.replaced[field]:
            assert not np.shares_memory(seen.ciphertexts, truth)
    for part in (view.alone(0), view.shuffled(1)):
        assert not part.replaced
        assert not part.deleted
        assert not len(part.gone)


def test_bad_changes_change_nothing():
    made = Deployment(attacks.MOPSE, tables(), SCHEMA, seed=1)
    before = made.view("cloud")
    good = tables()["a"].head(2)
    with pytest.raises(InvalidInputError, match="there is no provider 'x'"):
        made.update({"a": good, "x": good})
    with pytest.raises(InvalidInputError, match="record 1002"):
        made.update({"a": good, "d": good.with_columns(record_id=pl.Series([3000, 1002]))})
    with pytest.raises(InvalidInputError, match="outside the domain"):
        made.update({"a": good, "d": tables()["d"].head(1).with_columns(age=pl.lit(81))})
    with pytest.raises(InvalidInputError, match="there is no provider 'x'"):
        made.delete({"x": [1]})
    with pytest.raises(InvalidInputError, match="record 1000"):
        made.delete({"a": [1000]})
    with pytest.raises(InvalidInputError, match="needs a provider with records"):
        made.delete({path: table["record_id"].to_list() for path, table in tables().items()})
    after = made.view("cloud")
    assert not after.replaced
    assert not len(after.gone)
    assert after.index("age").ciphertexts.tolist() == before.index("age").ciphertexts.tolist()


# The attack


def seen_by_cloud(
    ciphertexts: list[int],
    pairs: list[tuple[int, int, int]],
    plaintexts: int,
    *,
    cell: int = 1,
) -> View:
    """Return the view of a column after changes (record, old ciphertext, new ciphertext)."""
    view = View.snapshot(ciphertexts, plaintexts, cell=cell)
    changes = np.array([pair[1:] for pair in pairs], np.int64).reshape(-1, 2)
    records = np.array([pair[0] for pair in pairs], np.int64)
    seen = {"x": [Replaced("", changes, records)]}
    return replace(view, adversary=Adversary.CLOUD, replaced=seen)


def test_birthdays_worked_by_hand():
    """Three cells; record 0 went from 50 by 150 to 250, so it was in each of them.

    Entries at 40 and 260 lie outside, so their cells are certain. That at 200 is in cell 1 or 2:
    six entries in any order within cells of 2, 2, 2 or 2, 1, 3 are as 1/8 to 1/12.
    """
    view = seen_by_cloud([250, 40, 260, 200], [(0, 50, 150), (0, 150, 250)], 3)
    posterior = attacks.raised(view, "x", Auxiliary({"x": [1, 1, 1]}))
    assert posterior.guess().values.tolist() == [2, 0, 2, 1]
    assert posterior.guess().confidence == pytest.approx([1, 1, 1, 0.6])
    assert posterior.masses[posterior.classes[3]] == pytest.approx([0, 0.6, 0.4])


def test_a_value_that_passed_is_the_lowest_of_its_cell():
    """Cells of three: records 0 and 1 grew twice; one passed at once, the other one not."""
    pairs = [(0, 40, 140), (1, 50, 50), (0, 140, 140), (1, 50, 50)]
    guess = attacks.raised(
        seen_by_cloud([140, 50, 150], pairs, 6, cell=3), "x", Auxiliary({"x": [1] * 6})
    ).guess()
    assert guess.values[0] == 4, "3 at the first birthday, 4 at the second"
    assert guess.values[1] in (2, 5), "0 and 2 before: any other would have passed"
    assert guess.confidence[0] == pytest.approx(1)


def by_definition(
    starts: list[int], pairs: list[tuple[int, int, int]], ciphertexts: list[int], pi: np.ndarray,
    cell: int,
) -> np.ndarray:  # fmt: skip
    """Return the share of each present value, over all values before the first change."""
    points = sorted({*starts, *ciphertexts, *(c for pair in pairs for c in pair[1:])})
    masses = np.zeros((len(starts), len(pi)))
    times = [sum(record == at for record, _, _ in pairs) for at in range(len(starts))]
    for values in itertools.product(range(len(pi)), repeat=len(starts)):
        cells, now, is_consistent = {}, list(values), True
        for at, start in enumerate(starts):
            cells[start] = values[at] // cell
        for record, old, new in pairs:
            now[record] += 1
            is_consistent &= now[record] < len(pi) and cells[old] == (now[record] - 1) // cell
            is_consistent &= cells.setdefault(new, now[record] // cell) == now[record] // cell
            is_consistent &= (old == new) == (now[record] // cell == (now[record] - 1) // cell)
        placed = [cells[point] for point in points]
        if not is_consistent or placed != sorted(placed):
            continue
        orders = math.prod(math.factorial(count) for count in np.bincount(placed))
        share = math.prod(pi[value] for value in values) / orders
        for at, value in enumerate(now):
            masses[at, value] += share
    assert times
    return masses / masses.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("cell", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_the_posterior_is_the_sum_over_all_values(cell, seed):
    random = np.random.default_rng([seed, cell])
    plaintexts, records = 7, 4
    counts = random.integers(1, 20, plaintexts)
    aux = Auxiliary({"x": counts})
    coins = {}

    def encrypt(record: int, value: int) -> int:
        at = record, value // cell
        return 1000 * at[1] + coins.setdefault(at, int(random.integers(1000)))

    values = random.integers(0, plaintexts - 2, records)
    starts = [encrypt(record, value) for record, value in enumerate(values)]
    pairs = []
    for record in (0, 1, 0):
        old = encrypt(record, values[record])
        values[record] += 1
        pairs.append((record, old, encrypt(record, values[record])))
    now = [encrypt(record, value) for record, value in enumerate(values)]
    view = seen_by_cloud(now, pairs, plaintexts, cell=cell)
    posterior = attacks.raised(view, "x", aux)
    pi = aux.distribution("x", view.domain("x"))
    expected = by_definition(starts, pairs, now, pi, cell)
    assert posterior.masses[posterior.classes] == pytest.approx(expected)


def test_a_change_that_shows_nothing_leaves_ranks():
    """One record grew inside its cell; values of a cell are as likely, so that guesses agree."""
    random = np.random.default_rng(3)
    ciphertexts = random.permutation(10**6)[:300]
    aux = Auxiliary({"x": np.repeat(random.integers(1, 50, 10), 4)})
    changes = [(7, int(ciphertexts[7]), int(ciphertexts[7]))]
    view = seen_by_cloud(ciphertexts, changes, 40, cell=4)
    guess = attacks.raised(view, "x", aux).guess()
    ranked = attacks.rank(view, "x", aux)
    others = np.arange(300) != 7
    assert (guess.values // 4 == ranked.values // 4)[others].mean() > 0.97
    assert guess.confidence[others] == pytest.approx(ranked.confidence[others], abs=0.02)


def agelike(values: int) -> np.ndarray:
    """Return a distribution like that of ages: a plateau that falls off."""
    shape = 1 / (1 + np.exp((np.arange(values) - 0.75 * values) / (0.06 * values)))
    return shape / shape.sum()


def read(updated: int, seed: int, values: int = 30, records: int = 300) -> float:
    """Return the share of records that is read with birthdays of some seen."""
    random = np.random.default_rng(seed)
    pi = agelike(values)
    before = random.choice(values, records, p=pi)
    opse, ids = mopse.Opse(random.bytes(32), values), np.arange(records)
    chosen = random.permutation(np.flatnonzero(before < values - 1))[:updated]
    after = before.copy()
    after[chosen] += 1
    old, new = (opse.encrypt(column, ids=ids) for column in (before, after))
    view = seen_by_cloud(new, list(zip(chosen, old[chosen], new[chosen], strict=True)), values)
    guess = attacks.raised(view, "x", Auxiliary({"x": 1000 * pi})).guess()
    return float((guess.values == after).mean())


def test_more_birthdays_never_hurt_on_average():
    """Means over 40 fixed seeds, whose standard error is below 0.035; they may fall by as much."""
    means = [np.mean([read(n, seed) for seed in range(40)]) for n in (5, 20, 50, 100, 250)]
    assert (np.diff(means) > -0.035).all()
    assert means[0] > attacks.expected_rank_recovery(agelike(30), 300) - 0.035
    assert means[-1] > 0.95 > means[0] + 0.3


@pytest.mark.parametrize("scheme", [attacks.MOPSE, attacks.COMMON])
@pytest.mark.parametrize("cell", [1, 5])
def test_birthdays_of_everybody_tell_nearly_all(scheme, cell):
    schema = mopse.Schema(age=mopse.Field(0, 80, cell=cell))
    random = np.random.default_rng(1)
    ages = random.choice(76, 1000, p=agelike(81)[:76] / agelike(81)[:76].sum())
    parts = {
        path: pl.DataFrame({"record_id": np.arange(500), "age": some})
        for path, some in (("a", ages[:500]), ("b", ages[500:]))
    }
    made = Deployment(scheme, parts, schema, seed=1)
    for birthday in range(1, cell + 1):
        older = {p: part.with_columns(pl.col("age") + birthday) for p, part in parts.items()}
        made.update(older)
    aux = Auxiliary({"age": 1000 * agelike(81)})
    guess = attacks.raised(made.view("cloud"), "age", aux).guess()
    assert (guess.values == made.truth["age"]).mean() > 0.98, "as many birthdays as a cell is wide"
    blind = attacks.rank(made.view("snapshot"), "age", aux)
    assert (blind.values == made.truth["age"]).mean() < 0.5


def test_groups_without_changes_are_read_by_ranks():
    made = Deployment(attacks.PLUS, tables(), SCHEMA, seed=1)
    young = tables()["d"].filter(pl.col("age") < 80).with_columns(pl.col("age") + 1)
    made.update({"d": young})
    aux = Auxiliary({"age": np.ones(81)})
    view = made.view("cloud")
    posterior = attacks.raised(view, "age", aux)
    assert len(view.indexes["age"]) > 1
    assert (posterior.classes >= 0).all()
    assert posterior.masses.sum(axis=1) == pytest.approx(np.ones(made.records))


def test_what_shows_no_birthdays_is_refused():
    aux = Auxiliary({"x": [1] * 3})
    with pytest.raises(InvalidInputError, match="a view of snapshot shows no change of field 'x'"):
        attacks.raised(View.snapshot([1, 2], 3), "x", aux)
    view = seen_by_cloud([150, 250], [(0, 50, 150)], 3)
    with pytest.raises(InvalidInputError, match="the view has no field 'y'"):
        attacks.raised(view, "y", aux)
    with pytest.raises(InvalidInputError, match="counts of 4 values"):
        attacks.raised(view, "x", Auxiliary({"x": [1] * 4}))
    for pairs, cell in (
        ([(0, 250, 150)], 1),  # it fell
        ([(0, 50, 50), (0, 50, 150)], 1),  # it grew and stayed in a cell of one step
        ([(0, 50, 100), (0, 100, 150)], 2),  # it passed twice within two steps
        ([(0, 50, 100), (0, 100, 120), (0, 120, 150)], 1),  # three steps among three values
    ):
        contradicting = seen_by_cloud([150, 250], pairs, 3, cell=cell)
        with pytest.raises(InvalidInputError, match="no cells agree with changes"):
            attacks.raised(contradicting, "x", aux)


def test_a_view_that_remembers_nothing_is_itself():
    view = View.snapshot([1, 2], 3)
    assert view.remembered() is view
    lost = Index("other", np.array([5]), np.array([2]))
    whole = replace(view, deleted={"x": [lost]}, gone=np.array([0])).remembered()
    assert [index.group for index in whole.indexes_of("x")] == ["", "other"]
    assert whole.senders.tolist() == [0, 0, 0]
