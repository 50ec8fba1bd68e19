"""The command ``mopse access``: users ask for records, and whoever may give them decides."""

import argparse
import contextlib
import datetime
from collections.abc import Callable, Iterator

import polars as pl

import mopse
from mopse._files import as_file, read_whole
from mopse.cli._command import Commands
from mopse.cli._grants import add_expiry, add_out, write_new
from mopse.cli._keyrings import (
    Party,
    locked,
    made_new,
    must_be_there,
    opened_holder,
    password_of,
)
from mopse.cli._output import add_json, print_document, print_line, print_table, rows_of, shown
from mopse.cli._schema_file import naming, read_schema
from mopse.cli._session import add_documented, add_party
from mopse.cli._tables import as_ids
from mopse.errors import InvalidInputError

__all__ = ["add"]

_MOST = 1 << 24
"""Bytes of a request, a decision or an address."""
_USER = "it is of an owner or a provider, and this is for a user with keys of its own"
_PARTY = "it is a user's, and this is for owners and providers"

_Holder = Party | mopse.User


def add(commands: Commands) -> None:
    """Add the command."""
    access = add_documented(
        commands,
        "access",
        short="ask for records, and decide who is given what it asks for",
        long="""Ask for records as a user with keys of its own (`mopse user new`), and approve or
        refuse what was asked as an owner, or as a provider on its own records. Requests and
        decisions are sealed files, which travel by whatever way there is. What is approved is
        shared as by `mopse grant --user`: what the owner approved, `mopse owner unshare` takes
        back; what a provider approved, `mopse owner renew-readers` ends.""",
        example="""mopse access address --as owner.keyring --out owner.address
                   mopse access ask owner.address --provider hospital --id 17 \\
                     --reason 'a fracture' --as doctor.user --out fracture.request
                   mopse access receive fracture.request --as owner.keyring
                   mopse access list --as owner.keyring
                   mopse access approve 0b5e... --as owner.keyring --out fracture.decision
                   mopse access read fracture.decision --as doctor.user""",
    )
    does = access.add_subparsers(title="commands", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], object], **about: str
    ) -> argparse.ArgumentParser:
        made = add_documented(does, name, **about)
        made.set_defaults(run=run)
        return made

    address = command(
        "address",
        _address,
        short="write where requests to an owner or a provider are sealed to",
        long="""Write the address of an owner or a provider, signed, for users. It is no secret, and
        the same as long as the party has its present keys.""",
        example="mopse access address --as owner.keyring --out owner.address",
    )
    address.add_argument(
        "--post-quantum", action="store_true", help="have requests sealed by X-Wing"
    )
    add_out(address, "the new file")

    ask = command(
        "ask",
        _ask,
        short="ask for records",
        long="""Ask an owner or a provider for records: what is written is sealed to it.""",
        example="""mopse access ask owner.address --provider hospital --id 17 --portion rest \\
                     --reason 'a fracture' --as doctor.user --out fracture.request""",
    )
    ask.add_argument("address", metavar="ADDRESS", help="from `mopse access address`")
    ask.add_argument("--provider", required=True, metavar="PATH", help="whose records they are")
    ask.add_argument("--id", action="append", metavar="ID", help="a record; all without any")
    ask.add_argument(
        "--text-ids", action="store_true", help="ids are text also if they are numbers"
    )
    ask.add_argument(
        "--portion", action="append", metavar="NAME", help="a portion; all without any"
    )
    ask.add_argument("--reason", default="", metavar="TEXT", help="why, for whoever decides")
    add_expiry(ask, "they are to be opened (default: for ever)")
    ask.add_argument(
        "--within", type=int, default=7, metavar="DAYS", help="to be decided (default: %(default)s)"
    )
    add_out(ask, "the new file for whoever decides")

    receive = command(
        "receive",
        _receive,
        short="take a request, or the withdrawal of one",
        long="""Open a request that was sealed to this owner or provider, and keep it with the
        keyring until it is forgotten.""",
        example="mopse access receive fracture.request --as owner.keyring",
    )
    receive.add_argument("request", metavar="FILE", help="the request")

    listed = command(
        "list",
        _list,
        short="list requests and what became of them",
        long="""List the requests that an owner or a provider has received, or that a user has
        made.""",
        example="mopse access list --as owner.keyring",
    )

    approve = command(
        "approve",
        _approve,
        short="give what a request asks for, or less",
        long="""Give what a request asks for: what is written is sealed to whoever asked.""",
        example="""mopse access approve 0b5e... --portion rest --as owner.keyring \\
                     --out fracture.decision""",
    )
    approve.add_argument(
        "--portion", action="append", metavar="NAME", help="which of the portions; all without any"
    )
    add_expiry(approve, "they are opened, if less than was asked for")
    add_out(approve, "the new file for whoever asked")

    refuse = command(
        "refuse",
        _refuse,
        short="refuse a request",
        long="""Refuse a request, and say why.""",
        example="""mopse access refuse 0b5e... --reason 'ask my physician' --as owner.keyring \\
                     --out fracture.decision""",
    )
    refuse.add_argument("--reason", default="", metavar="TEXT", help="what whoever asked is told")
    add_out(refuse, "the new file for whoever asked")

    read = command(
        "read",
        _read,
        short="read what was decided on a request",
        long="""Read a decision, and keep what it gives with the user's keys. The exit code is 0
        also if it was refused; what is printed says so.""",
        example="mopse access read fracture.decision --as doctor.user",
    )
    read.add_argument("decision", metavar="FILE", help="the decision")

    withdraw = command(
        "withdraw",
        _withdraw,
        short="take a request back",
        long="""Take a request back that was not decided: what is written is for whoever was
        asked.""",
        example="mopse access withdraw 0b5e... --as doctor.user --out fracture.withdrawal",
    )
    add_out(withdraw, "the new file for whoever was asked")

    forget = command(
        "forget",
        _forget,
        short="forget a request",
        long="""Forget a request that was received or made. What was given on it stays given.""",
        example="mopse access forget 0b5e... --as owner.keyring",
    )
    for one in (approve, refuse, withdraw, forget):
        one.add_argument("number", metavar="NUMBER", help="the request's, from `mopse access list`")
    for one in (address, ask, receive, listed, approve, refuse, read, withdraw, forget):
        add_party(one)
    for one in (ask, receive, listed, read):
        add_json(one)


