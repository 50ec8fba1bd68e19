"""What a request may cost."""

import dataclasses

from mopse._checks import integer, number

__all__ = ["Limits"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a request to a service may cost it.

    Parameters
    ----------
    message_bytes : int
        Size of an upload or seal, and of an attachment for a store in memory.
    attachment_bytes : int
        Size of an attachment for a store that lasts, which is not held but handed on: of what is
        larger than 4 MiB some MiB are in memory at a time.
    attachments : int
        How many of those are on their way to the store at a time; those beyond are told to come
        again. Each holds a connection of a database.
    question_bytes : int
        Size of any other message.
    held_bytes : int
        Size of all messages and answers together that are on their way at a time.
    requests : int
        How many requests are taken at a time; those beyond are told to come again.
    connections : int
        How many connections are served at a time; those beyond wait.
    threads : int
        How many uploads the cloud works on at a time, and how many questions beside them.
    header_seconds : int
        How long the head of a request may take, and a connection may be idle.
    body_seconds : float
        How long a body may take, beside what its bytes take at `least_rate`.
    answer_seconds : float
        How long an answer may take to be taken, beside what its bytes take at `least_rate`.
    least_rate : int
        Bytes per second that a sender or reader keeps up at least.
    stop_seconds : float
        How long requests that run may take to end when the service stops.

    Raises
    ------
    mopse.errors.InvalidInputError
        If one is out of bounds.
    """

    message_bytes: int = 1 << 30
    attachment_bytes: int = 1 << 31
    attachments: int = 16
    question_bytes: int = 1 << 26
    held_bytes: int = 1 << 31
    requests: int = 256
    connections: int = 4096
    threads: int = 4
    header_seconds: int = 15
    body_seconds: float = 15.0
    answer_seconds: float = 30.0
    least_rate: int = 1 << 16
    stop_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name, most in (
            ("message_bytes", 2**40),
            ("attachment_bytes", 2**40),
            ("attachments", 2**20),
            ("question_bytes", 2**40),
            ("held_bytes", 2**44),
            ("requests", 2**20),
            ("connections", 2**20),
            ("threads", 1024),
            ("header_seconds", 60),
            ("least_rate", 2**40),
        ):
            integer(getattr(self, name), name, 1, most, fault=f"{{what}} is not from 1 to {most}")
        for name in ("body_seconds", "answer_seconds", "stop_seconds"):
            number(getattr(self, name), name, 0.001, 86_400)
