"""Object stores for tests: an S3 service on loopback, a folder, and one that can fail."""

import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.errors import ObjectStoreUnavailable
from storage.objects.object_store import ObjectStore
from storage.objects.store_opening import open_object_store

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer

BUCKET = "stems"


def variables(endpoint: str) -> Mapping[str, str]:
    return {
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key-of-the-tests",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
        "AWS_REGION": "us-east-1",
    }


class S3Service:
    """A service with one bucket. Its objects outlive a stop."""

    def __init__(self) -> None:
        self._server = self._started(port=0)
        host, self._port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{self._port}"
        make_bucket(self.endpoint, BUCKET)

    def stop(self) -> None:
        self._server.stop()

    def start_again(self) -> None:
        self._server = self._started(port=self._port)

    def _started(self, *, port: int) -> "ThreadedMotoServer":
        from moto.server import ThreadedMotoServer  # takes a while, and most tests use a folder

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        server.start()
        return server


@contextmanager
def s3_service() -> Iterator[str]:
    """Yield the address of a service with a bucket; all services of a process share its objects."""
    service = S3Service()
    try:
        yield service.endpoint
    finally:
        service.stop()


def make_bucket(endpoint: str, bucket: str) -> None:
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
    with urllib.request.urlopen(request, timeout=10):
        pass


def folder_store(share: Path) -> ObjectStore:
    share.mkdir(exist_ok=True)
    return open_object_store(share.as_uri(), {})


class LeavingStore(ObjectStore):
    """Passes calls on to another store, and fails those that the test names."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.calls: list[str] = []
        """The methods called so far, failed calls included."""
        self.is_away = False
        self.away_at: set[int] = set()
        """The numbers of calls that fail, counted from 0."""

    @property
    def name(self) -> str:
        return self._store.name

    async def prepare(self, owner: str) -> None:
        if self.is_away:
            raise ObjectStoreUnavailable("the object store is away")
        await self._store.prepare(owner)

    async def probe(self) -> None:
        self._note("probe")
        await self._store.probe()

    async def check(self) -> None:
        self._note("check")
        await self._store.check()

    async def put(self, path: Path, key: str) -> None:
        self._note("put")
        await self._store.put(path, key)

    async def copy(self, key: str, to: str) -> None:
        self._note("copy")
        await self._store.copy(key, to)

    async def get(self, key: str, into: Path) -> None:
        self._note("get")
        await self._store.get(key, into)

    async def parts(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        self._note("parts")
        async for part in self._store.parts(key, start, end):
            yield part

    async def size(self, key: str) -> int | None:
        self._note("size")
        return await self._store.size(key)

    async def keys_under(self, prefix: str) -> Sequence[str]:
        self._note("keys_under")
        return await self._store.keys_under(prefix)

    async def folders_under(self, prefix: str) -> Sequence[str]:
        self._note("folders_under")
        return await self._store.folders_under(prefix)

    async def remove_under(self, prefix: str) -> None:
        self._note("remove_under")
        await self._store.remove_under(prefix)

    async def remove(self, key: str) -> None:
        self._note("remove")
        await self._store.remove(key)

    def _note(self, call: str) -> None:
        number = len(self.calls)
        self.calls.append(call)
        if self.is_away or number in self.away_at:
            raise ObjectStoreUnavailable("the object store is away")
