"""The vectors of the schemes, computed a second time, and the laws that the split rests on."""

import hashlib
import json
from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb
from pathlib import Path

import pytest
import reference

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS, FIELDS, KEYS = (
    json.loads((FOLDER / f"{name}.json").read_text()) for name in ("schemes", "fields", "keys")
)


def test_aes_matches_the_standard():
    # FIPS 197, appendix C.3.
    aes = reference.Aes256(bytes(range(32)))
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert aes.encrypt(plain).hex() == "8ea2b7ca516745bfeafc49904b496089"


@pytest.mark.parametrize("case", VECTORS["splits"], ids=lambda case: f"{case['marked']}")
def test_splits_match(case):
    coins = reference.Coins(bytes.fromhex(case["key"]))
    nodes = [reference.split(coins, node, case["marked"], case["total"]) for node in case["nodes"]]
    assert nodes == case["lower"]


@pytest.mark.parametrize("case", VECTORS["opse"], ids=lambda case: f"{case['domain']}")
def test_deterministic_ciphertexts_match(case):
    opse = reference.Opse(bytes.fromhex(case["key"]), case["domain"], case["range"])
    assert [opse.encrypt(x) for x in case["plaintexts"]] == case["ciphertexts"]


@pytest.mark.parametrize("case", VECTORS["one_to_many"], ids=lambda case: f"{case['domain']}")
def test_one_to_many_ciphertexts_match(case):
    opse = reference.Opse(bytes.fromhex(case["key"]), case["domain"], case["range"])
    pairs = zip(case["plaintexts"], case["ids"], strict=True)
    assert [opse.encrypt_with_id(x, record) for x, record in pairs] == case["ciphertexts"]


@pytest.mark.parametrize("case", VECTORS["mopse"], ids=lambda case: f"{case['domain']}")
def test_rulers_and_entries_match(case):
    cuts = reference.ruler_cuts(bytes.fromhex(case["ruler_key"]), case["domain"], case["cell"])
    assert cuts == case["cuts"]
    place = bytes.fromhex(case["place_key"])
    entries = [
        reference.mopse_entry(cuts, case["cell"], place, x, int(handle, 16))
        for x, handle in zip(case["plaintexts"], case["handles"], strict=True)
    ]
    assert entries == case["entries"]


@pytest.mark.parametrize("case", FIELDS["fields"], ids=lambda case: case["name"])
def test_labels_of_fields_match(case):
    assert reference.field_label(case).hex() == case["label"]


def test_the_digest_of_a_schema_matches():
    fields = [(case["name"], bytes.fromhex(case["label"])) for case in FIELDS["fields"]]
    assert hashlib.sha256(reference.schema_bytes(fields)).hexdigest() == FIELDS["digest"]


@pytest.mark.parametrize("label", ["label", "label_of_floats"])
@pytest.mark.parametrize("node", KEYS["tree"]["nodes"], ids=lambda node: node["names"][-1])
def test_keys_of_rulers_match(node, label):
    authority = bytes.fromhex(KEYS["tree"]["root"])
    for name, epoch in zip(node["names"][:-1], node["epochs"], strict=False):
        authority = reference.child(authority, "node", name.encode(), epoch)
    rulers = [
        reference.ruler_key(authority, case["name"], bytes.fromhex(case[label]), node["epochs"][-1])
        for case in KEYS["tree"]["fields"]
    ]
    assert [key.hex() for key in rulers] == node[label.replace("label", "rulers")]


def test_counted_coins_accepted_with_the_ratio_are_hypergeometric():
    for total in range(2, 25):
        draws = total // 2
        for fewer in range(1, total // 2 + 1):
            with localcontext(prec=reference.DIGITS):
                weights = [
                    comb(fewer, x)
                    * Fraction(reference.ratio(total - fewer, 2 * x - fewer + total % 2))
                    for x in range(fewer + 1)
                ]
            for x, weight in enumerate(weights):
                ways = comb(fewer, x) * comb(total - fewer, draws - x) if x <= draws else 0
                difference = weight / sum(weights) - Fraction(ways, comb(total, draws))
                assert abs(difference) < Fraction(1, 10**40)


@pytest.mark.parametrize(
    ("fewer", "total"),
    [(513, 1026), (513, 1027), (514, 1028), (514, 1029), (600, 2001), (601, 5001)],
)
def test_proposals_accepted_by_the_histogram_are_hypergeometric(fewer, total):
    with localcontext(prec=reference.DIGITS):
        target = reference.Target(fewer, total)
        weights = {}
        for strip in range(90):
            for place in range(2 * target.width):
                x = target.place(strip, place)
                acceptance = target.acceptance(x, strip)
                assert acceptance <= 1, "the histogram lies above"
                if acceptance:
                    assert x not in weights, "every split has one place"
                    weights[x] = acceptance * reference.histogram().height(strip)
        scale = sum(weights.values())
        draws = total // 2
        ways = {x: comb(fewer, x) * comb(total - fewer, draws - x) for x in weights}
        everything = sum(ways.values())
        for x, weight in weights.items():
            exact = Decimal(ways[x]) / Decimal(everything)
            assert abs(weight / scale - exact) < Decimal(10) ** -40
