"""A process that is to be killed: it gives a store messages, and says which came through.

``python writer.py STORE MESSAGES NOW START``: the file of messages is JSON, hex each; an empty one
has the store compacted. It goes on after those that the store has taken.
"""

import json
import sys
from pathlib import Path

from mopse._mopse.cloud import Gate
from mopse.stores import opened_store

if __name__ == "__main__":
    store = opened_store(sys.argv[1])
    gate = Gate(store, 1 << 28)
    print("open", flush=True)
    messages = json.loads(Path(sys.argv[2]).read_text())
    for number, message in enumerate(messages):
        if number < int(sys.argv[4]):
            continue
        if message:
            gate.receive(bytes.fromhex(message), int(sys.argv[3]))
        else:
            store.compact()
        print(number, flush=True)
    store.close()
    print("closed", flush=True)
