"""What buckets and folders have in common: calls to obstore, and translated errors."""

import asyncio
import logging
import os
import re
import secrets
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, PreconditionError

from bot.domain.errors import ObjectMissing, ObjectStoreUnavailable
from storage.files.atomic import write_aside
from storage.objects.object_store import MARKER, ForeignObjectStore, ObjectStore

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Obstore

log = logging.getLogger(__name__)

PART_BYTES: Final = 5 * 1024 * 1024
"""S3's minimum size of a part. It allows 10,000 parts, which make 48 GiB."""
PARTS_AT_ONCE: Final = 2
"""obstore's default of twelve would take 60 MiB for each file."""
_PROBE: Final = "probe"
_STATUS = re.compile(r"status code: (\d{3}[\w ]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


class ObstoreStore(ObjectStore):
    """An object store that obstore reads and writes."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The store's address."""
        return self._name

    @abstractmethod
    def open(self) -> "Obstore":
        """Return obstore's store, within `translated`."""

    async def prepare(self, owner: str) -> None:
        """Write the marker, which contains its owner."""
        found = await self._owner()
        if found not in {None, owner}:
            raise ForeignObjectStore(
                f"The object store {self._name} belongs to another database. Choose another prefix "
                f"in STEMCORD_OBJECT_STORE, or delete its {MARKER} if that database is gone."
            )
        try:
            with self.translated():
                await obstore.put_async(self.open(), MARKER, f"{owner}\n".encode())
        except ObjectMissing:  # a put only needs the bucket
            raise self.missing() from None

    async def probe(self) -> None:
        """Write, read and remove an object."""
        key, content = f"{_PROBE}-{secrets.token_hex(8)}", secrets.token_bytes(1024)
        try:
            with self.translated():
                store = self.open()
                await obstore.put_async(store, key, content)
                found = await obstore.get_async(store, key)
                is_whole = bytes(await found.bytes_async()) == content
                await obstore.delete_async(store, key)
        except ObjectMissing:
            raise self.missing() from None
        if not is_whole:
            raise ObjectStoreUnavailable(f"the object store {self._name} returns other content")

    async def check(self) -> None:
        """Raise ObjectStoreUnavailable unless the marker exists."""
        try:
            with self.translated():
                await obstore.head_async(self.open(), MARKER)
        except ObjectMissing:
            raise ObjectStoreUnavailable(
                f"the object store {self._name} is not there, or has lost its {MARKER}"
            ) from None

    async def put(self, path: Path, key: str) -> None:
        """Send a file in parts."""
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        try:
            with self.translated():
                store = self.open()
                await obstore.put_async(
                    store, key, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
                )
                stored = await obstore.head_async(store, key)
        except ObjectMissing:
            await asyncio.to_thread(path.stat)  # the file itself may have been removed by now
            raise self.missing() from None
        if stored["size"] != size_bytes:
            raise ObjectStoreUnavailable(
                f"the object store {self._name} stored only part of a file"
            )

    async def copy(self, key: str, to: str) -> None:
        """Have the store copy an object."""
        try:
            with self.translated():
                await obstore.copy_async(self.open(), key, to)
        except ObjectMissing:
            await self.check()
            raise

    async def get(self, key: str, into: Path) -> None:
        """Fetch an object in parts, so that each request is short even over a slow connection."""
        about = await self._known(key)
        with _draft(into) as file:
            async for part in self._parts(about, 0, about["size"]):
                await asyncio.to_thread(file.write, part)

    async def parts(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Fetch a range in parts, all of them from one version of the object."""
        about = await self._known(key)
        async for part in self._parts(about, start, min(end, about["size"])):
            yield part

    async def size(self, key: str) -> int | None:
        """Ask for an object's size."""
        about = await self._head(key)
        return None if about is None else about["size"]

    async def keys_under(self, prefix: str) -> Sequence[str]:
        """List the objects, 1,000 in a request."""
        with self.translated():
            found = await obstore.list(self.open(), prefix, chunk_size=1000).collect_async()
        return sorted(each["path"] for each in found)

    async def folders_under(self, prefix: str) -> Sequence[str]:
        """List the segments, without the objects below them."""
        with self.translated():
            found = await obstore.list_with_delimiter_async(self.open(), prefix)
        return sorted(each.rsplit("/", 1)[-1] for each in found["common_prefixes"])

    async def remove_under(self, prefix: str) -> None:
        """Remove the objects, 1,000 in a request."""
        if keys := await self.keys_under(prefix):
            with self.translated():
                await obstore.delete_async(self.open(), keys)

    async def remove(self, key: str) -> None:
        """Remove an object."""
        try:
            with self.translated():
                await obstore.delete_async(self.open(), key)
        except ObjectMissing:
            await self.check()

    async def _head(self, key: str) -> "ObjectMeta | None":
        """Return an object's metadata; None only if the store is available and lacks the object."""
        try:
            with self.translated():
                return await obstore.head_async(self.open(), key)
        except ObjectMissing:
            await self.check()
            return None

    async def _known(self, key: str) -> "ObjectMeta":
        about = await self._head(key)
        if about is None:
            raise ObjectMissing(key)
        return about

    async def _owner(self) -> str | None:
        """Return the marker's owner; None if there is no marker, or no store.

        A marker is empty if the machine crashed while writing it.
        """
        try:
            with self.translated():
                found = await obstore.get_async(self.open(), MARKER)
                return bytes(await found.bytes_async()).decode(errors="replace").strip() or None
        except ObjectMissing:
            return None

    async def _parts(self, about: "ObjectMeta", start: int, end: int) -> AsyncIterator[bytes]:
        for begin in range(start, end, PART_BYTES):
            yield await self._part(about, begin, min(begin + PART_BYTES, end))

    async def _part(self, about: "ObjectMeta", start: int, end: int) -> bytes:
        try:
            with self.translated():
                found = await obstore.get_async(
                    self.open(),
                    about["path"],
                    options={"range": (start, end), "if_match": about["e_tag"]},
                )
                part = bytes(await found.bytes_async())
        except ObjectMissing:
            await self.check()
            raise
        if len(part) != end - start:
            raise ObjectStoreUnavailable(
                f"the object store {self._name} sent only part of an object"
            )
        return part

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Translate obstore's errors. Repeated failures have equal texts, which contain no key."""
        try:
            yield
        except FileNotFoundError as exc:
            raise ObjectMissing(self._name) from exc
        except PreconditionError as exc:
            raise ObjectStoreUnavailable(
                f"an object in {self._name} was replaced while it was read"
            ) from exc
        except (BaseError, OSError) as exc:
            log.debug("%s: %s", self._name, exc)
            raise ObjectStoreUnavailable(f"the object store {self._name} {_why(exc)}") from exc

    def missing(self) -> ObjectStoreUnavailable:
        """Return the error for a bucket or a folder that does not exist."""
        return ObjectStoreUnavailable(f"the object store {self._name} does not exist")


@contextmanager
def _draft(target: Path) -> Iterator[IO[bytes]]:
    """Yield an open file that is renamed to `target` if the block succeeds."""
    with write_aside(target, durable=False) as path, path.open("wb") as file:
        yield file


def _why(error: Exception) -> str:
    text = str(error)
    if found := _STATUS.search(text):
        code = _CODE.search(text)
        return f"answers {found[1].strip()}{f' ({code[1]})' if code else ''}"
    if found := _OS_ERROR.search(text):
        return f"cannot be used: {os.strerror(int(found[1]))}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be used: {error.strerror}"
    if "InvalidCertificate" in text:
        return (
            "has a certificate that is not accepted; a company's own authority goes into "
            f"SSL_CERT_FILE, and today is {datetime.now(UTC):%Y-%m-%d} on this machine"
        )
    if "HTTP error" in text or "error sending request" in text:
        return "cannot be reached, or does not answer in time"
    return f"cannot be used: {type(error).__name__}"
