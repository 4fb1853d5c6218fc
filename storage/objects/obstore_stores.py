"""The object stores that obstore opens: a bucket of an S3 service, and a shared folder."""

import asyncio
import logging
import os
import re
import secrets
import shutil
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import LocalStore, S3Store

from bot.domain.errors import InvalidObjectStore, ObjectMissing, ObjectStoreUnavailable
from storage.files.atomic import fsync, write_aside
from storage.objects.object_store import MARKER, ForeignObjectStore, ObjectStore
from storage.objects.store_address import Bucket, Patience

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig
    from obstore.store import ObjectStore as Obstore

log = logging.getLogger(__name__)

PART_BYTES: Final = 5 * 1024 * 1024
"""S3's least size of a part; 10,000 parts at most make 48 GiB."""
PARTS_AT_ONCE: Final = 2
"""obstore's own twelve would hold 60 MiB for each file."""
_PROBE: Final = "probe"
_STATUS = re.compile(r"status code: (\d{3}[\w ]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


class _ObstoreStore(ObjectStore):
    """What buckets and folders have in common."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The store's address."""
        return self._name

    @abstractmethod
    def _open(self) -> "Obstore":
        """Return obstore's store, within `_translated`."""

    async def prepare(self, owner: str) -> None:
        """Write the marker, with its owner in it."""
        found = await self._owner()
        if found not in {None, owner}:
            raise ForeignObjectStore(
                f"The object store {self._name} belongs to another database. Choose another prefix "
                f"in STEMCORD_OBJECT_STORE, or delete its {MARKER} if that database is gone."
            )
        try:
            with self._translated():
                await obstore.put_async(self._open(), MARKER, f"{owner}\n".encode())
        except ObjectMissing:  # a put misses nothing but the bucket
            raise self._missing() from None

    async def probe(self) -> None:
        """Write, read and remove an object."""
        key, content = f"{_PROBE}-{secrets.token_hex(8)}", secrets.token_bytes(1024)
        try:
            with self._translated():
                store = self._open()
                await obstore.put_async(store, key, content)
                found = await obstore.get_async(store, key)
                is_whole = bytes(await found.bytes_async()) == content
                await obstore.delete_async(store, key)
        except ObjectMissing:
            raise self._missing() from None
        if not is_whole:
            raise ObjectStoreUnavailable(f"the object store {self._name} returns other content")

    async def check(self) -> None:
        """Return if the marker is there."""
        try:
            with self._translated():
                await obstore.head_async(self._open(), MARKER)
        except ObjectMissing:
            raise ObjectStoreUnavailable(
                f"the object store {self._name} is not there, or has lost its {MARKER}"
            ) from None

    async def put(self, path: Path, key: str) -> None:
        """Send a file in parts."""
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        try:
            with self._translated():
                store = self._open()
                await obstore.put_async(
                    store, key, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
                )
                stored = await obstore.head_async(store, key)
        except ObjectMissing:
            await asyncio.to_thread(path.stat)  # the file itself may have been removed meanwhile
            raise self._missing() from None
        if stored["size"] != size_bytes:
            raise ObjectStoreUnavailable(f"the object store {self._name} has kept a part of a file")

    async def get(self, key: str, into: Path) -> None:
        """Fetch an object in parts, so that a slow connection needs no longer request."""
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
        with self._translated():
            found = await obstore.list(self._open(), prefix, chunk_size=1000).collect_async()
        return sorted(each["path"] for each in found)

    async def folders_under(self, prefix: str) -> Sequence[str]:
        """List the segments, without the objects below them."""
        with self._translated():
            found = await obstore.list_with_delimiter_async(self._open(), prefix)
        return sorted(each.rsplit("/", 1)[-1] for each in found["common_prefixes"])

    async def remove_under(self, prefix: str) -> None:
        """Remove the objects, 1,000 in a request."""
        if keys := await self.keys_under(prefix):
            with self._translated():
                await obstore.delete_async(self._open(), keys)

    async def remove(self, key: str) -> None:
        """Remove an object."""
        try:
            with self._translated():
                await obstore.delete_async(self._open(), key)
        except ObjectMissing:
            await self.check()

    async def _head(self, key: str) -> "ObjectMeta | None":
        """Return what is known of an object; None only if the store is there without it."""
        try:
            with self._translated():
                return await obstore.head_async(self._open(), key)
        except ObjectMissing:
            await self.check()
            return None

    async def _known(self, key: str) -> "ObjectMeta":
        about = await self._head(key)
        if about is None:
            raise ObjectMissing(key)
        return about

    async def _owner(self) -> str | None:
        """Return the marker's owner; None if there is no marker, or no store."""
        try:
            with self._translated():
                found = await obstore.get_async(self._open(), MARKER)
                return bytes(await found.bytes_async()).decode(errors="replace").strip()
        except ObjectMissing:
            return None

    async def _parts(self, about: "ObjectMeta", start: int, end: int) -> AsyncIterator[bytes]:
        for begin in range(start, end, PART_BYTES):
            yield await self._part(about, begin, min(begin + PART_BYTES, end))

    async def _part(self, about: "ObjectMeta", start: int, end: int) -> bytes:
        try:
            with self._translated():
                found = await obstore.get_async(
                    self._open(),
                    about["path"],
                    options={"range": (start, end), "if_match": about["e_tag"]},
                )
                part = bytes(await found.bytes_async())
        except ObjectMissing:
            await self.check()
            raise
        if len(part) != end - start:
            raise ObjectStoreUnavailable(f"the object store {self._name} sent a part of an object")
        return part

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise obstore's errors as ours. A text is the same at each try, and quotes no key."""
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

    def _missing(self) -> ObjectStoreUnavailable:
        return ObjectStoreUnavailable(f"the object store {self._name} does not exist")


class BucketStore(_ObstoreStore):
    """A bucket, or a prefix of one, at a service that speaks S3."""

    def __init__(self, bucket: Bucket, patience: Patience) -> None:
        """Open the bucket without connecting to it. Raises InvalidObjectStore."""
        super().__init__(f"s3://{bucket.name}/{bucket.prefix}".rstrip("/"))
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            # obstore reads the environment by itself, and panics over an empty address.
            if os.environ.get(name) == "":
                del os.environ[name]
        try:
            self._store = S3Store(
                bucket.name,
                prefix=bucket.prefix or None,
                config=dict(bucket.config),  # type: ignore[arg-type] # names of variables
                client_options=_client_options(bucket, patience),
                retry_config={
                    "max_retries": patience.max_repeats,
                    "retry_timeout": patience.repeats,
                },
            )
        except (BaseError, ValueError) as exc:
            log.debug("%s: %s", self._name, exc)
            # Without its cause, which quotes the variables.
            raise InvalidObjectStore("expected AWS_* variables that fit together") from None

    def _open(self) -> "Obstore":
        return self._store

    async def remove_under(self, prefix: str) -> None:
        """Remove the objects; what is gone already is no error of S3."""
        try:
            await super().remove_under(prefix)
        except ObjectMissing:
            raise self._missing() from None


class FolderStore(_ObstoreStore):
    """A folder that the operator has made, on a disk that every machine has mounted."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"file://{path}")
        self._path = path

    def _open(self) -> "Obstore":
        if not self._path.is_dir():  # obstore would make a folder where nothing is mounted
            raise self._missing()
        return LocalStore(self._path, automatic_cleanup=True)

    async def put(self, path: Path, key: str) -> None:
        """Copy a file, and sync it to disk."""
        await self.check()
        await super().put(path, key)
        with self._translated():
            await asyncio.to_thread(_sync, self._path / key)

    async def remove_under(self, prefix: str) -> None:
        """Remove the folder, with what a killed process has left in it half-written.

        Raises ValueError for a prefix that leads elsewhere.
        """
        if not prefix or {"", ".", ".."} & {*prefix.split("/")}:
            raise ValueError(f"not a prefix: {prefix!r}")
        with self._translated():
            self._open()
            with suppress(FileNotFoundError):
                await asyncio.to_thread(shutil.rmtree, self._path / prefix)


def _client_options(bucket: Bucket, patience: Patience) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": patience.connect,
        "timeout": patience.request,
        "allow_http": bucket.allow_http,
    }
    if bucket.certificates is not None:
        try:
            options["root_certificate"] = bucket.certificates.read_bytes()
        except OSError:
            raise InvalidObjectStore("SSL_CERT_FILE: expected readable certificates") from None
    return options


@contextmanager
def _draft(target: Path) -> Iterator[IO[bytes]]:
    """Yield an open file that is renamed to `target` if the block succeeds."""
    with write_aside(target, durable=False) as path, path.open("wb") as file:
        yield file


def _sync(path: Path) -> None:
    fsync(path)
    fsync(path.parent)


def _why(error: Exception) -> str:
    text = str(error)
    if found := _STATUS.search(text):
        code = _CODE.search(text)
        return f"answers {found[1].strip()}{f' ({code[1]})' if code else ''}"
    if found := _OS_ERROR.search(text):
        return f"cannot be used: {os.strerror(int(found[1]))}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be used: {error.strerror}"
    if "HTTP error" in text or "error sending request" in text:
        return "cannot be reached, or does not answer in time"
    return f"cannot be used: {type(error).__name__}"
