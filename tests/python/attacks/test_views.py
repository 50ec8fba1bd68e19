"""What each adversary sees of a run, that attacks reach no more, and how a guess is scored."""

import ast
import gc
import types
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import mopse
from mopse import attacks
from mopse.attacks import Adversary, Auxiliary, Deployment, Domain, Guess, Posterior, View
from mopse.errors import InvalidInputError, WrongTypeError

PACKAGE = Path(mopse.__file__).parent / "attacks"
NO_ATTACKS = {"__init__.py", "_deployment.py", "_login_store.py", "_release.py"}
"""What shows an attack its view, and has keys for that."""
ATTACKS = sorted(path for path in PACKAGE.glob("*.py") if path.name not in NO_ATTACKS)
SCHEMA = mopse.Schema(age=mopse.Field(0, 80), bmi=mopse.Field(10, 60, step=0.5, cell=5))
SCHEMES = attacks.SCHEMES


def tables(seed: int = 1, records: int = 60) -> dict[str, pl.DataFrame]:
    """Return records of four providers in a tree; some lack a value."""
    random = np.random.default_rng(seed)
    paths = ["a", "a/b", "a/b/c", "d"]
    made = {}
    for number, path in enumerate(paths):
        ages = pl.Series(random.integers(0, 81, records))
        made[path] = pl.DataFrame(
            {
                "record_id": np.arange(records) + 1000 * number,
                "age": ages,
                "bmi": [None if at % 7 == 0 else v / 2 for at, v in enumerate(ages + 20)],
            },
            strict=False,
        )
    return made


@pytest.fixture(scope="module", params=SCHEMES)
def deployment(request):
    made = Deployment(request.param, tables(), SCHEMA, seed=1)
    made.ask({"age": (10, 30)})
    made.ask({"age": (5, 60), "bmi": (0, 40)})
    return made


