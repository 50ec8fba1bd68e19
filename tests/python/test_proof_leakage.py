"""What seals, sums and proofs tell a cloud that it does not know: nothing that is found here.

False alarms are stated; seeds are fixed where keys are not.
"""

import itertools
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
import reference_messages as second
from dishonest import Dishonest, Told, row_of
from reference_messages import FIRST
from scene import Scene
from scipy import stats

from mopse import Field, Owner, Schema
from mopse.errors import ProofError
from mopse.messages import Seal

CELLS = 40
SCHEMA = Schema(age=Field(0, CELLS - 1, proof=True))
LABEL = reference.field_label(
    {
        "kind": "number",
        "minimum": "0",
        "maximum": str(CELLS - 1),
        "step": "1",
        "cell": 1,
        "categories": [],
    }
)
ALARM = 1e-6
SEED = 51


def frame(ages: Sequence[int]) -> pl.DataFrame:
    """Return records with these ages."""
    return pl.DataFrame({"id": list(range(len(ages))), "age": ages})


def slots(seal: Seal) -> list[int]:
    """Return the table of a seal."""
    found = seal._decoded.slots("age")
    return [high << 64 | low for high, low in found.tolist()]


# Two data sets that differ in their values only

MODULUS = 2**128
ROWS = 60
TABLES = 120
"""Of each data set; half of them to learn from."""


