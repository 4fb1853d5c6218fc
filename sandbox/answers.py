"""JSON answers as Discord sends them."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web


def json_answer(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with JSON and a bare `application/json`: discord.py parses nothing else."""
    body = json.dumps(data).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
