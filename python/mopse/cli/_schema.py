"""The command ``mopse schema``."""

import argparse

import mopse
from mopse.cli import _schema_file
from mopse.cli._command import Commands, add_command
from mopse.cli._output import counted, print_line
from mopse.cli._schema_file import read_schema, written_schema
from mopse.cli._session import add_documented
from mopse.cli._tables import naming_rows, read_table

__all__ = ["add", "add_table"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "schema",
        short="propose a schema for a table, or check one",
        long=_schema_file.__doc__,
    )
    does = command.add_subparsers(title="what it does", required=True)
    infer = add_documented(
        does,
        "infer",
        short="propose a schema, as TOML to read and edit",
        long="""Print a schema for the owner's own copy of a table as TOML, with what its fields
        leak, what must be mended, and why a column has no field. The bounds are made from the
        table: they are as secret as it is.""",
        example="mopse schema infer admissions.csv --id record_id > schema.toml",
    )
    add_table(infer)
    infer.add_argument("--id", metavar="COLUMN", help="the column of record ids")
    infer.set_defaults(run=_infer)
    check = add_documented(
        does,
        "check",
        short="say what a file says of a schema",
        long="Read a schema from TOML and print its fields, portions and types.",
        example="mopse schema check schema.toml",
    )
    check.add_argument("schema", metavar="FILE.toml", help="the schema")
    check.set_defaults(run=_check)


def add_table(command: argparse.ArgumentParser) -> None:
    """Add a table, and how it is read."""
    command.add_argument("table", metavar="FILE", help="the table: .csv, .tsv or .parquet")
    command.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="VALUE",
        help="what stands for a missing value in a CSV file, in any column, beside an empty place; "
        "may be repeated",
    )
    command.add_argument(
        "--separator",
        type=_letter,
        default=",",
        metavar="LETTER",
        help="what separates the values of a CSV file (default: %(default)s)",
    )
    command.add_argument(
        "--text-ids",
        action="store_true",
        help="take ids of a CSV file as text also where all are whole numbers",
    )


def _letter(separator: str) -> str:
    if len(separator) != 1 or separator in '"\r\n\0' or not separator.isascii():
        raise argparse.ArgumentTypeError("it must be one letter of ASCII, and no quotation mark")
    return separator


def _infer(given: argparse.Namespace) -> None:
    frame = read_table(
        given.table,
        ids=given.id,
        text_ids=given.text_ids,
        missing=given.missing,
        separator=given.separator,
    )
    with naming_rows(given.table, given.separator):
        proposed = mopse.Schema.infer(frame, id=given.id)
    for line in written_schema(proposed).splitlines():
        print_line(line)


def _check(given: argparse.Namespace) -> None:
    schema = read_schema(given.schema)
    for name, field in schema.items():
        print_line(f"{name}: {field!r}, {counted(field.cells, 'cell')}")
    for name, columns in schema.portions.items():
        print_line(f"portion {name}: {', '.join(columns)}")
    for name, dtype in schema.types.items():
        print_line(f"type of {name}: {dtype}")
