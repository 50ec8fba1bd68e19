"""The command ``mopse team``: users who are given the same."""

import argparse
import datetime

import polars as pl

from mopse.cli._command import Commands
from mopse.cli._grants import add_expiry
from mopse.cli._keyrings import locked, must_be_there, opened_owner, password_of
from mopse.cli._open_owner import (
    LEARNS,
    TELLS,
    OpenOwner,
    add_change,
    add_keyring,
    given_anew,
    say,
    short,
    untold,
)
from mopse.cli._output import counted, print_document, print_table, rows_of
from mopse.cli._owner_readers import of_user, public_keys
from mopse.cli._session import add_documented
from mopse.cli._tables import as_ids

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    team = add_documented(
        commands,
        "team",
        short="give users of a team the same",
        long="""Form teams of users, give a team records, and take them back of who leaves. Each
        member is given a grant of its own, which `mopse user accept` takes: nobody else opens it,
        and it names that member. Teams are the owner's, in its keyring.""",
        example="mopse team form night --speciality cardiology --keyring owner.keyring",
    )
    does = team.add_subparsers(title="commands", required=True)

    form = add_documented(
        does,
        "form",
        short="form a team",
        long="Form a team, which has no members yet and was given nothing.",
        example="mopse team form night --speciality cardiology --keyring owner.keyring",
    )
    form.add_argument("team", help="what it is called")
    form.add_argument("--speciality", metavar="TEXT", help="what it does")
    add_keyring(form)
    form.set_defaults(run=_form)

    join = add_documented(
        does,
        "join",
        short="add a user to a team",
        long="""Add a user to a team, and write all that the team was given, sealed to the user. It
        opens what was sealed before the user joined, too.""",
        example="mopse team join night doctor.public --keyring owner.keyring --out anew",
    )
    join.add_argument("team", help="the team")
    join.add_argument("user", metavar="FILE", help="the user's public keys")
    add_change(join, _join, grants="its grants", cloud=LEARNS)

    share = add_documented(
        does,
        "share",
        short="give a team records of a provider",
        long="""Give a team records of a provider, and write a grant for each member that is not
        suspended. Who joins later is given them too.""",
        example="""mopse team share night hospital --portion rest --keyring owner.keyring \\
                     --out anew""",
    )
    share.add_argument("team", help="the team")
    share.add_argument("provider", metavar="PATH", help="the provider, as in hospital/ward")
    share.add_argument(
        "--id",
        action="append",
        metavar="ID",
        help="the id of a record to give; may be repeated (default: all records)",
    )
    share.add_argument(
        "--text-ids", action="store_true", help="take ids as text also where all are whole numbers"
    )
    share.add_argument(
        "--portion",
        action="append",
        metavar="NAME",
        help="a portion of the schema, 'rest' or 'files'; may be repeated (default: all)",
    )
    add_expiry(share, "the grants open anything (default: for ever)")
    add_change(share, _share, grants="the grants", cloud=LEARNS)

    leave = add_documented(
        does,
        "leave",
        short="remove a user from a team",
        long="""Remove a user from a team: what is sealed from now on is closed to it, but for what
        it was given otherwise. Who stays gets a grant anew, and so does the user of what it keeps.
        """,
        example="""mopse team leave night doctor.public --keyring owner.keyring --out anew \\
                     --cloud phr.duckdb""",
    )
    leave.add_argument("team", help="the team")
    leave.add_argument("user", metavar="FILE", help="the user's public keys")
    add_change(leave, _leave, grants="the grants of who stays", cloud=TELLS)

    disband = add_documented(
        does,
        "disband",
        short="disband a team",
        long="Remove a team, and take back what its members were given as such.",
        example="mopse team disband night --keyring owner.keyring --out anew --cloud phr.duckdb",
    )
    disband.add_argument("team", help="the team")
    add_change(disband, _disband, grants="the grants of who stays", cloud=TELLS)

    listed = add_documented(
        does,
        "list",
        short="print the teams",
        long="""Print the teams, their members, by the first digits of their names, and what each
        was given.""",
        example="mopse team list --keyring owner.keyring",
    )
    add_keyring(listed)
    listed.set_defaults(run=_list)


def _form(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = OpenOwner(opened_owner(given.keyring, password), keyring, password)
        opened.owner.form_team(given.team, given.speciality)
        opened.announce()
    say(given, f"There is a team {given.team}.", owner=short(opened.owner), team=given.team)


def _join(given: argparse.Namespace) -> None:
    public = public_keys(given.user)
    join = of_user(given, lambda owner: {public: owner.join_team(given.team, public)})
    _, written = given_anew(given, join)
    _tell(given, written, f"The user of {given.user} is in team {given.team}")


def _share(given: argparse.Namespace) -> None:
    days = None if given.expires_in is None else datetime.timedelta(days=given.expires_in)
    ids = None if given.id is None else as_ids(given.id, text_ids=given.text_ids)
    _, written = given_anew(
        given,
        lambda owner: owner.share_with_team(
            given.team, given.provider, ids, portions=given.portion, expires_in=days
        ),
    )
    _tell(given, written, f"Team {given.team} is given records of {given.provider}")


def _leave(given: argparse.Namespace) -> None:
    public = public_keys(given.user)
    leave = of_user(given, lambda owner: owner.leave_team(given.team, public))
    _, written = given_anew(given, leave)
    _tell(given, written, f"The user of {given.user} has left team {given.team}")
    untold(given)


def _disband(given: argparse.Namespace) -> None:
    _, written = given_anew(given, lambda owner: owner.disband_team(given.team))
    _tell(given, written, f"Team {given.team} is disbanded")
    untold(given)


def _tell(given: argparse.Namespace, written: list[str], line: str) -> None:
    grants = f": {counted(len(written), 'grant')} in {given.out}" if written else ""
    say(given, f"{line}{grants}.", team=given.team, grants=written)


def _list(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    teams = opened_owner(given.keyring, password).teams
    hexed = pl.col("members").list.eval(pl.element().bin.encode("hex"))
    if given.json:
        print_document({"teams": rows_of(teams.with_columns(hexed))})
        return
    shortly = hexed.list.eval(pl.element().str.head(16)).list.join(", ")
    print_table(teams.with_columns(shortly, pl.col("portions").list.join(", ")))
