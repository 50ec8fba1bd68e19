"""A corrupt provider, with the store or with the cloud (M1 to M4), on the real construction."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import mopse
from mopse import attacks
from mopse.attacks import NO_GUESS, Auxiliary, Deployment
from mopse.errors import InvalidInputError, WrongTypeError

M = 81
ALPHA = 1e-6
DEVIATIONS = 4.9  # two-sided ALPHA of a normal variable


def ages(cell: int = 1) -> mopse.Schema:
    """Return a schema of 81 values with cells of some steps."""
    return mopse.Schema(age=mopse.Field(0, M - 1, cell=cell))


def dealt(paths: list[str], records: int, seed: int = 1) -> dict[str, pl.DataFrame]:
    """Return records of uniform ages at each provider."""
    random = np.random.default_rng(seed)
    return {
        path: pl.DataFrame(
            {
                "record_id": np.arange(records) + records * number,
                "age": random.integers(0, M, records),
            }
        )
        for number, path in enumerate(paths)
    }


MERGED = (attacks.COMMON, attacks.DETERMINISTIC, attacks.MOPSE, attacks.PLAIN)


@pytest.mark.parametrize("scheme", MERGED)
@pytest.mark.parametrize("cell", [1, 2, 5, 10])
def test_a_provider_with_a_snapshot_finds_every_merged_entry_to_the_cell(scheme, cell):
    """M1: exactly 1. Anything less is a fault in the attack or in the merge."""
    made = Deployment(scheme, dealt(["a", "b", "c"], 200), ages(cell), seed=1)
    guess = attacks.locate(made.view("provider+snapshot", provider="a"), "age")
    assert (guess.values // cell == made.truth["age"] // cell).all()


@pytest.mark.parametrize("cell", [2, 5, 10])
def test_inside_a_cell_the_guess_is_blind(cell):
    made = Deployment(attacks.MOPSE, dealt(["a", "b"], 5000), ages(cell), seed=1)
    guess = attacks.locate(made.view("provider+snapshot", provider="a"), "age")
    others = made.senders == 1
    right = (guess.values == made.truth["age"])[others]
    expected = -(-M // cell) / M  # one value of each cell
    assert guess.confidence[others].mean() == pytest.approx(expected, rel=0.05)
    deviation = math.sqrt(expected * (1 - expected) / others.sum())
    assert abs(right.mean() - expected) < DEVIATIONS * deviation


def test_with_a_key_of_its_own_a_provider_finds_its_own_entries_only():
    made = Deployment(attacks.PER_PROVIDER, dealt(["a", "b"], 200), ages(), seed=1)
    guess = attacks.locate(made.view("provider+snapshot", provider="a"), "age")
    assert guess.is_guessed.tolist() == (made.senders == 0).tolist()


def test_a_provider_without_the_store_knows_its_own_records_only():
    made = Deployment(attacks.MOPSE, dealt(["a", "b"], 200), ages(), seed=1)
    guess = attacks.locate(made.view("provider", provider="a"), "age")
    assert guess.is_guessed.tolist() == (made.senders == 0).tolist()
    assert (guess.values == made.truth["age"])[made.senders == 0].all()


def test_dealing_the_entries_anew_leaves_the_insider_what_it_opens():
    """The negative control: without the order a located entry is right as often as any guess."""
    made = Deployment(attacks.MOPSE, dealt(["a", "b"], 5000), ages(), seed=1)
    view = made.view("provider+snapshot", provider="a").shuffled(1)
    others = made.senders == 1
    right = (attacks.locate(view, "age").values == made.truth["age"])[others]
    deviation = math.sqrt(1 / M * (1 - 1 / M) / others.sum())
    assert abs(right.mean() - 1 / M) < DEVIATIONS * deviation


@pytest.mark.parametrize("copies", [1, 2, 4, 8])
def test_copies_of_every_value_find_an_entry_if_one_is_below_it(copies):
    """R / (r + 1): the entry and r copies are in any order with equal probability."""
    made = Deployment(attacks.MOPSE, dealt(["a", "b"], 20_000), ages(), seed=1)
    view = made.view("provider+cloud", provider="a")
    provider = made._providers["a"]  # the attacker's own, to encrypt with
    values = np.repeat(np.arange(M), copies)
    handles = provider.handles(np.arange(len(values)) + 10**9)
    guess = attacks.by_copies(view, "age", provider.entries("age", values, handles), values)
    right = (guess.values == made.truth["age"])[made.senders == 1]
    expected = copies / (copies + 1)
    # Copies are shared by the entries of a cell, so that the cells are the sample.
    deviation = math.sqrt(expected * (1 - expected) / M)
    assert abs(right.mean() - expected) < DEVIATIONS * deviation


@pytest.mark.parametrize(("copies", "expected"), [(1, 0.517), (2, 0.746), (4, 0.940), (8, 0.995)])
def test_copies_that_are_merged_with_ties_in_random_order_find_more(copies, expected):
    """1 - 2^-r (the figures are of a simulation): each copy is below or above by its own coin."""
    random = np.random.default_rng(2)
    truth = random.integers(0, M, 20_000)
    best = np.full(len(truth), NO_GUESS)
    for _ in range(copies):
        coins = random.integers(0, 2, len(truth))  # 1: the copy of the value is below
        view = attacks.View.snapshot(2 * truth + coins, plaintexts=M)
        guess = attacks.by_copies(view, "x", 2 * np.arange(M) + 1, np.arange(M))
        best = np.maximum(best, guess.values)
    right = (best == truth).mean()
    exact = 1 - 0.5**copies
    deviation = math.sqrt(exact * (1 - exact) / len(truth))
    assert abs(right - exact) < DEVIATIONS * deviation
    assert exact == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("known", "expected"), [(1, 53.67), (5, 22.43), (10, 12.67), (40, 2.905)])
def test_random_known_values_leave_the_expected_candidates(known, expected):
    assert attacks.expected_candidates(M, known) == pytest.approx(expected, abs=0.005)
    random = np.random.default_rng(3)
    opse = mopse.Opse(bytes(32), M)
    codebook = opse.encrypt(np.arange(M))
    left = []
    for _ in range(2000):
        values = random.choice(M, known, replace=False)
        target = random.choice(np.setdiff1d(np.arange(M), values))
        low, high = attacks.candidates(
            codebook[[target]], codebook[values], values, M, equals="meet"
        )
        assert low <= target <= high
        left.append((high - low + 1).item())
    deviation = np.std(left) / math.sqrt(len(left))
    assert abs(np.mean(left) - attacks.expected_candidates(M, known)) < DEVIATIONS * deviation


@pytest.mark.parametrize("known", [1, 5, 10, 40])
def test_evenly_chosen_known_values_leave_the_fewest_candidates_at_worst(known):
    values = (np.arange(1, known + 1) * (M + 1)) // (known + 1) - 1
    codebook = mopse.Opse(bytes(32), M).encrypt(np.arange(M))
    low, high = attacks.candidates(codebook, codebook[values], values, M, equals="meet")
    assert (high - low + 1).max() == math.ceil((M - known) / (known + 1))


def test_own_records_bracket_the_entries_of_others():
    made = Deployment(attacks.MOPSE, dealt(["a", "b"], 100), ages(), seed=1)
    view = made.view("provider+snapshot", provider="a")
    index = view.index("age")
    own = view.insider.own["age"][index.records]
    is_own = own >= 0
    low, high = attacks.candidates(
        index.ciphertexts, index.ciphertexts[is_own], own[is_own], plaintexts=M
    )
    truth = made.truth["age"][index.records]
    assert ((low <= truth) & (truth <= high)).all()
    assert (high - low)[~is_own].mean() < 4


TREE = ["a", "a/b", "a/b/d", "a/b/e", "a/c", "a/c/f", "a/c/g"]


@pytest.mark.parametrize(
    ("node", "opens", "locates"),
    [
        ("a", TREE, TREE),
        ("a/b", ["a/b", "a/b/d", "a/b/e"], ["a/b", "a/b/d", "a/b/e", "a/c"]),
        ("a/b/d", ["a/b/d"], ["a/b/d", "a/b/e"]),
    ],
)
def test_in_a_tree_a_key_opens_its_subtree_and_locates_its_group_too(node, opens, locates):
    """M2: the own key goes down only; with the store also beside, and not up."""
    made = Deployment(attacks.PLUS, dealt(TREE, 50), ages(), seed=1)
    view = made.view("provider+snapshot", provider=node)
    guess = attacks.locate(view, "age")
    assert {made.providers[s] for s in made.senders[made.opened(node)]} == set(opens)
    assert {made.providers[s] for s in made.senders[guess.is_guessed]} == set(locates)
    assert (guess.values == made.truth["age"])[guess.is_guessed].all()


def test_the_share_of_a_subtree_is_that_of_a_complete_tree():
    shares = [attacks.subtree_share(3, 2, level) for level in range(3)]
    assert shares == pytest.approx([1, 0.3077, 0.0769], abs=5e-5)
    paths = [
        "r",
        *(f"r/{i}" for i in range(3)),
        *(f"r/{i}/{j}" for i in range(3) for j in range(3)),
    ]
    made = Deployment(attacks.PLUS, dealt(paths, 20), ages(), seed=1)
    for level, node in enumerate(["r", "r/1", "r/1/2"]):
        assert made.opened(node).mean() == pytest.approx(attacks.subtree_share(3, 2, level))


@pytest.mark.parametrize(
    ("queries", "expected"), [(10, 0.23), (50, 0.71), (100, 0.92), (200, 0.99), (400, 1.0)]
)
def test_linked_queries_label_the_cuts_of_groups_without_a_key(queries, expected):
    """M4: uniform values and uniform ranges; the recovered share is that of the labelled cuts."""
    random = np.random.default_rng(4)
    shares = []
    for seed in range(20):
        made = Deployment(attacks.PLUS, dealt(["a", "a/b", "c"], 200, seed), ages(), seed=seed)
        ends = np.sort([random.choice(M + 1, 2, replace=False) for _ in range(queries)], axis=1)
        for low, high in ends:
            made.ask({"age": (int(low), int(high) - 1)})
        view = made.view("provider+cloud", provider="c")
        below = made.senders == made.providers.index("a/b")  # in a group of which c has no key
        assert not attacks.locate(view, "age").is_guessed[below].any()
        guess = attacks.labelled(view, "age")
        shares.append((guess.values == made.truth["age"])[below].mean())
        certain = below & (guess.confidence == 1)
        assert (guess.values == made.truth["age"])[certain].all()
    cuts = 1 - ((M - 1) / (M + 1)) ** queries
    exact = (1 + cuts * (M - 1)) / M
    deviation = max(np.std(shares) / math.sqrt(len(shares)), 1e-3)
    assert abs(np.mean(shares) - exact) < DEVIATIONS * deviation
    assert exact == pytest.approx(expected, abs=0.01)


def test_whoever_knows_what_queries_ask_for_labels_every_group():
    made = Deployment(attacks.PER_PROVIDER, dealt(["a", "b"], 200), ages(), seed=1)
    for value in range(M):
        made.ask({"age": (value, value)})
    guess = attacks.labelled(made.view("user+cloud"), "age")
    assert (guess.values == made.truth["age"]).all()
    assert (guess.confidence == 1).all()


def test_a_provider_with_the_cloud_links_queries_of_separate_indexes():
    made = Deployment(attacks.PER_PROVIDER, dealt(["a", "b"], 200), ages(), seed=1)
    for value in range(M):
        made.ask({"age": (value, value)})
    guess = attacks.labelled(made.view("provider+cloud", provider="a"), "age")
    assert (guess.values == made.truth["age"]).all()


def test_labels_on_entries_dealt_anew_tell_nothing():
    made = Deployment(attacks.MOPSE, dealt(["a", "b"], 5000), ages(), seed=1)
    for value in range(M):
        made.ask({"age": (value, value)})
    view = made.view("user+cloud").shuffled(1)
    right = (attacks.labelled(view, "age").values == made.truth["age"]).mean()
    assert abs(right - 1 / M) < DEVIATIONS * math.sqrt(1 / M * (1 - 1 / M) / made.records)


def test_knowledge_beforehand_chooses_among_the_values_that_are_left():
    made = Deployment(attacks.MOPSE, dealt(["a", "b"], 100), ages(cell=10), seed=1)
    made.ask({"age": (20, 49)})
    view = made.view("user+cloud")
    aux = Auxiliary({"age": np.where(np.arange(M) == 33, 100, 1)})
    guess = attacks.labelled(view, "age", aux)
    inside = (made.truth["age"] >= 20) & (made.truth["age"] < 50)
    assert (guess.values[inside] == 33).all()
    share = 100.5 / (100.5 + 29 * 1.5)
    assert guess.confidence[inside] == pytest.approx(np.full(inside.sum(), share))


def test_equal_values_of_two_providers_are_linked_by_equal_ciphertexts():
    """M3: 1 under deterministic encryption; a share of nothing is no number."""
    made = Deployment(attacks.DETERMINISTIC, dealt(["a", "b"], 200), ages(), seed=1)
    index = made.view("snapshot").index("age")
    classes = np.full(made.records, NO_GUESS)
    classes[index.records] = index.classes()[0]
    assert attacks.linkage(made.truth["age"], classes, made.senders) == 1
    assert attacks.linkage(made.truth["age"], np.arange(made.records), made.senders) == 0
    assert math.isnan(attacks.linkage(np.array([1, 2]), np.array([0, 0]), np.array([0, 1])))


def test_linkage_worked_by_hand():
    """Equal across providers: (0, 2), (0, 3), (1, 2), (1, 3). In one class: (0, 2) only."""
    truth, senders = np.array([5, 5, 5, 5, 9]), np.array([0, 0, 1, 1, 1])
    assert attacks.linkage(truth, np.array([1, 2, 1, 3, 1]), senders) == 0.25


def test_bad_input_is_refused_by_name():
    made = Deployment(attacks.MOPSE, dealt(["a"], 20), ages(), seed=1)
    snapshot = made.view("snapshot")
    with pytest.raises(InvalidInputError, match="there is no provider in a view of snapshot"):
        attacks.locate(snapshot, "age")
    with pytest.raises(InvalidInputError, match="snapshot does not know what any query asks for"):
        attacks.labelled(snapshot, "age")
    with pytest.raises(InvalidInputError, match="no field 'x'"):
        attacks.locate(made.view("provider+snapshot", provider="a"), "x")
    view = made.view("provider+snapshot", provider="a")
    with pytest.raises(InvalidInputError, match="counts of 2 values, the domain has 81"):
        attacks.locate(view, "age", Auxiliary({"age": [1, 1]}))
    with pytest.raises(InvalidInputError, match="2 known ciphertexts with 1 values"):
        attacks.by_copies(snapshot, "age", [1, 2], [1])
    with pytest.raises(InvalidInputError, match="2 known ciphertexts with 1 values"):
        attacks.candidates([1], [1, 2], [1], plaintexts=3)
    with pytest.raises(InvalidInputError, match="a known value is outside the domain"):
        attacks.candidates([1], [1], [3], plaintexts=3)
    with pytest.raises(InvalidInputError, match="not in the order of their values"):
        attacks.candidates([1], [1, 2], [2, 1], plaintexts=3)
    with pytest.raises(InvalidInputError, match="there is no ciphertext"):
        attacks.candidates([], [1], [1], plaintexts=3)
    with pytest.raises(WrongTypeError, match="the known values must hold integers"):
        attacks.candidates([1], [1], [0.5], plaintexts=3)
    with pytest.raises(InvalidInputError, match="4 known values of 3"):
        attacks.expected_candidates(3, 4)
    with pytest.raises(InvalidInputError, match="a tree of height 2 has no level 3"):
        attacks.subtree_share(3, 2, 3)


CONTRADICTIONS = [
    ([5], [1, 9], [2, 2], "meet", "one known value has two ciphertexts"),
    ([5], [1, 9], [2, 3], "meet", "leave no value for ciphertext 0"),
    ([0], [5], [0], "meet", "leave no value for ciphertext 0"),
    ([1], [1, 1], [0, 3], "spread", "one known ciphertext has two values"),
    ([1], [1], [0], "mete", "equals is 'mete'"),
]


@pytest.mark.parametrize(("ciphertexts", "known", "values", "equals", "message"), CONTRADICTIONS)
def test_known_pairs_that_contradict_are_refused(ciphertexts, known, values, equals, message):
    with pytest.raises(InvalidInputError, match=message):
        attacks.candidates(ciphertexts, known, values, plaintexts=4, equals=equals)


TOKENS = [
    ([((0, 9), (3, 1))], "the values of a token are no range"),
    ([((0, 9), (-3, 2))], "the values of a token are no range"),
    ([((0, 9), (9, 9))], "the values of a token are no range"),
    ([((-9, 9), (1, 2))], "the bounds of a token are no range"),
    ([((0, 2**64), (1, 2))], "the bounds of a token are no range"),
    ([((0, 9), (2, 2)), ((10, 30), (0, 0))], "contradict each other"),
    ([((5, 9), (2, 2)), ((5, 30), (1, 3))], "contradict each other"),
]


@pytest.mark.parametrize(("tokens", "message"), TOKENS)
def test_tokens_that_cannot_be_are_refused(tokens, message):
    made = [
        attacks.ObservedToken(number, "", {"x": bounds}, {"x": values})
        for number, (bounds, values) in enumerate(tokens)
    ]
    view = replace(
        attacks.View.snapshot([5, 9, 20, 33], 4),
        adversary=attacks.Adversary.USER_CLOUD,
        tokens=made,
    )
    with pytest.raises(InvalidInputError, match=message):
        attacks.labelled(view, "x")


def test_the_last_ciphertext_of_the_space_labels_no_cut_beyond():
    token = attacks.ObservedToken(0, "", {"x": (10, 2**63 - 1)}, {"x": (2, 2)})
    view = replace(
        attacks.View.snapshot([5, 20], 4), adversary=attacks.Adversary.USER_CLOUD, tokens=[token]
    )
    assert attacks.labelled(view, "x").values[1] == 2


def test_all_values_known_leave_one_candidate():
    assert attacks.expected_candidates(5, 5) == 1.0
