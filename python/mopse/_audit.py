"""The audit log as a cloud keeps it, and what it signs."""

import datetime
import os
import threading
import time
from collections.abc import Sequence
from typing import Never

from mopse import _mopse
from mopse._checks import instance, items, number
from mopse._files import as_file, telling
from mopse.errors import FileAccessError, InvalidInputError, MopseError, WrongTypeError
from mopse.messages import as_message

__all__ = ["AuditLog", "Checkpoint", "check_log", "verification_key"]


class Checkpoint:
    """What a cloud signed of an owner's log at one moment.

    Parameters
    ----------
    message : bytes
        As a witness or an operator gave it.

    Raises
    ------
    mopse.errors.SignatureError
        If the identity that it names did not sign it.
    mopse.errors.DamagedFileError
        If it is none.

    Attributes
    ----------
    identity : bytes
        Key of who signed it.
    owner : bytes
        Verification key of the owner whose log it is.
    size : int
        How many entries there are.
    root : bytes
        What is above all of them in the hash tree.
    time : datetime, or None
        When it was signed, by the cloud's clock; None after the year 9999.
    """

    def __init__(self, message: bytes) -> None:
        self._message = as_message(message, "a checkpoint")
        self._checked = _mopse.audit.Checkpoint.decode(self._message)
        identity, owner, size, root, moment = self._checked.columns
        self.identity, self.owner, self.root = bytes(identity), bytes(owner), bytes(root)
        self.size = size
        self.time = _time(moment)

    def __bytes__(self) -> bytes:
        return self._message

    def __reduce__(self) -> tuple[type, tuple[bytes]]:
        return type(self), (self._message,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checkpoint) and other._message == self._message

    def __hash__(self) -> int:
        return hash(self._message)

    def __repr__(self) -> str:
        return f"Checkpoint(size={self.size}, root={self.root[:8].hex()}, time={self.time})"


class AuditLog:
    """What a cloud writes down of all that it does, and cannot rewrite without being found out.

    Given to `mopse.Cloud` as ``audit_log``. Every owner has a log of its own in it, whose entries
    are chained and stand in a hash tree; the cloud signs its size and root with the log's
    identity. `Witness` is how a party holds it to that.

    Parameters
    ----------
    path : path, optional
        A file that grows at its end, made if it is not there; in memory by default. One process at
        a time has it, and it is apart from the cloud's store.
    identity : path, optional
        The file of the key that signs, made with the log if it is not there: ``<path>.identity`` by
        default. It is in the clear, for a service starts by itself; only its owner may read it.
        Keep it and the log apart from the store and its backups.
    every : float
        Seconds within which what was read is on the disk; 0.1 by default.

    Raises
    ------
    mopse.errors.FileAccessError
        If another process has it, or a file cannot be read or written. It is an OSError.
    mopse.errors.DamagedFileError
        If it is no log, or an entry does not follow the one before it; the message says which one
        and where. See `check_log`.
    mopse.errors.SignatureError
        If the log is of another identity.
    mopse.errors.InvalidInputError
        If there is an identity without a log.

    Notes
    -----
    **What is in it**: enrolments, uploads (of what is added, corrected and deleted alike),
    attachments, seals, removals of all that a provider sent, searches (also each page of an
    answer), counts, listings, reads of files, ``notes`` (a provider catching up), and what parties
    state, as grants (`statement`). Of each the time by the cloud's clock, the path of who signed
    it, the message's digest, and how many records or files were changed or given. A message that
    is refused is not in it, and an upload that comes again is in it once: whoever has a copy could
    fill the log. Neither is who reads the log.

    **What a crash may lose**: reads of the last tenth of a second. What changes the store is on the
    disk before it is acknowledged; what was carried out just before a crash, and not acknowledged,
    is missing until it is sent again, and an enrolment or attachment stays so. A checkpoint is
    signed of what is on the disk alone. Where the log cannot be written, the cloud answers nothing:
    `mopse.errors.FileAccessError`. What it was carrying out at that moment stands, as after a
    crash.

    **What it leaks**: it makes last what the cloud saw at the moment: when each party searched, how
    many records answered, which messages were the same. Whoever copies it has that of all owners.
    Not what was searched for.

    **What no log can**: show what was never written down. A cloud that copies its store, or answers
    past its own log from the first, is not found out; nor is what a party opens on its own machine.

    It takes 88 bytes of memory an entry, and 141 and the path on the disk; a statement more.

    Examples
    --------
    >>> import mopse
    >>> from mopse import sharing
    >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    >>> cloud = mopse.Cloud(audit_log=sharing.AuditLog())
    >>> cloud.enroll(owner.public)
    >>> witness = sharing.Witness(owner.key)
    >>> witness.entries(cloud, owner)["what"].to_list()
    ['enrolment']
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        identity: str | os.PathLike[str] | None = None,
        every: float = 0.1,
    ) -> None:
        self._every = number(every, "every", 0.001, 60)
        self._ended = threading.Event()
        self._path = None if path is None else os.fspath(as_file(path))
        if self._path is None:
            if identity is not None:
                raise InvalidInputError("identity is of a log in a file, and this one is in memory")
            self._log = _mopse.audit.Log(None)
            return
        key = as_file(f"{self._path}.identity" if identity is None else identity)
        if os.path.exists(key) and not os.path.exists(self._path):
            raise InvalidInputError(
                f"there is an identity, {key}, and no log {self._path}: what it signed would be "
                "signed again of an empty one. Bring the log back, or begin with a new identity"
            )
        with _naming(self._path), telling(self._path):
            self._log = _mopse.audit.Log((self._path, os.fspath(key)))
        threading.Thread(target=self._commit, name="mopse-audit", daemon=True).start()

    def _commit(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self._log.sync()
            except MopseError:
                continue  # whoever asks the cloud is told; it is tried again

    @property
    def identity(self) -> bytes:
        """Key that its signatures are verified by, 32 bytes: what a `Witness` is told."""
        return bytes(self._log.identity)

    def size(self, owner: bytes) -> int:
        """Return how many entries an owner has, by its verification key."""
        return self._log.size(verification_key(owner, "owner"))

    def checkpoint(self, owner: bytes) -> Checkpoint:
        """Return what is signed of an owner's log as it is now, for whoever operates the cloud."""
        return Checkpoint(self._log.checkpoint(verification_key(owner, "owner"), int(time.time())))

    def close(self) -> None:
        """Write what is not on the disk yet, and let go of the file; the cloud answers no more."""
        self._ended.set()
        self._log.close()

    def __enter__(self) -> "AuditLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "an audit log is of one process, neither pickled nor copied: give it to one cloud, and "
            "send other processes to that"
        )

    def __repr__(self) -> str:
        return f"AuditLog({self._path!r}, identity={self.identity[:8].hex()})"