def sealed(ages: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return a table as whoever is in the group sees it, in the order of cells; and without masks.

    Whoever is in the group knows its slots. A mask takes the provider's own key.
    """
    owner = Owner.from_insecure_seed(SCHEMA, sealed.seed)
    sealed.seed += 1
    provider = owner.authorize("hospital")
    party = second.Party.owner(sealed.seed - 1, SCHEMA.digest)
    provider.encrypt(frame(ages), id="id")
    seal = provider.seal()
    ruler = reference.ruler_key(party.key, "age", LABEL, *FIRST)
    field = second.SealedField(ruler, [0] * (CELLS + 1), 1)
    table = [slots(seal)[slot] for slot in field.slots]
    message = bytes(seal)
    head = message[: seal.head_nbytes]
    [content] = contents(head)
    key = party.authorize("hospital").key
    masks = [second.mask_of(key, "age", content, place) for place in range(CELLS + 1)]
    return table, [(of - mask) % MODULUS for of, mask in zip(table, masks, strict=True)]


sealed.seed = 10_000


def contents(head: bytes) -> list[bytes]:
    """Return the digest of a seal's content, of which the total and one table follow."""
    after = 16 + 8 + (8 + 3 + 4 + 32)
    chain = head[:-64].rindex(second.counted("age")) - 8 - 16
    assert head[chain + 16 : chain + 24] == second.u64(1)
    assert len(head) > chain + after
    return [second.hashlib.sha256(head[:chain]).digest()]


def features(table: list[int]) -> list[float]:
    """Return what a distinguisher looks at: numbers of a table and the steps between cells."""
    steps = [(after - before) % MODULUS for before, after in itertools.pairwise(table)]
    found = []
    for numbers in (table, steps):
        scaled = np.array([number / MODULUS for number in numbers])
        low = np.array([number % 2**16 for number in numbers]) / 2**16
        ones = np.array([number.bit_count() for number in numbers]) / 128
        for values in (scaled, low, ones):
            found += [values.mean(), values.std(), values.min(), values.max()]
            found += [float(((values - values.mean())[1:] * (values - values.mean())[:-1]).mean())]
        found += [float(len(set(numbers))), sum(number == 0 for number in numbers) / len(numbers)]
    # A guess of the leaves, by somebody else's key.
    other = second.leaf_of(bytes(32), "age", second.SealedRow(1, 1, bytes(32), {}))
    found += [float(other in steps), min(abs(step - other) for step in steps) / MODULUS]
    return found


def accuracy(one: list[list[float]], other: list[list[float]]) -> tuple[int, int]:
    """Return how many of the other half the best threshold on a feature tells apart."""
    a, b = np.array(one), np.array(other)
    half = len(a) // 2
    best = (0.0, 0, 0.0, 1)
    for at in range(a.shape[1]):
        threshold = (a[:half, at].mean() + b[:half, at].mean()) / 2
        for sign in (1, -1):
            right = (sign * (a[:half, at] - threshold) > 0).sum()
            right += (sign * (b[:half, at] - threshold) <= 0).sum()
            best = max(best, (float(right), at, float(threshold), sign))
    _, at, threshold, sign = best
    right = (sign * (a[half:, at] - threshold) > 0).sum()
    right += (sign * (b[half:, at] - threshold) <= 0).sum()
    return int(right), 2 * (len(a) - half)


def test_tables_of_two_data_sets_look_alike_to_who_has_other_providers_keys():
    low = [sealed([0] * ROWS) for _ in range(TABLES)]
    spread = [sealed([row % CELLS for row in range(ROWS)]) for _ in range(TABLES)]
    shown = [[features(table) for table, _ in of] for of in (low, spread)]
    right, tried = accuracy(*shown)
    assert stats.binomtest(right, tried).pvalue > ALARM, f"{right} of {tried}"
    # The control: without masks the same distinguisher is always right.
    bare = [[features(table) for _, table in of] for of in (low, spread)]
    right, tried = accuracy(*bare)
    assert right == tried


def test_tables_are_uniform():
    values = b"".join(
        struct.pack("<QQ", number % 2**64, number >> 64)
        for _ in range(40)
        for number in sealed([7] * ROWS)[0]
    )
    assert len(values) == 40 * 16 * (CELLS + 1)
    counts = np.bincount(np.frombuffer(values, np.uint8), minlength=256)
    assert stats.chisquare(counts).pvalue > ALARM


def test_the_same_records_sealed_again_have_another_table():
    owner = Owner.from_insecure_seed(SCHEMA, SEED)
    hospital = owner.authorize("hospital")
    hospital.encrypt(frame([3] * 5), id="id")
    first, again = slots(hospital.seal()), slots(hospital.seal())
    steps = [(b - a) % MODULUS for a, b in zip(first, again, strict=True)]
    assert len({*first, *again}) == 2 * (CELLS + 1)
    assert len(set(steps)) == CELLS + 1
    counts = np.bincount(
        np.frombuffer(b"".join(second.u128(step) for step in steps), np.uint8) % 16, minlength=16
    )
    assert stats.chisquare(counts).pvalue > ALARM


# Slots


def named(message: bytes) -> list[tuple[int, int]]:
    """Return the slots that the ranges of a query name."""
    found = []
    for match in re.finditer(re.escape(second.counted("age")), message):
        after = message[match.end() :]
        assert after[16] == 1
        found.append(
            (int.from_bytes(after[17:21], "little"), int.from_bytes(after[21:25], "little"))
        )
    return found


def test_slots_of_groups_and_epochs_are_unrelated_and_are_no_cells():
    scene = Scene(SCHEMA, "hospital", "hospital/ward", "clinic", seed=SEED)
    scene.owner.revoke("clinic")
    groups: list[list[int]] = []
    for cell in range(CELLS):
        query = scene.owner.query(age=(cell, CELLS - 1), proof=True)
        groups.append([low for low, _ in named(bytes(query))])
    permutations = list(zip(*groups, strict=True))
    assert len(permutations) >= 3
    for slots_of in permutations:
        assert len(set(slots_of)) == CELLS
    # Of two random permutations of 41, 12 or more places agree with chance below 1e-8.
    everything = [tuple(range(CELLS)), *permutations]
    for one, other in itertools.combinations(everything, 2):
        assert sum(a == b for a, b in zip(one, other, strict=True)) < 12
    ranks = [
        stats.spearmanr(one, other).pvalue for one, other in itertools.combinations(everything, 2)
    ]
    assert min(ranks) > ALARM


# Nothing that is secret in anything that is sent, shown or said


def numbers_of(number: int) -> list[bytes]:
    """Return how a secret number may be written."""
    return [
        second.u128(number),
        number.to_bytes(16, "big"),
        str(number).encode(),
        b"%032x" % number,
    ]


class Sealing(Scene):
    """Two providers who have sealed, a cloud that lies, and every secret of theirs."""

    cloud: Dishonest

    def __init__(self) -> None:
        self.ages = {"hospital": [3, 3, 17, 30], "clinic": [3, 9, 30, 39, 12]}
        owner = Owner.from_insecure_seed(SCHEMA, SEED)
        super().__init__(SCHEMA, *self.ages, owner=owner, cloud=Dishonest())
        self.secrets: dict[int, str] = {}
        self.said: list[bytes] = []
        party = second.Party.owner(SEED, SCHEMA.digest)
        for path, ages in self.ages.items():
            upload = self[path].encrypt(frame(ages), id="id")
            self.cloud.receive(upload)
            seal = self[path].seal()
            self.cloud.receive(seal)
            self.say(upload, seal)
            self.add(party.authorize(path).key, path, ages, bytes(seal)[: seal.head_nbytes])

    def say(self, *said: Any) -> None:
        """Take note of what is sent or shown."""
        for one in said:
            self.said.append(repr(one).encode())
            self.said.append(str(one).encode())
            if hasattr(one, "__bytes__"):
                self.said.append(bytes(one))

    def add(self, key: bytes, path: str, ages: Sequence[int], head: bytes) -> None:
        """Take note of all leaves, masks, and sums between cells."""
        query = self.owner.query(age=(0, CELLS - 1), proof=True)
        _, answer = Told.of_answer(bytes(self.cloud.search(query, in_detail=True)))
        part = answer.part(path)
        digests = dict(row_of(part, row) for row in range(len(part)))
        rows = []
        for number, age in enumerate(ages):
            handle = second.handle_of(key, number)
            rows.append((age, second.SealedRow(part.upload, handle, digests[handle], {})))
        [content] = contents(head)
        for field in ("age", ""):
            leaves = [(age, second.leaf_of(key, field, row)) for age, row in rows]
            for low, high in itertools.combinations(range(CELLS + 1), 2):
                inside = sum(leaf for age, leaf in leaves if low <= age < high) % MODULUS
                masks = [second.mask_of(key, field, content, place) for place in (low, high)]
                if inside:  # where nothing is below, a slot is its mask
                    where = f"{path}, {field!r}, {low} to {high}"
                    self.secrets[inside] = f"a sum of {where}"
                    self.secrets[-inside % MODULUS] = f"less a sum of {where}"
                    self.secrets[(masks[1] - masks[0]) % MODULUS] = f"masks of {where}"
                    self.secrets[masks[1]] = f"a mask of {where}"
            for _, leaf in leaves:
                self.secrets[leaf] = f"a leaf of {path}"


def test_no_leaf_mask_or_sum_is_sent_shown_or_said(tmp_path):
    world = Sealing()
    owner, cloud = world.owner, world.cloud
    query = owner.query(age=(3, 30), proof=True)
    lies: list[Callable[[Told], None]] = [
        lambda answer: None,
        lambda answer: answer.omit("clinic") and None,
        lambda answer: answer.omit("hospital") and None,
    ]
    for lie in lies:
        cloud.lie = lie
        for detail in (False, True):
            answer = cloud.search(query, in_detail=detail)
            world.say(query, answer, answer._proof)
            for faults in ("raise", "report"):
                try:
                    world.say(owner.decrypt(answer, query, proof=True, faults=faults))
                except ProofError as error:
                    world.say(error, error.providers)
            world.say(answer.proven.rows() if answer.proven is not None else "", owner, cloud)
    cloud.lie = lies[0]
    world.say(cloud.count(query, proof=True), owner.seals, world["clinic"].seals)
    cloud.receive(world["clinic"].delete([1], cloud=cloud))
    world.say(cloud.search(query))
    world["clinic"].save(tmp_path / "clinic", "password")
    world.said += [file.read_bytes() for file in tmp_path.iterdir()]
    said = b"\n".join(world.said)
    assert len(world.secrets) > 2000
    written = {bytes(number) for secret in world.secrets for number in numbers_of(secret)}
    sixteen = {text for text in written if len(text) == 16}
    windows = {said[at : at + 16] for at in range(len(said) - 15)}
    assert not sixteen & windows
    for text in written - sixteen:
        assert text not in said
    # The search finds what is there: a slot of a table.
    assert second.u128(slots(world["hospital"].seal())[0]) not in windows
    _, detailed = Told.of_answer(bytes(cloud.search(query, in_detail=True)))
    shown = detailed.proof.ranges[0].slots[0].values[0]
    assert second.u128(shown) in windows


def test_an_error_about_a_sum_names_no_number():
    world = Sealing()
    world.cloud.lie = lambda answer: answer.omit("clinic") and None
    with pytest.raises(ProofError) as error:
        world.owner.ask(world.cloud, age=(3, 30), proof=True)
    assert not re.search(r"\d", str(error.value))
