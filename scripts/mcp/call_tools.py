"""Calls every tool of a running API with the official client, and compares the results with those of the HTTP calls.

usage: call_tools.py URL
"""

import asyncio
import json
import sys
import urllib.request

from mcp import Client, MCPError

URL = sys.argv[1]
TOOLS = {"search_events", "get_event", "event_calendar", "list_categories"}


def get(path):
    with urllib.request.urlopen(URL + path) as response:
        return json.load(response)


def check(condition, message):
    if not condition:
        sys.exit(f"{message}")


async def call_tools(mode):
    async with Client(f"{URL}/mcp", mode=mode) as client:
        check(client.server_info.name == "marquee", client.server_info)
        listed = (await client.list_tools()).tools
        check({tool.name for tool in listed} == TOOLS, [tool.name for tool in listed])
        check(all(tool.annotations.read_only_hint for tool in listed), "a tool writes")

        page = await client.call_tool("search_events", {"limit": 2, "sort": "-starts_at", "fields": ["id", "title"], "total": True})
        expected = get("/events?sort=-starts_at&fields=id,title&limit=2&total=true")
        check(not page.is_error and page.structured_content["data"] == expected["data"], page)
        check(json.loads(page.content[0].text) == page.structured_content, page)
        cursor = page.structured_content["meta"]["next"].split("cursor=")[1].split("&")[0]
        arguments = {"limit": 2, "sort": "-starts_at", "fields": ["id", "title"], "total": True, "cursor": cursor}
        second = await client.call_tool("search_events", arguments)
        check(not second.is_error and second.structured_content["data"] != expected["data"], second)

        event_id = expected["data"]["events"][0]["id"]
        event = await client.call_tool("get_event", {"id": event_id})
        check(event.structured_content == get(f"/events/{event_id}"), event)

        days = {"starts_at": "2026-01-01", "ends_at": "2026-12-31", "listed": "any"}
        calendar = await client.call_tool("event_calendar", days)
        expected = get("/events/calendar?starts_at=2026-01-01&ends_at=2026-12-31&listed=any")
        check(calendar.structured_content == expected and len(expected["data"]["days"]) == 365, calendar)
        categories = await client.call_tool("list_categories", {})
        check(categories.structured_content == get("/categories"), categories)

        wrong = await client.call_tool("search_events", {"citty": "Madrid", "limit": 10})
        check(wrong.is_error and "did you mean `city`?" in wrong.content[0].text, wrong)
        check(wrong.structured_content["error"]["code"] == "invalid_parameter", wrong)
        missing = await client.call_tool("get_event", {"id": "00000000-0000-0000-0000-000000000000"})
        check(missing.is_error and missing.structured_content["status"] == 404, missing)
        try:
            await client.call_tool("delete_event", {})
            sys.exit("a tool that does not exist was called")
        except MCPError as error:
            check("available are" in str(error), error)
        await asyncio.gather(*(client.call_tool("search_events", {"limit": 1}) for _ in range(20)))
        print(f"the official client works with protocol version {client.protocol_version}")


for mode in ("auto", "legacy"):
    asyncio.run(call_tools(mode))
