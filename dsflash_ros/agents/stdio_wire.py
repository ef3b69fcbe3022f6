"""MCP over stdin and stdout with bounds: on the length of a line, and on requests without answer.

The library's own transport reads lines of any length, and starts a task for each request, also when
nobody reads what it answers: a client that floods would fill the memory.
"""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from select import PIPE_BUF

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

MOST_BYTES = 1 << 20
"""Of a line; a longer one is left out and answered as one that cannot be read."""

MOST_OPEN = 64
"""So many requests may be without answer; further ones are read when there are fewer."""

TOO_LONG = f'"a line of more than {MOST_BYTES} bytes"'

_UTF8 = "utf-8", "replace"
_CHUNK = 1 << 16


def serve_stdio(server: MCPServer) -> None:
    """Serve one client until it closes stdin, or SIGINT or SIGTERM."""
    number = anyio.run(_serve, server)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if number is not None:
        sys.exit(128 + number)


async def _unless_file(wait: Callable, descriptor: int) -> None:
    """Wait for a pipe or terminal; files are always ready, and cannot be waited for."""
    try:
        await wait(descriptor)
    except PermissionError:
        await anyio.sleep(0)


async def _serve(server: MCPServer) -> signal.Signals | None:
    """Serve; returns the signal that ended it, if one did."""
    wire, ended_by = _Wire(), None
    async with anyio.create_task_group() as tasks:

        async def end_on_signal() -> None:
            nonlocal ended_by
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                ended_by = await anext(signals)
            tasks.cancel_scope.cancel()

        tasks.start_soon(end_on_signal)
        async with stdio_server(stdin=wire, stdout=wire) as (read, write):
            # its run() knows no other streams than the library's
            lowlevel = server._lowlevel_server
            await lowlevel.run(read, write, lowlevel.create_initialization_options())
        tasks.cancel_scope.cancel()
    return ended_by


class _Wire:
    """Lines of stdin to iterate over, and a file to write lines to stdout.

    Nothing here blocks, and there is no thread that would hold up the end of the process. Whatever
    else prints goes to stderr.
    """

    def __init__(self) -> None:
        self._in, self._out = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        self._open: set = set()
        self._answered = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        kept, is_too_long = b"", False
        while chunk := await self._read():
            *lines, kept = (kept + chunk).split(b"\n")
            for line in lines:
                text = TOO_LONG if is_too_long or len(line) > MOST_BYTES else line.decode(*_UTF8)
                is_too_long = False
                await self._make_room()
                self._note(text)
                yield text
            if len(kept) > MOST_BYTES:
                kept, is_too_long = b"", True

    async def write(self, text: str) -> None:
        """Write an answer, or what else the server says."""
        data = memoryview(text.encode())
        while data:
            await _unless_file(anyio.wait_writable, self._out)
            data = data[os.write(self._out, data[:PIPE_BUF]) :]
        self._open.discard(_value(text, "id"))
        self._answered.set()

    async def flush(self) -> None:
        """Nothing is held back."""

    async def _read(self) -> bytes:
        await _unless_file(anyio.wait_readable, self._in)
        return os.read(self._in, _CHUNK)

    async def _make_room(self) -> None:
        while len(self._open) >= MOST_OPEN:
            self._answered = anyio.Event()
            await self._answered.wait()

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
