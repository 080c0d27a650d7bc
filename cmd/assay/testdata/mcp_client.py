"""Asks a memory with the official client: mcp_client.py stdio COMMAND… or mcp_client.py http URL. Prints one line for each way of
beginning, and fails if the memory does not find what the sample session says."""

import asyncio
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


def transport():
    if sys.argv[1] == "http":
        return streamable_http_client(sys.argv[2])
    return stdio_client(StdioServerParameters(command=sys.argv[2], args=sys.argv[3:]))


async def ask(begin):
    async with transport() as streams, ClientSession(streams[0], streams[1]) as session:
        await getattr(session, begin)()
        names = {tool.name for tool in (await session.list_tools()).tools}
        assert {"recall", "rehydrate", "get", "workflows", "capabilities"} <= names, names
        recalled = await session.call_tool("recall", {"query": "absolute path", "limit": 3})
        found = recalled.structured_content
        assert found["hits"] and "settled_through" in found and "pending" in found, found
        hit = found["hits"][0]
        assert hit["workflow_id"] and hit["bronze_seq"] > 0 and hit["text"], hit
        event = (await session.call_tool("get", {"id": hit["event_uuid"]})).structured_content
        assert event["raw"] and event["bronze_seq"] == hit["bronze_seq"], event
        for tool, arguments in (("workflows", {}), ("rehydrate", {"workflow": hit["workflow_id"]}), ("capabilities", {})):
            answer = await session.call_tool(tool, arguments)
            assert not answer.is_error and "settled_through" in answer.structured_content, answer
        assert (await session.call_tool("rehydrate", {"workflow": "unheard of"})).is_error
        await session.read_resource("assay://workflow/" + hit["workflow_id"])
        await session.get_prompt("resume", {"workflow": hit["workflow_id"]})
        print(begin, session.protocol_version)


for way in ("initialize", "discover"):
    asyncio.run(asyncio.wait_for(ask(way), 60))