def test_every_entry_is_in_one_index_in_order(deployment):
    view = deployment.view(Adversary.SNAPSHOT)
    for field, truth in deployment.truth.items():
        seen = np.concatenate([index.records for index in view.indexes_of(field)])
        assert sorted(seen) == np.flatnonzero(truth >= 0).tolist()
        width = view.domain(field).cell
        for index in view.indexes_of(field):
            assert (np.diff(index.ciphertexts) >= 0).all()
            assert (np.diff(truth[index.records] // width) >= 0).all()


def test_truth_and_senders_are_those_of_the_tables(deployment):
    for number, (path, table) in enumerate(tables().items()):
        mine = deployment.senders == number
        assert mine.sum() == table.height
        assert sorted(deployment.truth["age"][mine]) == sorted(table["age"])
        assert deployment.providers[number] == path


def test_each_adversary_sees_what_it_is_named_for(deployment):
    for adversary in Adversary:
        provider = "a/b" if adversary.startswith("provider") else None
        view = deployment.view(adversary, provider=provider)
        assert bool(view.indexes) == (adversary != "provider")
        assert bool(view.tokens) == ("cloud" in adversary)
        assert (view.insider is not None) == adversary.startswith("provider")
        assert any(token.values for token in view.tokens) == (adversary == "user+cloud")


def test_bounds_of_a_token_hold_the_records_it_asks_for(deployment):
    for token in deployment.view("cloud").tokens[:1]:
        (index,) = [i for i in deployment.view("cloud").indexes_of("age") if i.group == token.group]
        low, high = token.bounds["age"]
        is_in = (index.ciphertexts >= low) & (index.ciphertexts <= high)
        truth = deployment.truth["age"][index.records]
        assert is_in.tolist() == ((truth >= 10) & (truth <= 30)).tolist()


def test_a_provider_opens_its_subtree_under_keys_of_its_own():
    opened = {}
    for scheme in SCHEMES:
        made = Deployment(scheme, tables(), SCHEMA, seed=1)
        opened[scheme] = {
            path: sorted({made.providers[s] for s in made.senders[made.opened(path)]})
            for path in made.providers
        }
    own = {path: [path] for path in tables()}
    everyone = {path: sorted(tables()) for path in tables()}
    for scheme in (attacks.MOPSE, attacks.PER_PROVIDER, attacks.MARKS):
        assert opened[scheme] == own
    for scheme in (attacks.PLAIN, attacks.DETERMINISTIC, attacks.COMMON):
        assert opened[scheme] == everyone
    assert opened[attacks.PLUS] == {
        "a": ["a", "a/b", "a/b/c"],
        "a/b": ["a/b", "a/b/c"],
        "a/b/c": ["a/b/c"],
        "d": ["d"],
    }


def reachable(start: object) -> list[object]:
    """Return everything that can be reached from an object but modules, classes and functions."""
    seen, found, waiting = set(), [], [start]
    while waiting:
        thing = waiting.pop()
        is_code = isinstance(thing, types.ModuleType | type | types.FunctionType)
        if id(thing) in seen or is_code:
            continue
        seen.add(id(thing))
        found.append(thing)
        waiting += gc.get_referents(thing)
    return found


@pytest.mark.parametrize("adversary", Adversary)
def test_no_key_and_no_truth_is_reachable_from_a_view(deployment, adversary):
    provider = "a/b" if adversary.startswith("provider") else None
    view = deployment.view(adversary, provider=provider)
    found = reachable(view)
    allowed = (
        View, attacks.Index, attacks.Insider, attacks.ObservedToken, attacks.Replaced, Domain,
        Adversary,
        np.ndarray, np.dtype, np.generic, str, int, dict, list, tuple, type(None), bytes,
    )  # fmt: skip
    assert {type(thing).__name__ for thing in found if not isinstance(thing, allowed)} == set()
    arrays = [thing for thing in found if isinstance(thing, np.ndarray)]
    for truth in deployment.truth.values():
        if deployment.scheme == attacks.PLAIN or deployment.opened(provider or "a").all():
            continue
        for array in arrays:
            assert not np.shares_memory(array, truth)
            assert array.shape != truth.shape or not np.array_equal(array, truth)


@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.name)
def test_attacks_import_nothing_that_holds_keys_or_values(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    keyed = {"owner", "provider", "user", "scheme", "cloud", "datasets", "evaluate", "_deployment"}
    reached = {name for name in names if set(name.split(".")[1:]) & keyed}
    assert reached == set()


def test_kernels_of_attacks_import_no_key():
    root = PACKAGE.parents[2]
    for path in [root / "src" / "attack.rs", *(root / "src" / "attack").glob("*.rs")]:
        code = path.read_text("utf-8").split("#[cfg(test)]")[0]
        for module in ("keys", "party", "coins", "scheme", "token"):
            assert f"crate::{module}" not in code, path.name


def test_a_shuffled_view_keeps_who_has_entries_and_loses_the_order():
    view = Deployment(attacks.COMMON, tables(), SCHEMA, seed=1).view("snapshot")
    dealt = view.shuffled(1)
    assert sorted(dealt.index("bmi").records) == sorted(view.index("bmi").records)
    assert (dealt.index("bmi").records != view.index("bmi").records).any()
    assert dealt.index("bmi").ciphertexts.tolist() == view.index("bmi").ciphertexts.tolist()


def test_a_view_of_one_provider_has_its_entries_only():
    made = Deployment(attacks.MOPSE, tables(), SCHEMA, seed=1)
    index = made.view("snapshot").alone(2).index("age")
    assert sorted(index.records) == np.flatnonzero(made.senders == 2).tolist()


@pytest.mark.parametrize("scheme", [attacks.MOPSE, attacks.PLUS])
def test_values_that_differ_inside_their_cells_give_the_same_view(scheme):
    """Two tables that differ only in x mod w: the negative control of every attack at w > 1."""
    first, second = tables(), tables()
    steps = pl.col("bmi") * 2
    lowest = (steps - 20) // 5 * 5 + 20
    second = {path: table.with_columns(bmi=lowest / 2) for path, table in second.items()}
    views = [
        Deployment(scheme, t, SCHEMA, seed=1).view("provider+snapshot", provider="a/b")
        for t in (first, second)
    ]
    for left, right in zip(*[view.indexes_of("bmi") for view in views], strict=True):
        assert left.ciphertexts.tolist() == right.ciphertexts.tolist()
        assert left.records.tolist() == right.records.tolist()


def test_a_score_worked_by_hand():
    truth = np.array([0, 5, 9, -1, 5])
    senders = np.array([0, 0, 1, 1, 1])
    guess = Guess(np.array([0, 4, -1, 3, 5]), np.array([1.0, 0.5, 0.0, 1.0, 0.95]))
    table = attacks.score(guess, truth, Domain(10, 2), senders, tolerances=[1])
    told = {(row["provider"], row["metric"]): row["value"] for row in table.to_dicts()}
    assert told[0, "exact"] == 0.5
    assert told[0, "cell"] == 1.0
    assert told[0, "within 1"] == 1.0
    assert told[0, "error"] == 0.5
    assert told[0, "certain"] == 0.5
    assert told[1, "guessed"] == 0.5  # of two with a value
    assert told[1, "exact"] == 0.5
    assert told[1, "right if certain"] == 1.0
    assert told[1, "error"] == 0.0


def test_a_posterior_is_scored_at_the_best_guess_for_each_tolerance():
    posterior = Posterior(Domain(5), np.zeros(3, np.int64), np.array([[0.35, 0.0, 0.25, 0.2, 0.2]]))
    assert posterior.guess().values.tolist() == [0, 0, 0]
    assert posterior.guess(1).values.tolist() == [3, 3, 3]
    assert posterior.guess(1).confidence == pytest.approx([0.65] * 3)
    truth, senders = np.array([0, 2, 4]), np.zeros(3, np.int64)
    table = attacks.score(posterior, truth, Domain(5), senders, tolerances=[1])
    told = dict(zip(table["metric"], table["value"], strict=True))
    assert told["exact"] == pytest.approx(1 / 3)
    assert told["within 1"] == pytest.approx(2 / 3)


def test_a_class_counts_if_it_is_all_of_a_value_and_nothing_else():
    truth = np.array([4, 4, 7, 8, 8, 8])
    assert attacks.class_recovery(truth, np.array([2, 2, 0, 1, 1, 1])) == 1
    assert attacks.class_recovery(truth, np.array([2, 2, 1, 1, 1, 1])) == pytest.approx(2 / 6)
    assert attacks.class_recovery(truth, np.array([2, 3, 0, 1, 1, 1])) == pytest.approx(4 / 6)
    with pytest.raises(InvalidInputError, match="6 values with 1 classes"):
        attacks.class_recovery(truth, np.array([0]))


def test_the_baseline_is_the_best_blind_guess():
    aux = Auxiliary({"x": [1, 7, 1, 1]})
    truth = np.array([1, 1, 0, 3])
    told = attacks.blind(Domain(4), aux, "x", [1], truth)
    assert told == {"exact": 0.5, "cell": 0.5, "error": 0.75, "within 1": 0.75}


def test_without_knowledge_the_baseline_is_a_random_value():
    told = attacks.blind(Domain(10, 5), None, "x", [1, 9], np.array([0, 9]))
    assert told == {"exact": 0.1, "cell": 0.5, "error": 4.5, "within 1": 0.3, "within 9": 1.0}


def test_intervals_resample_providers_and_not_records():
    """Two providers of 1000 records that are all right and all wrong: the mean could be 0 to 1."""
    rows = pl.DataFrame(
        {
            "metric": ["exact"] * 2, "seed": [1, 1], "provider": [0, 1], "records": [1000] * 2,
            "value": [0.0, 1.0], "baseline": [0.2, 0.2],
        }
    )  # fmt: skip
    (told,) = attacks.summary(rows, ["metric"]).to_dicts()
    assert told["value"] == 0.5
    assert (told["low"], told["high"]) == (0.0, 1.0)
    assert told["advantage"] == pytest.approx(0.3 / 0.8)
    assert (told["clusters"], told["records"]) == (2, 2000)
    assert_frame_equal(attacks.summary(rows, ["metric"]), attacks.summary(rows, ["metric"]))


def test_wrong_knowledge_is_wrong_by_what_is_said():
    aux = Auxiliary({"x": [50, 20, 20, 10], "y": [1, 2, 3, 94]})
    for distance in (0.0, 0.1, 0.3):
        moved = aux.wrong(distance, seed=1)
        for field in "xy":
            far = attacks.total_variation(aux._counts[field], moved._counts[field])
            assert far == pytest.approx(distance)


def test_knowledge_of_pairs_sums_to_one_and_has_no_zero():
    table = pl.DataFrame({"age": [1, 1, 80, None], "bmi": [10.0, 10.5, 60.0, 20.0]})
    aux = Auxiliary.from_table(table, SCHEMA, pairs=[("age", "bmi")])
    domains = Domain(81), Domain(101, 5)
    joint = aux.joint("age", "bmi", domains)
    assert joint.sum() == pytest.approx(1)
    assert joint.min() > 0
    assert joint[80, 100] > joint[79, 100]
    assert aux.distribution("age", Domain(81)).argmax() == 1


REFUSED_COUNTS = [
    ([1, -1], "field 'x': a count is negative"),
    ([0, 0], "field 'x': all counts are zero"),
    ([1.0, np.nan], "field 'x': a count is not finite"),
    ([1.0, np.inf], "field 'x': a count is not finite"),
    ([], "field 'x': all counts are zero"),
]


@pytest.mark.parametrize(("counts", "message"), REFUSED_COUNTS)
def test_counts_that_are_none_are_refused(counts, message):
    with pytest.raises(InvalidInputError, match=message):
        Auxiliary({"x": counts})


def test_bad_input_is_refused_by_name():
    view = View.snapshot([1, 2], plaintexts=4)
    made = Deployment(attacks.MOPSE, tables(), SCHEMA, seed=1)
    truth, senders = np.array([1, 2]), np.array([0, 0])
    guess = Guess(np.array([1, 2]))
    with pytest.raises(InvalidInputError, match="counts of 3 values, the domain has 4"):
        Auxiliary({"x": [1, 2, 3]}).distribution("x", view.domain("x"))
    with pytest.raises(InvalidInputError, match="nothing is known of field 'y'"):
        Auxiliary({"x": [1, 2, 3]}).distribution("y", view.domain("x"))
    with pytest.raises(InvalidInputError, match="were not counted together"):
        Auxiliary({"x": [1]}).joint("x", "y", (Domain(1), Domain(1)))
    with pytest.raises(WrongTypeError, match="field 'x' must hold numbers"):
        Auxiliary({"x": ["a"]})
    with pytest.raises(InvalidInputError, match="a distance of 2 is not between 0 and"):
        Auxiliary({"x": [1, 2, 3]}).wrong(2)
    with pytest.raises(InvalidInputError, match="over domains of other sizes"):
        attacks.total_variation([1], [1, 2])
    with pytest.raises(InvalidInputError, match="without ciphertexts"):
        View.snapshot([], plaintexts=4)
    with pytest.raises(WrongTypeError, match="must hold integers"):
        View.snapshot([0.5], plaintexts=4)
    with pytest.raises(InvalidInputError, match="no field 'y'"):
        view.index("y")
    with pytest.raises(InvalidInputError, match="a view of provider holds no entry of 'age'"):
        made.view("provider", provider="a").index("age")
    with pytest.raises(InvalidInputError, match="has 3 indexes"):
        Deployment(attacks.PLUS, tables(), SCHEMA, seed=1).view("snapshot").index("age")
    with pytest.raises(InvalidInputError, match="there is no adversary 'nobody'"):
        made.view("nobody")
    with pytest.raises(InvalidInputError, match="provider needs corrupt provider"):
        made.view("provider")
    with pytest.raises(InvalidInputError, match="cloud has no corrupt provider"):
        made.view("cloud", provider="a")
    with pytest.raises(InvalidInputError, match="there is no provider 'x'"):
        made.view("provider", provider="x")
    with pytest.raises(InvalidInputError, match="there is no provider 'x'"):
        made.opened("x")
    with pytest.raises(InvalidInputError, match="no such range of field 'age'"):
        made.ask({"age": (3, 81)})
    with pytest.raises(InvalidInputError, match="asks nothing under OPSE"):
        Deployment(attacks.COMMON, tables(), SCHEMA, seed=1).ask({"age": (1, 2)}, provider="a")
    with pytest.raises(InvalidInputError, match="there is no scheme 'x'"):
        Deployment("x", tables(), SCHEMA, seed=1)
    with pytest.raises(InvalidInputError, match="needs a provider"):
        Deployment(attacks.MOPSE, {}, SCHEMA, seed=1)
    with pytest.raises(InvalidInputError, match="of different records"):
        attacks.score(guess, truth[:1], Domain(4), senders)
    with pytest.raises(InvalidInputError, match="no record has a value"):
        attacks.score(guess, np.array([-1, -1]), Domain(4), senders)
    with pytest.raises(InvalidInputError, match="no column 'seed'"):
        attacks.summary(attacks.score(guess, truth, Domain(4), senders), ["metric"])
    with pytest.raises(InvalidInputError, match="the table has no column 'age'"):
        Auxiliary.from_table(pl.DataFrame({"bmi": [1.0]}), SCHEMA)


def test_what_cannot_be_counts_is_refused():
    with pytest.raises(WrongTypeError, match="must be a mapping"):
        Auxiliary([1, 2])
    with pytest.raises(WrongTypeError, match="field 'x' must have one dimension"):
        Auxiliary({"x": [[1, 2], [3, 4]]})
    with pytest.raises(WrongTypeError, match="must have two dimensions, not 1"):
        Auxiliary({"x": [1]}, {("x", "x"): [1]})
    with pytest.raises(WrongTypeError, match="field 'x' must have one dimension"):
        Auxiliary({"x": [[1, 2], [3]]})
    with pytest.raises(InvalidInputError, match="the sum of the counts is too large"):
        Auxiliary({"x": [1e308, 1e308]})
    with pytest.raises(InvalidInputError, match="field 'x': entry 0 is null"):
        Auxiliary({"x": np.ma.masked_array([1, 2], [True, False])})
    with pytest.raises(InvalidInputError, match="no field 'y' to count together"):
        Auxiliary.from_table({"age": [1], "bmi": [20.0]}, SCHEMA, pairs=[("age", "y")])
    with pytest.raises(InvalidInputError, match=r"probabilities of shape \(2,\), not \(3,\)"):
        Domain(3).cell_masses(np.ones(2))


@pytest.mark.parametrize(
    ("guess", "truth", "message"),
    [
        (Guess(np.array([0, 9])), [0, 1], "the guess has a value outside"),
        (Guess(np.array([0, -5])), [0, 1], "the guess has a value outside"),
        (Guess(np.array([0, 1])), [0, 99], "the truth has a value outside"),
        (Guess(np.array([0, 1]), np.array([9.0, 1.0])), [0, 1], "a confidence is not between"),
        (Guess(np.array([0, 1]), np.array([np.nan, 1.0])), [0, 1], "a confidence is not between"),
        (Guess(np.array([0, 1]), np.array([1.0])), [0, 1], "a confidence is not between"),
    ],
)
def test_a_score_of_what_cannot_be_is_refused(guess, truth, message):
    with pytest.raises(InvalidInputError, match=message):
        attacks.score(guess, truth, Domain(4), [0, 0])


def test_tolerances_and_sizes_have_bounds():
    view = View.snapshot([1, 2, 3], plaintexts=4)
    aux = Auxiliary({"x": [1, 2, 3, 4]})
    posterior = attacks.ordered_posterior(view, "x", aux)
    assert posterior.guess(10**30).confidence == pytest.approx([1, 1, 1])
    with pytest.raises(InvalidInputError, match="tolerance"):
        posterior.guess(-1)
    with pytest.raises(WrongTypeError, match="tolerance"):
        posterior.guess(1.5)
    with pytest.raises(InvalidInputError, match="tolerances"):
        attacks.score(posterior, [0, 1, 2], view.domain("x"), [0, 0, 0], tolerances=[-1])
    assert attacks.rank(view, "x", aux, tolerance=10**30).confidence == pytest.approx([1, 1, 1])
    with pytest.raises(InvalidInputError, match=r"at most 2\^32"):
        Domain(2**62)
    with pytest.raises(InvalidInputError, match="the number of ranks is 1000000000"):
        attacks.expected_rank_recovery([1] * 10, 10**9)
    with pytest.raises(InvalidInputError, match=r"records is .*at most 2\^26"):
        attacks.AccessPatterns(np.array([0, 1]), np.array([0]), 2**50)
    with pytest.raises(InvalidInputError, match=r"plaintexts is .*at most 2\^26"):
        attacks.expected_queries(2**40)
    with pytest.raises(InvalidInputError, match="different records"):
        attacks.linkage(np.array([1, 1]), np.array([0, 0, 0]), np.array([0, 1]))
    with pytest.raises(InvalidInputError, match="is negative: leave out"):
        attacks.class_recovery(np.array([-1, 2]), np.array([0, 1]))
