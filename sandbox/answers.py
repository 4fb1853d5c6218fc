"""JSON responses in Discord's format."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web


def json_answer(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return a JSON response without a charset, because discord.py parses JSON only without one."""
    body = json.dumps(data).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
