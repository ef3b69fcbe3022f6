"""`dsflash mcp` with the client of the `mcp` package, over stdio and HTTP."""

import base64
import os

import anyio
import cv2
import numpy as np
import pytest
from mcp_processes import COMMAND, address_of, ended, started
from places import ROOT

pytest.importorskip("mcp")
pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from mcp import Client, StdioServerParameters, stdio_client


@pytest.fixture(scope="module")
def http(publisher):
    """The address of a server over HTTP; it ends with the signal's exit code."""
    server = started("--http", "--port", "0")
    yield address_of(server)
    assert ended(server) == 143


@pytest.fixture(params=["stdio", "http"])
def transport(request, publisher):
    """What a client connects to."""
    if request.param == "http":
        return request.getfixturevalue("http")
    return stdio()


def stdio(*arguments):
    command, *rest = COMMAND
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return stdio_client(
        StdioServerParameters(command=command, args=[*rest, *arguments], env=environment)
    )


def with_client(transport, work):
    """Run a coroutine function with a client that is connected."""

    async def run():
        with anyio.fail_after(60):
            async with Client(transport) as client:
                return await work(client)

    return anyio.run(run)


async def text_of(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.content[0].text


async def refusal_of(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text


async def publish_until(publisher, labels, tool):
    """Publish a graph again and again while a call of a tool runs. Returns what that gives."""
    result = None

    async def call():
        nonlocal result
        result = await tool
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        while True:
            publisher.graph(*labels)
            await anyio.sleep(0.1)
    return result


def test_the_tools(transport, publisher):
    async def work(client):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"get_scene_graph", "query", "wait_for", "look"}
        assert all(tool.description for tool in tools.values())
        assert not any(tool.input_schema["additionalProperties"] for tool in tools.values())
        assert "?x on dining_table#3" in client.instructions

        wait = client.call_tool("wait_for", {"question": "?x:cup on ?t", "timeout_s": 20})
        found = await publish_until(publisher, ("cup", "dining table"), wait)
        assert not found.is_error and found.structured_content["is_cut"] is False
        (answer,) = found.structured_content["answers"]
        assert answer["nodes"]["x"]["name"] == "cup_0"
        assert answer["relations"] == ["cup_0 on dining table_1 (0.90)"]

        text = await text_of(client, "get_scene_graph", max_characters=300)
        assert "2 nodes, 1 relation\nrelations:\ncup_0 on dining table_1 (0.90)" in text
        assert len(text) <= 300

        result = await client.call_tool("query", {"question": "?x", "limit": 1})
        assert len(result.structured_content["answers"]) == 1
        assert result.structured_content["is_cut"] is True

        looked = await publish_until(publisher, ("cup",), client.call_tool("look", {}))
        (image,) = looked.content
        assert image.mime_type == "image/jpeg"
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(image.data), np.uint8), 1)
        assert picture.shape == (48, 64, 3) and abs(picture.mean() - 200) < 2

    with_client(transport, work)


def test_what_agents_read_of_their_mistakes(transport, publisher):
    async def work(client):
        seen = client.call_tool("wait_for", {"question": "?x:person", "timeout_s": 20})
        await publish_until(publisher, ("person",), seen)
        while not (await client.call_tool("query", {"question": "?x:tabel"})).is_error:
            await anyio.sleep(0.1)  # until the vocabulary is known
        for tool, arguments, part in [
            ("query", {"question": "?x:tabel"}, "did you mean dining_table?"),
            ("query", {"question": "?x on"}, "see >>> in: ?x on>>>"),
            ("query", {"question": "__import__('os').system('true')"}, "means nothing here"),
            ("query", {"question": "x" * 100_000}, "at most 1000 characters"),
            ("query", {"question": 3}, "valid string"),
            ("query", {}, "Field required"),
            (
                "query",
                {"question": "?x", "bogus": 1},
                "no argument 'bogus'; it has question, limit",
            ),
            ("wait_for", {"question": "?x", "timeout": 60}, "it has question, timeout_s, limit"),
            ("look", {"x" * 5000: 1}, "it has none"),
            ("query", {"question": "?x", "limit": 0}, "greater than or equal to 1"),
            ("wait_for", {"question": "?x:cup", "timeout_s": 0.2}, "within 0.2 s"),
            ("wait_for", {"question": "?x:tabel", "timeout_s": 60}, "did you mean dining_table?"),
            ("wait_for", {"question": "?x", "timeout_s": 1e9}, "less than or equal to 60"),
            ("wait_for", {"question": "?x", "timeout_s": "nan"}, "validation error"),
            ("get_scene_graph", {"max_characters": 10**9}, "less than or equal to 20000"),
            ("eval", {"code": "1"}, "Unknown tool"),
        ]:
            text = await refusal_of(client, tool, **arguments)
            assert part in text and len(text) < 1000, text
        assert await text_of(client, "query", question="?x:person")

    with_client(transport, work)


def test_too_many_calls_at_once(http, publisher):
    async def work(client):
        seen = client.call_tool("wait_for", {"question": "?x:person", "timeout_s": 20})
        await publish_until(publisher, ("person",), seen)
        texts = []

        async def wait():
            question = {"question": "?x:cup", "timeout_s": 3}
            texts.append((await client.call_tool("wait_for", question)).content[0].text)

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(wait)
        assert sum("16 calls are being worked on" in text for text in texts) == 14
        assert sum("within 3 s" in text for text in texts) == 16
        assert await text_of(client, "query", question="?x:person")

    with_client(http, work)


def test_a_call_that_is_cancelled_makes_room(http, publisher):
    async def work(client):
        for _ in range(20):
            with anyio.move_on_after(0.05):
                await client.call_tool("wait_for", {"question": "?x:cup", "timeout_s": 60})
            publisher.graph("person")
        await anyio.sleep(0.3)
        publisher.graph("person")
        await anyio.sleep(0.3)
        assert await text_of(client, "query", question="?x:person")

    with_client(http, work)


@pytest.mark.slow
def test_a_source_instead_of_a_node():
    async def work(client):
        wait = {"question": "nearest ?x:cup on ?t", "timeout_s": 60, "limit": 1}
        found = (await client.call_tool("wait_for", wait)).structured_content
        node = found["answers"][0]["nodes"]["x"]
        assert node["class"] == "cup" and node["distance_m"] > 0
        (image,) = (await client.call_tool("look", {})).content
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(image.data), np.uint8), 1)
        assert picture.shape == (480, 640, 3) and picture.std() > 20

    with_client(stdio(str(ROOT / "examples/drive"), "--track"), work)
