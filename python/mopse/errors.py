"""The exceptions that mopse raises on purpose. Messages never hold a key or a plaintext."""

__all__ = [
    "AnswerError",
    "ChangedError",
    "DamagedFileError",
    "DecryptionError",
    "ExpiredError",
    "FileAccessError",
    "ForkedError",
    "InvalidInputError",
    "MissingFileError",
    "MopseError",
    "NoSealsError",
    "NonceReuseError",
    "OutdatedError",
    "ProofError",
    "RandomnessError",
    "ReplayError",
    "RewrittenError",
    "ScopeError",
    "SignatureError",
    "UnreachableError",
    "WrongPasswordError",
    "WrongTypeError",
]


class MopseError(Exception):
    """Base of all of them, for callers who do not care which."""


class InvalidInputError(MopseError, ValueError):
    """An argument has the wrong length, order or domain; the message says which and where."""


class NoSealsError(InvalidInputError):
    """A cloud's store keeps no seals, so that nothing it answers can be proven."""


class WrongTypeError(InvalidInputError, TypeError):
    """An argument has the wrong type or dtype; nothing is ever cast in silence.

    Whatever takes arguments raises it, so docstrings name it only where it means more.
    """


class DamagedFileError(MopseError):
    """A file or message does not hold what was written to it; nothing in it was used."""


class FileAccessError(MopseError, OSError):
    """A file cannot be read or written; what was there before is left."""


class MissingFileError(FileAccessError, FileNotFoundError):
    """There is no such file or folder."""


class UnreachableError(MopseError, ConnectionError):
    """A cloud that is a service does not answer, or something else does.

    Whether it did what it was sent is not known; to send the same again does no harm.
    """


class WrongPasswordError(MopseError):
    """The password does not open the file, which is otherwise whole."""


class DecryptionError(MopseError):
    """A ciphertext or record was not made under this key, or was changed since."""


class AnswerError(MopseError, ValueError):
    """An answer is not that to what was asked: parts are missing, doubled, or of another one."""


class ProofError(MopseError):
    """An answer is not proven: rows are missing, stale or forged, or a provider has no seal.

    Attributes
    ----------
    providers : tuple of str
        Paths of those whose part is not proven; empty if the proof as a whole contradicts itself.
    """

    providers: tuple[str, ...] = ()


class RewrittenError(ProofError):
    """A cloud's audit log is not the one that was seen: the message says where it differs at most.

    Entries were removed, changed or reordered, or the cloud shows different ones to different
    witnesses.
    """


class ChangedError(MopseError):
    """Somebody else was faster: look at what there is now, then do it again."""


class NonceReuseError(InvalidInputError):
    """A nonce was given for a second message under one key, which would give both away."""


class SignatureError(MopseError):
    """A message, grant or certificate is not signed by whom it names, or was changed since."""


class ReplayError(MopseError):
    """A message was received before and what it brought is gone, or a later one is known."""


class ExpiredError(MopseError):
    """The time of a query, a request or a grant has run out."""


class ScopeError(MopseError):
    """A key, query or grant does not reach what it is used on: of another owner, group or epoch."""


class ForkedError(MopseError, RuntimeError):
    """A process that was forked needs what only its parent has: start it by spawn or forkserver."""


class OutdatedError(ScopeError):
    """A keyring has missed what was announced to the cloud since: its `catch_up` mends that."""


class RandomnessError(MopseError):
    """The operating system gave no randomness, so nothing was made."""
