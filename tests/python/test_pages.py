"""Answers that come in pages."""

import polars as pl
import pytest

from mopse import Cloud, Field, Owner, Provider, Schema
from mopse.errors import AnswerError, ChangedError, InvalidInputError, WrongTypeError

SCHEMA = Schema(age=Field(0, 99))
RECORDS = 60


def filled(answer_bytes: int) -> tuple[Owner, Provider, Cloud]:
    """Return a cloud that gives so many bytes at once, with records in three uploads."""
    owner = Owner.from_insecure_seed(SCHEMA, 5)
    hospital = owner.authorize("hospital")
    cloud = Cloud(answer_bytes=answer_bytes)
    cloud.enroll(owner.public)
    for first in range(0, RECORDS, 20):
        ids = list(range(first, first + 20))
        upload = hospital.encrypt({"id": ids, "age": [i % 100 for i in ids]}, id="id")
        cloud.receive(upload)
    return owner, hospital, cloud


@pytest.mark.parametrize("answer_bytes", [1, 1000, 2**28])
def test_whoever_asks_gets_all_pages(answer_bytes: int) -> None:
    owner, hospital, cloud = filled(answer_bytes)
    for party in (owner, hospital):
        assert party.ask(cloud, age=(10, 40))["id"].sort().to_list() == list(range(10, 41))
    cloud.receive(hospital.update({"id": [3], "age": [99]}, id="id", cloud=cloud))
    cloud.receive(hospital.delete(list(range(40)), cloud=cloud))
    assert owner.ask(cloud, age=(0, 99)).height == RECORDS - 40


def test_pages_are_added_up() -> None:
    owner, _, cloud = filled(500)
    query = owner.query(age=(0, 99))
    answer = cloud.search(query)
    assert answer.goes_on(query)
    assert 0 < len(answer) < RECORDS
    with pytest.raises(AnswerError, match="not to its end"):
        owner.decrypt(answer, query)
    pages = 1
    while answer.goes_on(query):
        answer += cloud.search(bytes(query), after=answer)
        pages += 1
    assert pages > 3
    assert owner.decrypt(answer, query)["id"].sort().to_list() == list(range(RECORDS))


def test_a_table_of_a_cloud_lists_so_many_uploads_and_counts_the_rest() -> None:
    _, hospital, cloud = filled(1000)
    whole = cloud._repr_html_()
    assert whole.count("<tr>") == 1 + 3
    assert "more" not in whole
    for number in range(1000, 1100):
        cloud.receive(hospital.encrypt({"id": [number], "age": [1]}, id="id"))
    shown = cloud._repr_html_()
    assert shown.count("<tr>") == 1 + 100
    assert "and 3 uploads more" in shown
    assert "uploads=103" in repr(cloud)


def test_what_cannot_go_on_is_refused() -> None:
    owner, hospital, cloud = filled(500)
    query, other = owner.query(age=(0, 99)), owner.query(age=(0, 99))
    begun = cloud.search(query)
    with pytest.raises(InvalidInputError, match="another query"):
        _ = begun + cloud.search(other)
    with pytest.raises(InvalidInputError, match="whole, or not one to this query"):
        cloud.search(other, after=begun)
    with pytest.raises(WrongTypeError, match="after must be an Answer"):
        cloud.search(query, after=b"")  # type: ignore[arg-type]
    for _ in range(8):
        cloud.search(owner.query(age=(0, 99)))
    cloud.receive(hospital.encrypt(pl.DataFrame({"id": [1000], "age": [1]}), id="id"))
    with pytest.raises(ChangedError, match="search again"):
        cloud.search(query, after=begun)
    for most in (0, -1, 1.5, None):
        with pytest.raises((InvalidInputError, WrongTypeError), match="answer_bytes"):
            Cloud(answer_bytes=most)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="answer_bytes is less than 1"):
        Cloud(answer_bytes=0)
