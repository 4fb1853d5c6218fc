"""The guarantees of every object store, in a bucket, below a prefix or in a folder, and its
behaviour when the service fails.
"""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.domain.errors import ObjectMissing, ObjectStoreUnavailable, StoreUnavailable
from storage.objects.object_store import ObjectStore
from storage.objects.store_address import Patience
from storage.objects.store_opening import open_object_store
from tests.support.object_stores import BUCKET, make_bucket, s3_service, variables
from tests.support.tls_servers import make_certificate

KINDS = ("bucket", "prefix", "folder")
HASTY = Patience(
    connect=timedelta(seconds=1),
    request=timedelta(seconds=1),
    repeats=timedelta(seconds=1),
    max_repeats=1,
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_service() as endpoint:
        yield endpoint


@pytest.fixture(params=KINDS)
async def store(
    request: pytest.FixtureRequest, endpoint: str, tmp_path: Path
) -> AsyncIterator[ObjectStore]:
    folder = tmp_path / "share"
    folder.mkdir()
    urls = {"bucket": f"s3://{BUCKET}", "prefix": f"s3://{BUCKET}/a/b", "folder": folder.as_uri()}
    store = open_object_store(urls[request.param], variables(endpoint))
    await store.prepare("ours")
    yield store
    await store.remove_under("jobs")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song"
    path.write_bytes(os.urandom(1000))
    return path


async def test_files_come_back_as_they_were(store: ObjectStore, song: Path, tmp_path: Path):
    await store.put(song, "jobs/k7f2q/input")
    await store.get("jobs/k7f2q/input", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == song.read_bytes()
    assert await store.size("jobs/k7f2q/input") == 1000


@pytest.mark.parametrize("size", [0, 1, 5 << 20, (11 << 20) + 7])
async def test_files_of_any_number_of_parts_come_back(
    store: ObjectStore, song: Path, tmp_path: Path, size: int
):
    song.write_bytes(os.urandom(size))
    await store.put(song, "jobs/k7f2q/input")
    await store.get("jobs/k7f2q/input", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == song.read_bytes()
    assert await store.size("jobs/k7f2q/input") == size


async def test_a_probe_leaves_nothing(store: ObjectStore):
    await store.probe()
    assert [key for key in await store.keys_under("") if "probe" in key] == []


async def test_a_range_is_read_in_parts(store: ObjectStore, song: Path):
    content = os.urandom((11 << 20) + 7)
    song.write_bytes(content)
    await store.put(song, "jobs/k7f2q/input")
    for start, end in ((0, 10), (5_000_000, 11_000_000), (11 << 20, len(content)), (3, 3)):
        found = [part async for part in store.parts("jobs/k7f2q/input", start, end)]
        assert b"".join(found) == content[start:end]
    with pytest.raises(ObjectMissing):
        await anext(store.parts("jobs/k7f2q/none", 0, 1))


async def test_an_object_is_replaced(store: ObjectStore, song: Path, tmp_path: Path):
    await store.put(song, "jobs/k7f2q/input")
    song.write_bytes(b"other")
    await store.put(song, "jobs/k7f2q/input")
    await store.get("jobs/k7f2q/input", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"other"


async def test_an_object_is_copied(store: ObjectStore, song: Path, tmp_path: Path):
    await store.put(song, "jobs/a/song")
    for _ in range(2):
        await store.copy("jobs/a/song", "jobs/b/again")
    await store.remove("jobs/a/song")
    await store.get("jobs/b/again", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == song.read_bytes()
    with pytest.raises(ObjectMissing):
        await store.copy("jobs/a/song", "jobs/c/song")
    assert await store.size("jobs/c/song") is None


async def test_a_missing_object_is_missing(store: ObjectStore, tmp_path: Path):
    with pytest.raises(ObjectMissing):
        await store.get("jobs/k7f2q/input", tmp_path / "back")
    assert await store.size("jobs/k7f2q/input") is None
    assert not (tmp_path / "back").exists()


async def test_a_missing_file_is_not_put(store: ObjectStore, tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        await store.put(tmp_path / "none", "jobs/k7f2q/input")
    assert await store.size("jobs/k7f2q/input") is None


async def test_prefixes_are_whole_segments(store: ObjectStore, song: Path):
    for key in ("jobs/k7/input", "jobs/k7/masters/vocals.flac", "jobs/k7f2q/input"):
        await store.put(song, key)
    assert await store.keys_under("jobs/k7") == ["jobs/k7/input", "jobs/k7/masters/vocals.flac"]
    assert await store.folders_under("jobs") == ["k7", "k7f2q"]
    await store.remove_under("jobs/k7")
    assert await store.keys_under("jobs") == ["jobs/k7f2q/input"]


async def test_removing_is_repeatable(store: ObjectStore, song: Path):
    await store.put(song, "jobs/k7f2q/input")
    for _ in range(2):
        await store.remove("jobs/k7f2q/input")
        await store.remove_under("jobs/k7f2q")
    assert await store.keys_under("jobs") == []
    assert await store.folders_under("jobs") == []


async def test_a_thousand_objects_are_listed_and_removed(endpoint: str, song: Path):
    store = open_object_store(f"s3://{BUCKET}/many", variables(endpoint))
    await store.prepare("ours")
    keys = [f"jobs/{number:04}/input" for number in range(1100)]
    for start in range(0, len(keys), 100):
        await asyncio.gather(*(store.put(song, key) for key in keys[start : start + 100]))
    assert await store.folders_under("jobs") == [key.split("/")[1] for key in keys]
    await store.remove_under("jobs")
    assert await store.keys_under("jobs") == []


async def test_two_puts_of_one_key_leave_one_of_them(
    store: ObjectStore, song: Path, tmp_path: Path
):
    other = tmp_path / "other"
    other.write_bytes(os.urandom(6 << 20))
    song.write_bytes(os.urandom(6 << 20))
    await asyncio.gather(store.put(song, "jobs/a/b"), store.put(other, "jobs/a/b"))
    await store.get("jobs/a/b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() in {song.read_bytes(), other.read_bytes()}


async def test_a_missing_bucket_is_not_a_missing_object(endpoint: str, song: Path, tmp_path: Path):
    store = open_object_store("s3://none", variables(endpoint))
    calls = (
        store.prepare("ours"),
        store.probe(),
        store.check(),
        store.put(song, "jobs/a/b"),
        store.get("jobs/a/b", tmp_path / "back"),
        store.size("jobs/a/b"),
        store.remove("jobs/a/b"),
        store.remove_under("jobs"),
        store.keys_under("jobs"),
        store.folders_under("jobs"),
    )
    for result in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(result, ObjectStoreUnavailable), result
    make_bucket(endpoint, "none")
    await store.prepare("ours")
    assert await store.size("jobs/a/b") is None


async def test_a_service_that_refuses_connections_is_waited_for(song: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = open_object_store(f"s3://{BUCKET}", variables(f"http://127.0.0.1:{port}"))
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="cannot be reached") as first:
        await store.put(song, "jobs/a/b")
    assert time.monotonic() - began < 10
    with pytest.raises(StoreUnavailable) as second:
        await store.size("jobs/other/c")
    assert str(first.value) == str(second.value)  # repeated failures must not fill the log


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
async def test_a_certificate_that_is_not_accepted_is_named_with_its_setting(tmp_path: Path):
    certificate = make_certificate(tmp_path, "localhost")

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=certificate.server_context())
    service = variables(f"https://localhost:{server.sockets[0].getsockname()[1]}")
    store = open_object_store(f"s3://{BUCKET}", service, patience=HASTY)
    with pytest.raises(StoreUnavailable, match=r"certificate .* not accepted; .* SSL_CERT_FILE"):
        await store.probe()
    server.close()


async def test_a_silent_service_is_given_up(song: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        service = variables(f"http://127.0.0.1:{port}")
        store = open_object_store(f"s3://{BUCKET}", service, patience=HASTY)
        for call in (store.put(song, "jobs/a/b"), store.get("jobs/a/b", tmp_path / "back")):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await call
            assert time.monotonic() - began < 5


async def test_a_slow_service_needs_only_one_part_within_the_limit(tmp_path: Path):
    size, limit_s, bytes_a_second = 16 << 20, 2.5, 5 << 20
    with _slow_service(size, bytes_a_second) as endpoint:
        patience = Patience(
            request=timedelta(seconds=limit_s), repeats=timedelta(seconds=limit_s), max_repeats=1
        )
        store = open_object_store(f"s3://{BUCKET}", variables(endpoint), patience=patience)
        began = time.monotonic()
        await store.get("jobs/a/b", tmp_path / "back")
        assert time.monotonic() - began > limit_s
    assert (tmp_path / "back").stat().st_size == size


@contextmanager
def _slow_service(size: int, bytes_a_second: int) -> Iterator[str]:
    """Serve one object of zeros, a block of it at a time."""
    block = 64 << 10

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._begin(200, size)

        def do_GET(self) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
            assert asked is not None
            start, end = int(asked[1]), int(asked[2]) + 1
            self._begin(206, end - start, **{"Content-Range": f"bytes {start}-{end - 1}/{size}"})
            for _ in range(start, end, block):
                self.wfile.write(bytes(min(block, end - start)))
                time.sleep(block / bytes_a_second)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _begin(self, status: int, length: int, **headers: str) -> None:
            self.send_response(status)
            common = {"Content-Length": str(length), "ETag": '"1"'}
            for name, value in {**common, "Last-Modified": formatdate(0, usegmt=True)}.items():
                self.send_header(name, value)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
    thread.join(5)


@pytest.mark.parametrize("status", ["403 Forbidden", "503 Slow Down"])
async def test_a_service_that_refuses_says_why(song: Path, status: str):
    body = "<Error><Code>SignatureDoesNotMatch</Code></Error>"
    with _answering(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}") as endpoint:
        store = open_object_store(f"s3://{BUCKET}", variables(endpoint), patience=HASTY)
        with pytest.raises(StoreUnavailable, match=f"{status[:3]}.*SignatureDoesNotMatch"):
            await store.put(song, "jobs/a/b")


@contextmanager
def _answering(answer: str) -> Iterator[str]:
    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer.encode())

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


_PUT = """
import asyncio, sys
from pathlib import Path
from storage.objects.store_opening import open_object_store
from tests.support.object_stores import variables

async def main():
    store = open_object_store(sys.argv[1], variables(sys.argv[2]))
    print("putting", flush=True)
    await store.put(Path(sys.argv[3]), "jobs/k7f2q/input")
    print("put", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_a_killed_put_leaves_no_object(kind: str, endpoint: str, tmp_path: Path):
    share = tmp_path / "share"
    share.mkdir()
    url = f"s3://{BUCKET}/killed" if kind == "bucket" else share.as_uri()
    store = open_object_store(url, variables(endpoint))
    asyncio.run(store.prepare("ours"))
    song = tmp_path / "song"
    with song.open("wb") as file:
        file.truncate(400 << 20)
    child = subprocess.Popen(
        [sys.executable, "-c", _PUT, url, endpoint, str(song)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "putting\n"
    time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    assert child.communicate()[0] == ""
    assert asyncio.run(store.keys_under("jobs")) == []
    assert asyncio.run(store.size("jobs/k7f2q/input")) is None
    song.write_bytes(b"again")
    asyncio.run(store.put(song, "jobs/k7f2q/input"))
    assert asyncio.run(store.size("jobs/k7f2q/input")) == 5


_BIG = """
import asyncio, resource, sys
from pathlib import Path
from storage.objects.store_opening import open_object_store
from tests.support.object_stores import variables

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def main():
    store = open_object_store(sys.argv[1], variables(sys.argv[2]))
    small = Path(sys.argv[3]).with_name("small")
    small.write_bytes(b"x")
    await store.prepare("ours")
    await store.put(small, "jobs/big/small")
    await store.get("jobs/big/small", small)
    before = used()
    await store.put(Path(sys.argv[3]), "jobs/big/input")
    between = used()
    await store.get("jobs/big/input", Path(sys.argv[3]).with_name("back"))
    print(between - before, used() - before)

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_memory_does_not_grow_with_the_object(kind: str, endpoint: str, tmp_path: Path):
    share = tmp_path / "share"
    share.mkdir()
    url = f"s3://{BUCKET}/big" if kind == "bucket" else share.as_uri()
    song = tmp_path / "song"
    with song.open("wb") as file:
        file.truncate(200 << 20)
    found = subprocess.run(
        [sys.executable, "-c", _BIG, url, endpoint, str(song)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    put_mib, both_mib = map(int, found.stdout.split())
    assert put_mib < 60
    assert both_mib < 90
    assert (tmp_path / "back").stat().st_size == 200 << 20
    asyncio.run(open_object_store(url, variables(endpoint)).remove_under("jobs"))
