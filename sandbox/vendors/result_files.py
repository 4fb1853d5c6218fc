"""A vendor's storage, which serves results at signed, expiring addresses."""

import asyncio
import hashlib
import hmac
import secrets
import shutil
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.vendors.audio_files import CONTENT_TYPES
from sandbox.vendors.modes import Mode

LIFETIME_S: Final = 24 * 3600
_MIB: Final = 1 << 20
_ENDLESS_MIB: Final = 4096
_BOMB_MIB: Final = 1024


class ResultFiles:
    """Stores results as `<task>/<name>` in one folder, and signs their addresses."""

    def __init__(self, *, folder: Path, clock: SandboxClock) -> None:
        self.lifetime_s = LIFETIME_S
        self._folder = folder
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def make_folder(self, task_id: str) -> Path:
        """Return a new folder for one task's files."""
        folder = self._folder / task_id
        folder.mkdir(parents=True)
        return folder

    def remove(self, task_id: str) -> None:
        """Delete a task's files. Their addresses answer 404 from now on."""
        shutil.rmtree(self._folder / task_id, ignore_errors=True)

    def query(self, task_id: str, name: str, *, is_expired: bool = False) -> dict[str, str]:
        """Return the signed query of a file's address, valid or already expired."""
        now = int(self._clock.now())
        expires = str(now - 1 if is_expired else now + self.lifetime_s)
        return {"Expires": expires, "Signature": self._signature(task_id, name, expires)}

    def find(self, request: web.Request) -> Path | None:
        """Return the file at an address, or None if the address is expired or forged."""
        task_id, name = request.match_info["task"], request.match_info["name"]
        expires = request.query.get("Expires", "")
        signature = self._signature(task_id, name, expires)
        if not hmac.compare_digest(signature, request.query.get("Signature", "")):
            return None
        return self._folder / task_id / name if int(expires) > self._clock.now() else None

    def _signature(self, task_id: str, name: str, expires: str) -> str:
        text = f"{task_id}/{name}?{expires}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


async def send(request: web.Request, path: Path, mode: Mode) -> web.StreamResponse:
    """Send a result, altered according to the mode."""
    content_type = CONTENT_TYPES[path.suffix.removeprefix(".")]
    match mode:
        case Mode.TRUNCATED_RESULT:
            return await _send_half(request, path, content_type)
        case Mode.OVERSIZE_RESULT:
            return await _stream(request, _endless(path), {"Content-Type": content_type})
        case Mode.GZIP_BOMB:
            headers = {"Content-Type": content_type, "Content-Encoding": "gzip"}
            return await _stream(request, _bomb(), headers)
        case Mode.WRONG_CONTENT_TYPE:
            content_type = "text/html"
        case _:
            pass
    return web.FileResponse(path, headers={"Content-Type": content_type})


async def _send_half(request: web.Request, path: Path, content_type: str) -> web.StreamResponse:
    content = await asyncio.to_thread(path.read_bytes)
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.content_length = len(content)
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()  # Data already written still arrives.
    return response


async def _stream(
    request: web.Request, content: AsyncIterator[bytes], headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    try:
        async for piece in content:
            await response.write(piece)
    except ConnectionError:
        return response  # The receiver hung up, as expected.
    await response.write_eof()
    return response


async def _endless(path: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(path.read_bytes)
    silence = bytes(_MIB)
    for _ in range(_ENDLESS_MIB):
        yield silence


async def _bomb() -> AsyncIterator[bytes]:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    silence = bytes(16 * _MIB)
    for _ in range(_BOMB_MIB // 16):
        yield await asyncio.to_thread(packer.compress, silence)
    yield packer.flush()
