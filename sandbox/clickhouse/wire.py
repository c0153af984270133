"""The body of an answer in HTTP's chunks, compressed if wanted, which can end early in each way that a test orders.

The rule: bytes are counted as they are sent, without the frames of the chunks.
"""

import os
import signal
import socket
import struct
import sys
import zlib
from io import BufferedIOBase

from sandbox.clickhouse.conditions import Ending

_GZIP = 16 + zlib.MAX_WBITS


class EndedEarly(Exception):  # noqa: N818 - an order that was carried out, and no error
    """The answer was ended as ordered, and the connection cannot be used further."""


class Body:
    """A body that is being sent."""

    def __init__(
        self,
        out: BufferedIOBase,
        connection: socket.socket,
        *,
        gzip_level: int | None,
        end_after: int | None,
        ending: Ending,
    ) -> None:
        """Of a connection whose headers are sent.

        Args:
            out: Where to write it.
            connection: The connection beneath.
            gzip_level: The level of compression; None for none.
            end_after: After how many bytes it ends early; None for never.
            ending: How.
        """
        self._out = out
        self._connection = connection
        self._zip = zlib.compressobj(gzip_level, zlib.DEFLATED, _GZIP) if gzip_level is not None else None
        self._left = end_after
        self._ending = ending

    def write(self, data: bytes) -> None:
        """Send data.

        Raises:
            EndedEarly: As ordered.
        """
        self._chunk(self._zip.compress(data) if self._zip else data)

    def close(self, *, is_whole: bool = True) -> None:
        """End it; without the last chunk, if the server cuts it."""
        if self._zip:
            self._chunk(self._zip.flush())
        if is_whole:
            self._out.write(b"0\r\n\r\n")
        self._out.flush()

    def _chunk(self, data: bytes) -> None:
        if not data:
            return
        if self._left is not None and len(data) >= self._left:
            self._end(data[: self._left])
        if self._left is not None:
            self._left -= len(data)
        self._out.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _end(self, rest: bytes) -> None:
        if self._ending == "whole":
            self._out.write((b"%x\r\n%s\r\n" % (len(rest), rest) if rest else b"") + b"0\r\n\r\n")
        else:
            self._out.write(b"%x\r\n%s" % (len(rest) + 1, rest))
        self._out.flush()
        match self._ending:
            case "reset":
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._connection.close()
            case "restart":
                os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this process with its own arguments
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
        raise EndedEarly
