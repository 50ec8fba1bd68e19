"""Processes that are to be killed: each gives a store messages, and says which came through.

``python writer.py`` reads lines of JSON: a store, a file of messages, the time, and the message to
begin at. It forks a process for each, which opens the store; what takes long, the imports, is done
once, and what is killed has all of the store to itself. The file of messages is JSON, hex each; an
empty one has the store compacted.
"""

import json
import os
import sys
from pathlib import Path

# All that a store needs is there before the fork, and nothing that has threads of its own is used.
import duckdb  # noqa: F401
import pyarrow  # noqa: F401

from mopse._mopse.cloud import Gate
from mopse.stores import opened_store


def say(*words: object) -> None:
    """Write a line at once, so that no kill leaves half of it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def write(address: str, messages: str, now: int, start: int) -> None:
    """Give a store its messages, and say of each that it is taken."""
    store = opened_store(address)
    gate = Gate(store, 1 << 28)
    say("open", os.getpid())
    for number, message in enumerate(json.loads(Path(messages).read_text())):
        if number < start:
            continue
        if message:
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
