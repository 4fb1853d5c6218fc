"""What a vendor answers, and the ways in which an answer can fail to arrive."""

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
    """An answer as the vendor means it; `reference` and `outcome` are for its log."""

    data: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    outcome: str = "answered"


async def deliver(
    request: web.Request, answer: Answer, mode: Mode, *, drip_s: float
) -> web.StreamResponse:
    """Send an answer, or what the mode makes of it."""
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
    """Break the connection at once, so that the other side sees a reset and not an end."""
    transport = request.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response(status=500)


def mistyped(data: Any) -> Any:
    """Put every value into a list, where a list is not expected."""
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
        return response  # The receiver's patience has ended.
    await response.write_eof()
    return response
