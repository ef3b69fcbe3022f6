"""MCP over stdin and stdout with bounds: on the length of a line, and on requests without answer.

The library's own transport reads lines of any length, and starts a task for each request, also when
nobody reads what it answers: a client that floods would fill the memory.
"""

import json
import os
from collections.abc import AsyncIterator

import anyio
import anyio.to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

MOST_BYTES = 1 << 20
"""Of a line; a longer one is left out and answered as one that cannot be read."""

MOST_OPEN = 64
"""So many requests may be without answer; further ones are read when there are fewer."""

TOO_LONG = f"a line of more than {MOST_BYTES} bytes"


def serve_stdio(server: MCPServer) -> None:
    """Serve one client until it closes stdin."""
    anyio.run(_serve, server)


async def _serve(server: MCPServer) -> None:
    wire = _Wire()
    async with stdio_server(stdin=wire, stdout=wire) as (read, write):
        # its run() knows no other streams than the library's
        lowlevel = server._lowlevel_server
        await lowlevel.run(read, write, lowlevel.create_initialization_options())


class _Wire:
    """Lines of stdin to iterate over, and a file to write lines to stdout.

    Whatever else prints goes to stderr.
    """

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._open: set = set()
        self._answered = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        while line := await anyio.to_thread.run_sync(self._read, abandon_on_cancel=True):
            self._note(line)
            yield line
            while len(self._open) >= MOST_OPEN:
                self._answered = anyio.Event()
                await self._answered.wait()

    async def write(self, text: str) -> None:
        """Write an answer, or what else the server says."""
        await anyio.to_thread.run_sync(self._out.write, text.encode(), abandon_on_cancel=True)
        self._open.discard(_value(text, "id"))
        self._answered.set()

    async def flush(self) -> None:
        await anyio.to_thread.run_sync(self._out.flush, abandon_on_cancel=True)

    def _read(self) -> str:
        """The next line; empty at the end."""
        line = self._in.readline(MOST_BYTES)
        if len(line) < MOST_BYTES or line.endswith(b"\n"):
            return line.decode("utf-8", "replace")
        while line and not line.endswith(b"\n"):
            line = self._in.readline(MOST_BYTES)
        return json.dumps(TOO_LONG) + "\n"

    def _note(self, line: str) -> None:
        """Count a request, or forget one that is cancelled and gets no answer."""
        method, number = _value(line, "method"), _value(line, "id")
        if method is not None and number is not None:
            self._open.add(number)
        elif method == "notifications/cancelled":
            self._open.discard(_value(line, "params", "requestId"))


def _value(line: str, *keys: str):
    """What stands under these keys of a line of JSON, if it is a text or a number; else None."""
    try:
        found = json.loads(line)
        for key in keys:
            found = found[key]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return found if isinstance(found, str | int | float) else None
