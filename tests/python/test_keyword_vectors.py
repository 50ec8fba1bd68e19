"""Pinned folds, entries, proofs and notes of keywords, and descriptions of files, made again."""

import hmac
import json
from pathlib import Path

import pytest
import reference
import reference_messages
from hypothesis import given
from hypothesis import strategies as st

from mopse import _mopse

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "keyword.json").read_text())


def child(key: bytes, purpose: bytes, label: bytes) -> bytes:
    """Return a key of the tree, as the module ``keys`` defines it."""
    parts = b"".join(len(part).to_bytes(4, "big") + part for part in (purpose, label))
    return hmac.digest(key, b"mopse/v1" + parts + bytes(4), "sha256")


def entry(provider: bytes, keyword: bytes, count: int, file: int) -> tuple[bytes, int, int]:
    """Return trapdoor, label and masked number, as the module ``keyword`` defines them."""
    key = child(provider, b"keyword", b"")
    halves = [child(key, b"keyword", bytes([half]) + keyword) for half in (1, 2)]
    label, mask = (hmac.digest(half, count.to_bytes(8, "big"), "sha256")[:16] for half in halves)
    return b"".join(halves), int.from_bytes(label, "big"), file ^ int.from_bytes(mask, "big")


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["keyword"])
def test_the_definition_gives_the_pinned_entries(case):
    trapdoor, label, masked = entry(
        bytes.fromhex(case["provider"]),
        case["keyword"].encode(),
        case["count"],
        int(case["file"], 16),
    )
    assert trapdoor.hex() == case["trapdoor"]
    assert f"{label:032x}" == case["label"]
    assert f"{masked:032x}" == case["masked"]
    proof = reference.keyword_proof(
        bytes.fromhex(case["provider"]), case["keyword"], int(case["file"], 16)
    )
    assert proof.hex() == case["proof"]


@pytest.mark.parametrize("case", VECTORS["notes"], ids=lambda case: case["path"])
def test_the_definition_gives_the_pinned_notes(case):
    assert reference.keyword_note(case).hex() == case["note"]


@pytest.mark.parametrize("case", VECTORS["descriptions"], ids=lambda case: case["name"])
def test_the_definition_gives_the_pinned_descriptions(case):
    assert reference_messages.file_description(case).hex() == case["description"]


@pytest.mark.parametrize("case", VECTORS["bases"], ids=lambda case: str(len(case["numbers"])))
def test_the_definition_gives_the_pinned_bases(case):
    base = reference.notes_base([int(number, 16) for number in case["numbers"]])
    assert f"{base:032x}" == case["base"]


@pytest.mark.parametrize("case", VECTORS["folds"], ids=lambda case: ascii(case["typed"]))
def test_the_definition_gives_the_pinned_folds(case):
    assert (reference.keyword(case["typed"]) or None) == case["keyword"]
    assert _mopse.wire.keyword(case["typed"]) == case["keyword"]


@given(
    st.text(
        st.one_of(
            st.characters(exclude_categories=["Cn", "Cs"]),
            st.sampled_from("\u0301\u0323\u0345\u0308\u034f\u200d \u00a0\u00b4'\u2033\u00adIİßς"),
        ),
        max_size=8,
    )
)
def test_the_definition_gives_the_fold_of_any_text(typed):
    assert _mopse.wire.keyword(typed) == (reference.keyword(typed) or None)
