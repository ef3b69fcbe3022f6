"""MCP over stdin and stdout with bounds: on the length of a line, and on requests without answer.

The library's own transport reads lines of any length, and starts a task for each request, also when
nobody reads what it answers: a client that floods would fill the memory.
"""

import json
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from select import PIPE_BUF

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.dispatcher import as_request_id, coerce_request_id
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)

MOST_BYTES = 1 << 20
"""Of a line; a longer one is left out and answered as one that cannot be read."""

MOST_OPEN = 64
"""So many requests may be without answer; further ones are read when there are fewer."""

TOO_LONG = f"a line has at most {MOST_BYTES} bytes"
NO_JSON = "a line is to be a message in JSON"
NO_REQUEST = (
    'a request has "jsonrpc": "2.0", a text or an integer as id, a text as method, an object as '
    "params if any, and no error; texts are Unicode, without lone surrogates"
)

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

    Lines that are no message are answered here: the library drops them, and whoever sent them would
    wait in vain. Nothing here blocks, and there is no thread that would hold up the end of the
    process. Whatever else prints goes to stderr.
    """

    def __init__(self) -> None:
        self._in, self._out = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        self._open: set[str | int] = set()
        self._answered = anyio.Event()
        self._writing = anyio.Lock()

    async def __aiter__(self) -> AsyncIterator[str]:
        kept, is_too_long = b"", False
        while chunk := await self._read():
            *lines, kept = (kept + chunk).split(b"\n")
            for line in lines:
                if is_too_long or len(line) > MOST_BYTES:
                    await self._refuse(PARSE_ERROR, TOO_LONG)
                elif (message := await self._checked(text := line.decode(*_UTF8))) is not None:
                    await self._note(message)
                    yield text
                is_too_long = False
            if len(kept) > MOST_BYTES:
                kept, is_too_long = b"", True

    async def write(self, text: str) -> None:
        """Write an answer, or what else the server says."""
        await self._send(text)
        self._forget(json.loads(text).get("id"))

    async def flush(self) -> None:
        """Nothing is held back."""

    async def _read(self) -> bytes:
        await _unless_file(anyio.wait_readable, self._in)
        return os.read(self._in, _CHUNK)

    async def _send(self, text: str) -> None:
        data = memoryview(text.encode())
        async with self._writing:
            while data:
                await _unless_file(anyio.wait_writable, self._out)
                data = data[os.write(self._out, data[:PIPE_BUF]) :]

    async def _checked(self, line: str) -> JSONRPCMessage | None:
        """What the library is going to read in a line; None when it was refused, or is empty."""
        if not line.strip():
            return None
        raw, message = _tried(json.loads, line), _tried(_validate, line)
        number = raw.get("id") if isinstance(raw, dict) and "method" in raw else None
        # the library reads a request with an id that cannot be as a notification
        is_mistaken = number is not None and not isinstance(message, JSONRPCRequest)
        if raw is None or message is None or is_mistaken:
            refusal = (PARSE_ERROR, NO_JSON) if raw is None else (INVALID_REQUEST, NO_REQUEST)
            await self._refuse(*refusal, number)
            return None
        return message

    async def _refuse(self, code: int, reason: str, number=None) -> None:
        is_told = isinstance(number, float) and math.isfinite(number)
        known = number if is_told else as_request_id(number)
        error = {"code": code, "message": reason}
        await self._send(json.dumps({"jsonrpc": "2.0", "id": known, "error": error}) + "\n")

    async def _note(self, message: JSONRPCMessage) -> None:
        """Count a request when there is room, or forget one that is cancelled and not answered."""
        match message:
            case JSONRPCRequest(id=number):
                while len(self._open) >= MOST_OPEN:
                    self._answered = anyio.Event()
                    await self._answered.wait()
                self._open.add(coerce_request_id(number))  # "7" and 7 are one to the library
            case JSONRPCNotification(method="notifications/cancelled", params=params):
                self._forget(cancelled_request_id_from_params(params))

    def _forget(self, number: str | int | None) -> None:
        if number is not None:
            self._open.discard(coerce_request_id(number))
            self._answered.set()


def _validate(line: str) -> JSONRPCMessage:
    return jsonrpc_message_adapter.validate_json(line, by_name=False)  # as stdio_server does


def _tried(read: Callable, line: str):
    """What is read in a line; None when it cannot be read."""
    try:
        return read(line)
    except (ValueError, RecursionError):
        return None
