"""A vendor's responses, and the ways in which delivering them can fail."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sandbox.answers import json_answer
from sandbox.vendors.modes import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A vendor's intended response. `reference` and `outcome` are for its log."""

    data: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    outcome: str = "answered"


async def deliver(
    request: web.Request, answer: Answer, mode: Mode, *, drip_s: float
) -> web.StreamResponse:
    """Send a response, altered according to the mode."""
    match mode:
        case Mode.DOWN | Mode.HANG_BEFORE_ANSWER | Mode.RESET_AFTER_SUBMIT:
            return reset(request)
        case Mode.ERROR_500 | Mode.ERROR_503:
            return web.Response(status=answer.status, text=str(answer.data))
        case Mode.MALFORMED:
            text = json.dumps(answer.data)
            return web.Response(
                status=answer.status, text=text[: len(text) // 2], content_type="application/json"
            )
        case Mode.MISTYPED:
            return json_answer(mistyped(answer.data), status=answer.status)
        case Mode.SLOW_BODY:
            return await _drip(request, answer, drip_s)
        case _:
            return json_answer(answer.data, status=answer.status, headers=answer.headers)


def reset(request: web.Request) -> web.Response:
    """Abort the connection with a TCP reset instead of a regular close."""
    transport = request.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response(status=500)


def mistyped(data: Any) -> Any:
    """Wrap every value in a list, so that all types are wrong."""
    match data:
        case dict():
            return {name: mistyped(value) for name, value in data.items()}
        case list():
            return [mistyped(value) for value in data]
        case _:
            return [data]


async def _drip(request: web.Request, answer: Answer, drip_s: float) -> web.StreamResponse:
    body = json.dumps(answer.data).encode()
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = "application/json"
    response.content_length = len(body)
    await response.prepare(request)
    try:
        for byte in body:
            await response.write(bytes([byte]))
            await asyncio.sleep(drip_s)
    except ConnectionError:
        return response  # The receiver has given up.
    await response.write_eof()
    return response
