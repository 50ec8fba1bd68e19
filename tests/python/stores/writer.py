"""Processes that are to be killed: each gives a store messages, and says which came through.

``python writer.py`` reads lines of JSON: a store, a file of messages, the time, and the message to
begin at. It forks a process for each, which opens the store; what takes long, the imports, is done
once, and what is killed has all of the store to itself. The file of messages is JSON, hex each; an
empty one has the store compacted. ``python writer.py stream`` hands attachments on as they come.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

# All that a store needs is there before the fork, and nothing that has threads of its own is used.
import duckdb  # noqa: F401
import pyarrow  # noqa: F401

from mopse import Cloud
from mopse._mopse.cloud import Gate
from mopse._mopse.message import Incoming
from mopse.messages import Receipt
from mopse.stores import opened_store


def say(*words: object) -> None:
    """Write a line at once, so that no kill leaves half of it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def handed_on(cloud: Cloud, message: bytes, step: int = 1 << 20) -> Receipt:
    """Have a cloud take an attachment in pieces, as a service does."""
    store: Any = cloud._store
    gate: Any = cloud._gate
    incoming = Incoming()
    with store.spool() as spool:
        for at in range(0, len(message), step):
            spool.write(incoming.feed(message[at : at + step]))
        came = incoming.end()
        spool.write(came.body)
        return Receipt(*gate.receive_spooled(came, spool))


def write(address: str, messages: str, now: int, start: int) -> None:
    """Give a store its messages, and say of each that it is taken."""
    store = opened_store(address)
    cloud = Cloud(store)
    gate = Gate(store, 1 << 28)
    say("open", os.getpid())
    for number, message in enumerate(json.loads(Path(messages).read_text())):
        if number < start:
            continue
        if sys.argv[1:] == ["stream"] and bytes.fromhex(message).startswith(b"MOPSEATT"):
            handed_on(cloud, bytes.fromhex(message))
        elif message:
            gate.receive(bytes.fromhex(message), now)
        else:
            store.compact()
        say(number)
    store.close()


def main() -> None:
    """Fork a process for each line, and say how it ended."""
    child = 0
    for line in sys.stdin:
        if child:  # nobody else got its number while it could be killed
            os.waitpid(child, 0)
        child = os.fork()
        if child == 0:
            try:
                write(*json.loads(line))
            except BaseException as error:
                say("failed", repr(error))
                os._exit(1)
            os._exit(0)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        say("ended", ended.si_code == os.CLD_KILLED, ended.si_status)


if __name__ == "__main__":
    main()
