"""The command ``mopse status``."""

import argparse
import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import polars as pl

import mopse
from mopse._remote import RemoteGate, is_address
from mopse.cli._command import Commands
from mopse.cli._keyrings import Party, add_password, must_be_there, opened_party, password_of
from mopse.cli._output import add_json, print_document, print_line, print_table, rows_of
from mopse.cli._session import add_cloud, add_documented, opened_cloud
from mopse.cli._waiting import waiting_for
from mopse.errors import InvalidInputError, ScopeError
from mopse.stores import Store, opened_store

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "status",
        short="say what a keyring and a cloud hold",
        long="""Say whose a keyring is, its fields and providers, and the seals it has seen; what a
        cloud holds; and of both whether the keyring has missed what was announced there. Nothing is
        changed.

        With a keyring a cloud also says who was authorised or revoked meanwhile, and how many files
        ever came from a provider. A service says whether its store answers; what that holds is its
        operator's to see.""",
        example="""mopse status --as hospital.keyring --cloud phr.duckdb
                   mopse status --cloud https://10.0.0.5:8734 --certificate cloud.pem""",
    )
    command.add_argument("--as", dest="keyring", metavar="KEYRING", help="a saved keyring")
    add_password(command)
    add_cloud(command, is_needed=False, why="a cloud")
    add_json(command)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    if given.keyring is None and given.cloud is None:
        raise InvalidInputError("--as names a keyring, --cloud a cloud: one of them is needed")
    party, document = None, {}
    if given.keyring is not None:
        must_be_there(given.keyring)
        password = password_of(given.password_fd, given.keyring, is_new=False)
        party = opened_party(given.keyring, password)
        document = _of_party(party)
    if given.cloud is not None:
        with _looked_at(given) as (cloud, store):
            document["cloud"] = repr(cloud)
            if isinstance(cloud._gate, RemoteGate):
                document["health"] = cloud._gate.health()
            if party is not None and document.get("health", "ok") == "ok":
                before = party.providers
                document["at_cloud"] = _standing(party, cloud)
                document |= _meanwhile(party, cloud, before)
            if store is not None:
                document["stored"] = rows_of(_stored(store, party))
    if given.json:
        print_document(document)
    else:
        _print(document)
    return 0 if document.get("health", "ok") == "ok" else 1


def _of_party(party: Party) -> dict[str, Any]:
    is_owner = isinstance(party, mopse.Owner)
    return {
        "kind": "owner" if is_owner else "provider",
        "owner": party.key[:8].hex(),
        "path": "" if isinstance(party, mopse.Owner) else party.path,
        "fields": {name: repr(field) for name, field in party.schema.items()},
        "providers": party.providers,
        "seals": {path: number for path, (number, _) in sorted(party.seals.items())},
    }


@contextlib.contextmanager
def _looked_at(given: argparse.Namespace) -> Iterator[tuple[mopse.Cloud, Store | None]]:
    """Lend a cloud, and its store if that is one that can be looked into."""
    if is_address(given.cloud) or given.certificate is not None:
        with opened_cloud(given) as cloud:
            yield cloud, None
    else:
        open_it = partial(opened_store, given.cloud, must_exist=True)
        with waiting_for(given.cloud, open_it, given.wait) as store:
            yield mopse.Cloud(store), store


def _standing(party: Party, cloud: mopse.Cloud) -> str:
    """Say what a keyring has missed at a cloud; what it learns by that is not kept."""
    try:
        announced = cloud.announcements(party.key)
    except ScopeError:
        return "the cloud does not serve this owner: `mopse owner enroll`"
    try:
        is_behind = party._keyring.catch_up(announced)
    except ScopeError:
        return "its group has left its epoch: it must be authorised again"
    if is_behind:
        return "it has missed announcements, and catches up when it asks or sends"
    return "it has missed nothing"


def _meanwhile(party: Party, cloud: mopse.Cloud, before: list[str]) -> dict[str, Any]:
    """Say what a party that has caught up was told, and how many files ever came from it."""
    told: dict[str, Any] = {
        "joined": [path for path in party.providers if path not in before],
        "left": [path for path in before if path not in party.providers],
    }
    if isinstance(party, mopse.Provider):
        with contextlib.suppress(ScopeError):  # which was said
            told["attached"] = len(cloud.notes(party.request_notes()))
    return told


def _stored(store: Store, party: Party | None) -> pl.DataFrame:
    """Return how many uploads, records and bytes there are of each provider."""
    rows = [
        {"owner": owner[:8].hex(), "provider": path, "records": records, "bytes": size}
        for owner, _, path, records, size in store.contents
        if party is None or owner == party.key
    ]
    types = {"owner": pl.String, "provider": pl.String, "records": pl.Int64, "bytes": pl.Int64}
    counts = pl.col("records").sum(), pl.col("bytes").sum()
    by_provider = pl.DataFrame(rows, schema=types).group_by("owner", "provider")
    return by_provider.agg(pl.len().alias("uploads"), *counts).sort("owner", "provider")


def _print(document: dict[str, Any]) -> None:
    if "kind" in document:
        who = "the owner" if document["kind"] == "owner" else f"provider {document['path']}"
        print_line(f"Keyring: {who} ({document['owner']})")
        fields = "; ".join(f"{name}: {field}" for name, field in document["fields"].items())
        print_line(f"Fields: {fields}")
        print_line(f"Below it: {', '.join(document['providers']) or 'nobody'}")
        seals = ", ".join(f"{path} {number}" for path, number in document["seals"].items())
        print_line(f"Newest seals seen: {seals or 'none'}")
    if "at_cloud" in document:
        print_line(f"At the cloud: {document['at_cloud']}")
    for word, who in (("joined", "Authorised meanwhile"), ("left", "Revoked meanwhile")):
        if document.get(word):
            print_line(f"{who}: {', '.join(document[word])}")
    if "attached" in document:
        print_line(f"Files that ever came from it: {document['attached']:,}")
    if "cloud" in document:
        print_line(document["cloud"])
    if "health" in document:
        print_line(f"Health: {document['health']}")
    if document.get("stored"):
        print_table(pl.DataFrame(document["stored"]))
