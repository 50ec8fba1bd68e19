"""A process that is to be killed, or whose service is: it sends uploads, and says which came.

``python sender.py URL FOLDER FIRST``: every file of the folder from the first on, by number.
"""

import sys
from pathlib import Path

from mopse import Cloud
from mopse.errors import UnreachableError

if __name__ == "__main__":
    url, folder, first = sys.argv[1:]
    files = sorted(Path(folder).iterdir())
    print("ready", flush=True)
    with Cloud(url) as cloud:
        for number, file in enumerate(files):
            if number < int(first):
                continue
            try:
                cloud.receive(file.read_bytes())
            except UnreachableError:
                sys.exit("away")
            print(number, flush=True)
    print("end", flush=True)