def check_log(
    path: str | os.PathLike[str], checkpoints: Sequence[Checkpoint] = ()
) -> dict[bytes, int]:
    """Return how many entries each owner has in a log's file, once all of it is found right.

    For whoever operates a cloud or examines one; it changes nothing, and reads a log in use too.
    Each entry is held by the one after it, and the last one by checkpoints alone.

    Parameters
    ----------
    path : path
        The log's file.
    checkpoints : sequence of Checkpoint, optional
        What witnesses have seen, ``witness.seen``: the log must be the one they are of.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is no log, or an entry does not follow the one before it: entries were changed,
        removed, doubled or reordered. The message says at which one, and where.
    mopse.errors.RewrittenError
        If the log is sound in itself and not the one of a checkpoint: it was cut, or rewritten
        with its chain. The message says after which checkpoint it differs.
    mopse.errors.SignatureError
        If a checkpoint is of another identity.
    mopse.errors.FileAccessError
        If it cannot be read.
    """
    file = as_file(path)
    seen = [
        instance(one, Checkpoint, "a checkpoint")
        for one in items(checkpoints, "checkpoints", "sequence of checkpoints")
    ]
    with _naming(file), telling(file):
        sizes, _ = _mopse.audit.check_log(os.fspath(file), [one._checked for one in seen])
    return {bytes(owner): size for owner, size in sizes}


class _naming:  # noqa: N801
    """Names the file in what is said against it."""

    def __init__(self, path: object) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if type(error) is FileAccessError and error.filename is None:
            raise FileAccessError(f"{self._path}: {error}") from None


def verification_key(key: bytes, name: str) -> bytes:
    """Return a key of 32 bytes, and refuse what can be none."""
    found = as_message(key, f"{name}, a verification key,")
    if len(found) != 32:
        raise InvalidInputError(f"{name} is a verification key of 32 bytes, not {len(found)}")
    return found


def _time(moment: int) -> datetime.datetime | None:
    """Return a moment, if a calendar has it: the cloud may say any."""
    least = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    try:
        return least + datetime.timedelta(seconds=moment)
    except OverflowError:
        return None
