"""An MCP server with the tools of `GraphTools`, over stdio and HTTP."""

import socket
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Any

import anyio
import anyio.to_thread

from dsflash_ros import __version__
from dsflash_ros.agents.graph_tools import (
    MOST_ANSWERS,
    MOST_CHARACTERS,
    MOST_WAIT_S,
    GraphTools,
)
from dsflash_ros.errors import DSFlashError, missing_extra

try:
    from mcp.server.mcpserver import Image, MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.server.mcpserver.tools import Tool
    from pydantic import Field
except ImportError as error:
    raise missing_extra("agent", error) from error

INSTRUCTIONS = """\
What a camera sees, as a scene graph: nodes (objects with class, number, position) and relations.
A node's name is its class and number: cup_7; in questions it is cup#7. Ask for what you need.

Questions are patterns; ?x is a variable, _ stands for a space in names:
  ?x on dining_table#3                                     what is on table 3?
  nearest ?cup:cup where not ?p:person holding ?cup        cups that nobody holds, nearest first
  ?x:cup|bottle on ?t:dining_table and ?x.distance < 1.5   with a distance in metres
  person ? ?x                                              whatever relation a person has
  cup in ?                                                 yes (one answer) or no (none)
Also: ?a != ?b, ?x on ?y with score > 0.5, best, farthest, limit 5, not (... and ...)."""

MOST_BODY = 1 << 20
"""Bytes of a request over HTTP."""

MOST_CONNECTIONS = 64

MOST_IDLE_S = 120.0
"""So long a session lives without a request or an open stream; many clients never end theirs."""

MOST_SILENT_S = 10.0
"""So long a connection may take to send the head of its first request."""

Question = Annotated[str, Field(description="such as: ?x on dining_table#3", max_length=1000)]
Limit = Annotated[int, Field(description="the most answers", ge=1, le=MOST_ANSWERS)]
Characters = Annotated[
    int, Field(description="the text is never longer", ge=200, le=MOST_CHARACTERS)
]
Seconds = Annotated[float, Field(description="how long to wait, seconds", ge=0, le=MOST_WAIT_S)]


def make_server(tools: GraphTools) -> MCPServer:
    """The server; it evaluates nothing that clients send as code."""
    run = _Threads(tools)

    async def get_scene_graph(max_characters: Characters = 2000) -> str:
        """What the camera sees now: relations and objects, the most useful first."""
        return await run(lambda _: tools.text(max_characters))

    async def query(question: Question, limit: Limit = 20) -> dict[str, Any]:
        """Ask the newest scene graph a question."""
        return await run(lambda _: tools.query(question, limit))

    async def wait_for(
        question: Question, timeout_s: Seconds = 10.0, limit: Limit = 20
    ) -> dict[str, Any]:
        """Wait until the scene graph has an answer to a question, and tell it."""
        return await run(lambda cancelled: tools.wait_for(question, timeout_s, limit, cancelled))

    async def look() -> Image:
        """The camera's image, with masks, names and relations drawn on it."""
        return Image(data=await run(lambda _: tools.look()), format="jpeg")

    return MCPServer(
        "dsflash",
        version=__version__,
        instructions=INSTRUCTIONS,
        log_level="WARNING",
        tools=[_strict(tool) for tool in (get_scene_graph, query, wait_for, look)],
    )


def _strict(function: Callable) -> "_StrictTool":
    tool = _StrictTool.from_function(function)
    tool.parameters["additionalProperties"] = False
    return tool


class _StrictTool(Tool):
    """A tool that refuses arguments it does not have, which the library would leave out."""

    async def run(self, arguments: dict[str, Any], *args, **kwargs) -> Any:
        known = self.parameters["properties"]
        if unknown := [name for name in arguments if name not in known]:
            has = ", ".join(known) or "none"
            raise ToolError(f"{self.name} has no argument {unknown[0]!r:.80}; it has {has}")
        return await super().run(arguments, *args, **kwargs)


class _Threads:
    """Runs calls of tools in threads; their errors become answers of the tool."""

    def __init__(self, tools: GraphTools) -> None:
        self._tools = tools

    async def __call__(self, job: Callable[[Callable[[], bool]], Any]) -> Any:
        cancelled = threading.Event()
        limiter = anyio.CapacityLimiter(1)  # the tools count calls, also those that were cancelled
        try:
            return await anyio.to_thread.run_sync(
                lambda: self._tools.run(lambda: job(cancelled.is_set)),
                abandon_on_cancel=True,
                limiter=limiter,
            )
        except DSFlashError as error:
            raise ToolError(str(error)) from error
        finally:
            cancelled.set()


def serve_http(server: MCPServer, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; the address is told on stderr.

    Raises `DSFlashError` when nothing can listen there.
    """
    import uvicorn

    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=128)
    except (OSError, OverflowError) as error:
        raise DSFlashError(f"cannot listen on {host}, port {port}: {error}") from error
    shown = f"[{host}]" if ":" in host else host
    app = server.streamable_http_app(
        host=host,
        max_request_body_size=MOST_BODY,
        max_sessions=MOST_CONNECTIONS,
        session_idle_timeout=MOST_IDLE_S,
    )
    config = uvicorn.Config(
        app,
        http=_impatient_protocol(),
        log_level="error",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=30,
    )
    with listener:
        address = f"http://{shown}:{listener.getsockname()[1]}/mcp"
        print(f"dsflash mcp: serving on {address}", file=sys.stderr, flush=True)
        anyio.run(lambda: uvicorn.Server(config).serve(sockets=[listener]))


def _impatient_protocol() -> type:
    """HTTP for uvicorn, which waits for a first request without end."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        def connection_made(self, transport) -> None:
            super().connection_made(transport)
            self.loop.call_later(MOST_SILENT_S, self._hang_up_on_the_silent)

        def _hang_up_on_the_silent(self) -> None:
            if self.cycle is None:
                self.transport.close()

    return Impatient


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
