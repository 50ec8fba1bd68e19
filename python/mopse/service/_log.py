"""The log of requests: a line of JSON each, with nothing in it that only an owner should know."""

import asyncio
import contextlib
import json
import logging
import logging.handlers
import os
import sys
import time
from typing import Any

from mopse._files import as_file, telling

__all__ = ["RequestLog"]

_WAIT = 0.1
"""Seconds that a line waits for others."""

_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class _File(logging.handlers.RotatingFileHandler):
    """Files for their owner only, the new ones too."""

    def _open(self) -> Any:
        def opened(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="ascii", opener=opened)


class RequestLog:
    """Writes lines to a file that is turned over when it is full, or to standard error.

    The file is for its owner only. Lines are written some at a time, a tenth of a second after the
    first of them at the latest: a write for each would have every request wait for the interpreter
    once more. It is used by one thread, with a loop of asyncio.
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, most_bytes: int, files: int) -> None:
        self._lines: list[str] = []
        self._second = 0, ""
        self._handler: logging.Handler = logging.StreamHandler(sys.stderr)
        if path is not None:
            file = as_file(path)
            with telling(file):
                self._handler = _File(file, maxBytes=most_bytes, backupCount=files)
        # Where the disk is full, requests go on.
        self._handler.handleError = lambda record: None  # type: ignore[method-assign]

    def write(self, moment: float, line: dict[str, Any]) -> None:
        """Take note of what is known of a request."""
        self._lines.append(_JSON({"time": self._time(moment)} | line))
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_WAIT, self.flush)

    def flush(self) -> None:
        """Write the lines that wait."""
        text, self._lines = "\n".join(self._lines), []
        if text:
            self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, text, None, None))

    def _time(self, moment: float) -> str:
        seconds = int(moment)
        if self._second[0] != seconds:
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            self._second = seconds, at
        return f"{self._second[1]}.{int((moment - seconds) * 1000):03d}Z"

    def close(self) -> None:
        """End the log."""
        self.flush()
        with contextlib.suppress(OSError):
            self._handler.close()
