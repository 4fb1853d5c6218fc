"""Reads request bodies, either JSON or a form with `payload_json` and `files[n]`."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import BodyPartReader, web

from sandbox.errors import DiscordError, FormErrors, Json
from sandbox.media import MediaStore
from sandbox.world import MIB

REQUEST_LIMIT_BYTES = 25 * MIB
MOST_FILES = 10
_CHUNK_BYTES = 256 * 1024
_FILE_FIELD = re.compile(r"files\[(\d{1,4})\]")


@dataclass(slots=True, kw_only=True)
class Received:
    """A file uploaded with a request."""

    name: str
    path: Path


@dataclass(slots=True, kw_only=True)
class Body:
    """The contents of a request, with files keyed by the number in their field's name."""

    payload: Json = field(default_factory=dict)
    files: dict[int, Received] = field(default_factory=dict)

    def discard(self) -> None:
        """Delete the files that were not stored."""
        for received in self.files.values():
            received.path.unlink(missing_ok=True)


def parse_object(raw: bytes) -> Json:
    """Parse a JSON object. Raises error `50109` for anything else."""
    try:
        parsed = json.loads(raw or b"{}")
    except ValueError as exc:
        raise DiscordError(50109) from exc
    if not isinstance(parsed, dict):
        raise DiscordError(50109)
    return parsed


class BodyReader:
    """Reads bodies, enforcing Discord's limits on files and on the whole request.

    A body that is too large is read to its end before it is refused. Otherwise a client that is
    still sending would see a broken connection instead of the 413.
    """

    def __init__(self, *, media: MediaStore) -> None:
        self._media = media

    @asynccontextmanager
    async def read(self, request: web.Request, *, file_limit_bytes: int) -> AsyncIterator[Body]:
        """Read a body. Raises DiscordError if it is malformed or too large.

        Files that are not stored by the end of the block are deleted.
        """
        body = Body()
        try:
            if request.content_type == "multipart/form-data":
                await self._read_form(request, body, file_limit_bytes)
            else:
                body.payload = await self._read_json(request)
            yield body
        finally:
            body.discard()

    async def _read_json(self, request: web.Request) -> Json:
        raw = await _read_all(request)
        if raw and request.content_type != "application/json":
            errors = FormErrors()
            errors.add("_misc", "CONTENT_TYPE_INVALID", "Expected application/json.")
            errors.raise_if_any()
        return parse_object(raw)

    async def _read_form(self, request: web.Request, body: Body, file_limit_bytes: int) -> None:
        total_bytes, is_too_large = 0, False
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            field_name = part.name or ""
            if field_name == "payload_json":
                body.payload = parse_object(await _read_part(part))
            elif match := _FILE_FIELD.fullmatch(field_name):
                received = Received(name=part.filename or "file", path=self._media.new_path())
                body.files[int(match[1])] = received
                size_bytes = await self.save(part, received.path, file_limit_bytes)
                total_bytes += size_bytes
                is_too_large |= size_bytes > file_limit_bytes
        if is_too_large or total_bytes > REQUEST_LIMIT_BYTES:
            raise DiscordError(40005)
        if len(body.files) > MOST_FILES:
            errors = FormErrors()
            errors.add("files", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_FILES} or fewer.")
            errors.raise_if_any()

    async def save(self, part: BodyPartReader, path: Path, limit_bytes: int) -> int:
        """Write a part to a file, up to the limit, and return the part's full size."""
        size_bytes = 0
        with path.open("wb") as file:
            while chunk := await part.read_chunk(_CHUNK_BYTES):
                size_bytes += len(chunk)
                if size_bytes <= limit_bytes:
                    file.write(chunk)
        return size_bytes


async def _read_all(request: web.Request) -> bytes:
    raw = bytearray()
    is_too_large = False
    async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
        is_too_large |= len(raw) + len(chunk) > REQUEST_LIMIT_BYTES
        if not is_too_large:
            raw += chunk
    if is_too_large:
        raise DiscordError(40005)
    return bytes(raw)


async def _read_part(part: BodyPartReader) -> bytes:
    raw = bytearray()
    while chunk := await part.read_chunk(_CHUNK_BYTES):
        raw += chunk
        if len(raw) > MIB:
            raise DiscordError(40005)
    return bytes(raw)
