"""A user, who opens what was granted and nothing else."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from mopse import _mopse
from mopse._party import open_answer
from mopse.errors import InvalidInputError, ScopeError
from mopse.query import Answer, Query
from mopse.schema import Schema

__all__ = ["User"]


class User:
    """A doctor or researcher: holds grants, sends queries it was given, opens the answers.

    Parameters
    ----------
    schema : Schema
        The owner's fields.
    grants : iterable of bytes
        From `mopse.Owner.grant` or `mopse.Provider.grant`. Secret.

    Raises
    ------
    mopse.errors.DamagedFileError
        If a grant is malformed.

    Notes
    -----
    A query comes from the owner or a provider, who thereby decides what is found; grants decide
    what of it is opened. What was granted once cannot be taken back.
    """

    def __init__(self, schema: Schema, grants: Iterable[bytes] = ()) -> None:
        self._schema = schema
        self._grants = [_mopse.Grant.decode(bytes(grant)) for grant in grants]

    def decrypt(self, answer: Answer, query: Query) -> pl.DataFrame:
        """Return the records of an answer that were granted, checked against the query.

        Parameters
        ----------
        answer : Answer
            What `mopse.Cloud.search` returned.
        query : Query
            The query it answers, as it was given to the user.

        Returns
        -------
        polars.DataFrame
            As from `mopse.Owner.decrypt`; of providers granted record by record, those only.

        Raises
        ------
        mopse.errors.ScopeError
            If a provider in the answer has granted nothing; the message names it.
        mopse.errors.DecryptionError
            If a record was changed, cut or moved.
        mopse.errors.InvalidInputError
            If the query has lost its bounds, as the cloud's copy has.
        """
        if query._ranges is None:
            raise InvalidInputError("the query has no bounds in the clear: it is the cloud's copy")
        return open_answer(answer, query, {}, self._schema, self._open_part)

    def _open_part(self, part: _mopse.Part) -> Any:
        for grant in self._grants:
            if grant.concerns(part):
                return grant.open_part(part)
        raise ScopeError(f"provider {part.provider!r} has granted nothing")

    def __repr__(self) -> str:
        return f"User(grants={len(self._grants)})"
