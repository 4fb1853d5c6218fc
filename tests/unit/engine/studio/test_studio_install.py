"""Fetching the studio's files, from a server on this machine."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console

from bot.cli.commands.studio_models import fetch_accepted, studio
from bot.config import SettingsError, load_settings
from bot.engine.studio.studio_catalogue import read_catalogue
from bot.engine.studio.studio_install import lacking
from tests.support.studio_catalogues import MODELS, NETWORKS, write_catalogue


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def weights(tmp_path):
    """A folder that is served, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def models_dir(tmp_path, weights, monkeypatch):
    """A catalogue whose files are only at their addresses."""
    folder, address = weights
    path = write_catalogue(tmp_path / "models", NETWORKS, MODELS)
    path.write_text(path.read_text().replace("https://weights.example", address))
    for network in NETWORKS:
        (tmp_path / f"models/studio/{network.name}.ckpt").rename(folder / network.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEMCORD_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def said():
    return Console(record=True, width=200)


def lacks(models_dir):
    return {
        file.path.name
        for model in read_catalogue(models_dir).models
        for network in model.networks
        for file in lacking(network)
    }


def test_only_what_was_accepted_is_fetched_with_its_terms_beside_it(models_dir, monkeypatch, said):
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "karaoke")
    fetch_accepted(load_settings(), said)
    assert lacks(models_dir) == {"six.ckpt", "dry.ckpt", "band.ckpt"}
    assert (models_dir / "studio/voice.ckpt.LICENSE.txt").read_text() == "A stand-in.\n\n"
    assert "A stand-in." in said.export_text()


def test_nothing_is_fetched_unasked(models_dir, said):
    fetch_accepted(load_settings(), said)
    assert len(lacks(models_dir)) == len(NETWORKS)
    assert said.export_text() == ""


def test_a_file_that_is_not_the_pinned_one_is_not_kept(models_dir, weights, monkeypatch, said):
    content = (weights[0] / "voice").read_bytes()
    (weights[0] / "voice").write_bytes(content[:-1] + b" ")
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "duet")
    fetch_accepted(load_settings(), said)
    assert "is not the file that was pinned (its hash differs)" in said.export_text()
    assert "voice.ckpt" in lacks(models_dir)
    assert not list((models_dir / "studio").glob("voice*"))


def test_a_file_that_is_whole_is_not_fetched_again(models_dir, weights, monkeypatch, said):
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "duet")
    fetch_accepted(load_settings(), said)
    (weights[0] / "voice").unlink()
    fetch_accepted(load_settings(), said)
    assert "voice.ckpt" not in lacks(models_dir)


def test_a_name_that_no_model_has_is_an_error(models_dir, monkeypatch, said):
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "duett")
    with pytest.raises(SettingsError, match=r"^STEMCORD_STUDIO_ACCEPT: "):
        fetch_accepted(load_settings(), said)


def test_the_command_shows_the_terms_and_what_was_accepted(models_dir, monkeypatch, said):
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", "duet")
    assert studio(load_settings(), said) == 0
    text = said.export_text()
    assert "accepted, not fetched" in text
    assert "A stand-in." in text