@contextlib.contextmanager
def _lent(given: argparse.Namespace) -> Iterator[tuple[_Holder, Callable[[], None]]]:
    if getattr(given, "out", None) is not None:
        made_new(given.out)
    must_be_there(given.keyring)
    schema = None if given.schema is None else read_schema(given.schema)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        holder = opened_holder(given.keyring, password, schema)
        yield holder, lambda: holder.save(keyring, password)


@contextlib.contextmanager
def _user(given: argparse.Namespace) -> Iterator[tuple[mopse.User, Callable[[], None]]]:
    with _lent(given) as (holder, save):
        if not isinstance(holder, mopse.User):
            raise InvalidInputError(f"{given.keyring}: {_USER}")
        yield holder, save


@contextlib.contextmanager
def _party(given: argparse.Namespace) -> Iterator[tuple[Party, Callable[[], None]]]:
    with _lent(given) as (holder, save):
        if isinstance(holder, mopse.User):
            raise InvalidInputError(f"{given.keyring}: {_PARTY}")
        yield holder, save


def _content(path: str) -> bytes:
    return read_whole(as_file(path), _MOST)


def _after(days: int | None) -> datetime.timedelta | None:
    return None if days is None else datetime.timedelta(days=days)


def _address(given: argparse.Namespace) -> None:
    with _party(given) as (party, _):
        write_new(given.out, party.address(post_quantum=given.post_quantum))
    print_line(f"{given.out} is for whoever asks.")


def _ask(given: argparse.Namespace) -> None:
    address = _content(given.address)
    ids = None if given.id is None else as_ids(given.id, text_ids=given.text_ids)
    with _user(given) as (user, save), naming(given.address):
        asked = user.request(
            address,
            given.provider,
            ids,
            portions=given.portion,
            reason=given.reason,
            expires_in=_after(given.expires_in),
            within=datetime.timedelta(days=given.within),
        )
        save()  # a decision names what was asked, so it is kept before it is sent
        write_new(given.out, asked.message)
    if given.json:
        print_document({"request": asked.number, "out": given.out})
    else:
        print_line(f"{given.out} is request {asked.number}, for whoever decides.")


def _receive(given: argparse.Namespace) -> None:
    content = _content(given.request)
    with _party(given) as (party, save), naming(given.request):
        number = party.receive_request(content)
        save()
        asked = party.requests.filter(pl.col("request") == number)
    if given.json:
        print_document({"requests": rows_of(_hex(asked))})
    else:
        print_table(_short(asked))


def _list(given: argparse.Namespace) -> None:
    with _lent(given) as (holder, _):
        requests = holder.requests
    if given.json:
        print_document({"requests": rows_of(_hex(requests))})
    else:
        print_table(_short(requests))


def _hex(requests: pl.DataFrame) -> pl.DataFrame:
    return requests.with_columns(pl.col(pl.Binary).bin.encode("hex"))


def _short(requests: pl.DataFrame) -> pl.DataFrame:
    """Return requests as a terminal has room for them."""
    return _hex(requests).select(
        "request",
        pl.col("^(user|owner)$").str.slice(0, 16),
        "provider",
        "records",
        pl.col("portions").list.join(", "),
        "reason",
        pl.col("until").dt.strftime("%Y-%m-%d %H:%M"),
        "state",
        "why",
    )


def _approve(given: argparse.Namespace) -> None:
    with _party(given) as (party, save):
        after = _after(given.expires_in)
        decision = party.approve(given.number, portions=given.portion, expires_in=after)
        save()
        write_new(given.out, decision)
    print_line(f"Request {given.number} is approved; {given.out} is for whoever asked.")


def _refuse(given: argparse.Namespace) -> None:
    with _party(given) as (party, save):
        decision = party.refuse(given.number, given.reason)
        save()
        write_new(given.out, decision)
    print_line(f"Request {given.number} is refused; {given.out} is for whoever asked.")


def _read(given: argparse.Namespace) -> None:
    content = _content(given.decision)
    with _user(given) as (user, save), naming(given.decision):
        decision = user.read_decision(content)
        save()
    if given.json:
        document = {"request": decision.number, "is_approved": decision.is_approved}
        print_document(document | {"reason": decision.reason})
    elif decision.is_approved:
        print_line(
            f"Request {decision.number} is approved: `mopse read QUERY --as {given.keyring}` opens "
            "it, with --report if others granted nothing."
        )
    else:
        why = f": {shown(decision.reason)}" if decision.reason else ""
        print_line(f"Request {decision.number} is refused{why}")


def _withdraw(given: argparse.Namespace) -> None:
    with _user(given) as (user, save):
        withdrawal = user.withdraw(given.number)
        save()
        write_new(given.out, withdrawal)
    print_line(f"Request {given.number} is withdrawn; {given.out} is for whoever was asked.")


def _forget(given: argparse.Namespace) -> None:
    with _lent(given) as (holder, save):
        holder.forget_request(given.number)
        save()
    print_line(f"Request {given.number} is forgotten.")
