"""`python -m bot models` fetches the networks of the studio's accepted models, over HTTP."""

import functools
import io
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console

from bot.cli.commands.models import models
from bot.config import SettingsError, load_settings
from bot.domain.errors import ModelUnavailable
from tests.support.studio_catalogues import DUET, KARAOKE, LEAD, VOICE, write_catalogue


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        return


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def site(tmp_path):
    """A web server with the networks' files, and a catalogue that names their addresses."""
    files = tmp_path / "site"
    files.mkdir()
    handler = functools.partial(QuietHandler, directory=files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield files, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def studio(site, tmp_path, monkeypatch):
    """The studio's folder, with a catalogue whose files are on the site only."""
    files, address = site
    folder = tmp_path / "models" / "studio"
    catalogue = write_catalogue(tmp_path / "models", (VOICE, LEAD), (DUET, KARAOKE))
    catalogue.write_text(catalogue.read_text().replace("https://weights.example/", f"{address}/"))
    for network in (VOICE, LEAD):
        (folder / f"{network.name}.ckpt").rename(files / network.name)
    monkeypatch.setenv("STEMCORD_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("STEMCORD_PROVIDERS", "studio")
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "duet")
    monkeypatch.setenv("PATH", str(tmp_path))  # without npm
    return folder


def fetch(console):
    return models(load_settings(None), console)


def test_the_networks_of_accepted_models_are_fetched_with_their_notice(studio, console):
    assert fetch(console) == 0
    assert (studio / "voice.ckpt").read_bytes() == VOICE.checkpoint()
    assert (studio / "voice.LICENSE.txt").read_text() == "A stand-in.\n"
    assert "A stand-in." in console.file.getvalue()
    assert {path.name for path in studio.iterdir()} == {
        "models.toml",
        "voice.ckpt",
        "voice.LICENSE.txt",
    }


def test_what_is_there_is_not_fetched_again(studio, console, site):
    fetch(console)
    (site[0] / "voice").unlink()
    fetch(console)
    assert console.file.getvalue().count("Downloading Voice") == 1


def test_a_network_that_two_models_share_is_fetched_once(studio, console, monkeypatch):
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "duet,karaoke")
    fetch(console)
    assert console.file.getvalue().count("Downloading Voice") == 1
    assert (studio / "lead.ckpt").read_bytes() == LEAD.checkpoint()


def test_nothing_is_fetched_that_was_not_accepted(studio, console, monkeypatch):
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "")
    fetch(console)
    assert {path.name for path in studio.iterdir()} == {"models.toml"}


def test_an_exchanged_file_is_refused(studio, console, site):
    content = VOICE.checkpoint()
    (site[0] / "voice").write_bytes(content.replace(b"1", b"2"))
    with pytest.raises(ModelUnavailable, match="hash differs"):
        fetch(console)
    assert not (studio / "voice.ckpt").exists()


def test_a_name_that_the_catalogue_lacks_is_said(studio, console, monkeypatch):
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "everything")
    with pytest.raises(SettingsError, match="duet, karaoke"):
        fetch(console)


def test_a_damaged_catalogue_is_said(studio, console):
    (studio / "models.toml").write_text("[[network]")
    with pytest.raises(ModelUnavailable, match="catalogue cannot be used"):
        fetch(console)
