"""`make bench` on a small data set, with small networks in real workers."""

import json
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from bench.separation import __main__ as separation
from bench.separation.dataset import KnownSong
from bench.separation.scnet_reference import small_graph
from bench.separation.studio_figures import studio_figures
from bot.domain.recipes import Stem
from bot.engine.model_catalogue import SCNET, SPLEETER
from bot.engine.weights import Weights
from tests.support.studio_catalogues import DUET, MODELS, NETWORKS, write_catalogue
from tests.unit.engine import nets

FRAMES = 30_000
SOURCES = ("vocals", "drums", "bass", "other")


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes((samples.T * 32_767).astype("<i2").tobytes())


@pytest.fixture
def dataset(tmp_path):
    """A folder like MUSDB18-HQ, with two songs of noise."""
    for number, name in enumerate(("B song", "A song")):
        folder = tmp_path / "MUSDB" / "test" / name
        folder.mkdir(parents=True)
        parts = [nets.song(FRAMES, seed=10 * number + k) / 8 for k in range(4)]
        for source, part in zip(SOURCES, parts, strict=True):
            write_wav(folder / f"{source}.wav", part)
        write_wav(folder / "mixture.wav", np.sum(parts, axis=0))
    return tmp_path / "MUSDB"


@pytest.fixture
def models_dir(tmp_path):
    folder = tmp_path / "models"
    for model, write in ((SPLEETER, nets.spleeter), (SCNET, small_graph)):
        weights = Weights(model, folder)
        with weights.workspace() as place:
            weights.install(write(place / "net.onnx"), notice="none")
    return folder


@pytest.fixture
def bench(dataset, models_dir, tmp_path, capsys):
    """Return a function that runs the benchmark and returns its status and each model's rows."""

    def run(*arguments, models="mixture,spleeter"):
        places = {"--dataset": dataset, "--models-dir": models_dir, "--models": models}
        told = [str(word) for pair in places.items() for word in pair]
        results = f"--results={tmp_path / 'scores.jsonl'}"
        status = separation.main([*told, results, "--measure=global", "--threads=1", *arguments])
        lines = capsys.readouterr().out.splitlines()
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line
        ]
        return status, {name: [row for row in rows if row[0] == name] for name in models.split(",")}

    return run


@pytest.fixture
def results(tmp_path):
    def read():
        return [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]

    return read


def test_every_model_is_compared_on_every_song(bench, results, models_dir):
    status, rows = bench(models="mixture,spleeter,scnet,htdemucs")
    assert status == 0
    for name in ("mixture", "spleeter", "scnet"):
        quality, cost = rows[name]
        assert quality[1] == "2"
        assert cost[0] == name
    assert float(rows["spleeter"][0][-1].removesuffix(" dBFS")) < -80
    assert rows["scnet"][1][8] == "2.00"
    assert Weights(SCNET, models_dir).path.exists()
    assert "not here: its file is not in" in rows["htdemucs"][0][-1]
    assert [(line["model"], line["song"]) for line in results()] == [
        (model, song) for model in ("mixture", "spleeter", "scnet") for song in ("A song", "B song")
    ]


def test_the_song_itself_scores_what_the_other_sources_leave(bench, results):
    bench(models="mixture")
    for line in results():
        assert line["global_sdr"]["vocals"] == pytest.approx(-10 * np.log10(3), abs=0.2)


def test_only_the_first_songs_by_name_are_taken(bench, results):
    bench("--songs=1", models="mixture")
    assert [line["song"] for line in results()] == ["A song"]


def test_a_later_run_goes_on_where_one_was_killed(bench, results, tmp_path):
    bench("--songs=1")
    file = tmp_path / "scores.jsonl"
    first, second = file.read_text().splitlines()
    known = json.loads(second)
    known["global_sdr"]["vocals"] = 77.0
    file.write_text(f"{first}\n{json.dumps(known)}\n{second[:40]}")
    _, rows = bench("--songs=1")
    assert rows["spleeter"][0][2].startswith("77.00")
    _, rows = bench()
    whole = [line for line in file.read_text().splitlines() if line.endswith("}")]
    assert len(whole) == 4
    assert rows["spleeter"][0][1] == "2"


def test_results_of_another_file_do_not_count(bench, results, models_dir):
    bench("--songs=1", models="spleeter")
    weights = Weights(SPLEETER, models_dir)
    with weights.workspace() as place:
        weights.install(nets.spleeter(place / "net.onnx", seed=5), notice="none")
    bench("--songs=1", models="spleeter")
    one, other = results()
    assert one["sha256"] != other["sha256"]


def test_a_song_that_fails_does_not_end_the_others(bench, results, models_dir):
    path = Weights(SPLEETER, models_dir).path
    path.write_bytes(bytes(path.stat().st_size))
    status, rows = bench(models="spleeter,mixture")
    assert status == 1
    assert rows["mixture"][0][1] == "2"
    assert {line["model"] for line in results()} == {"mixture"}


def test_a_model_of_the_studio_is_compared_once_it_is_accepted(bench, models_dir, monkeypatch):
    write_catalogue(models_dir, NETWORKS, MODELS)
    monkeypatch.setenv("STEMCORD_STUDIO_PYTHON", sys.executable)
    name = f"studio:{DUET.name}"
    _, rows = bench(models=name)
    assert rows[name][0][-1] == "not here: STEMCORD_STUDIO_ACCEPT does not name it"
    monkeypatch.setenv("STEMCORD_STUDIO_ACCEPT", DUET.name)
    status, rows = bench(models=name)
    assert (status, rows[name][0][1]) == (0, "2")
    assert "dBFS" in rows[name][0][-1]


@pytest.fixture
def clip(monkeypatch):
    """A clip of noise in place of the fetched one, and no checks after it."""
    parts = {Stem(name): nets.song(FRAMES, seed=k) / 8 for k, name in enumerate(SOURCES)}
    backing = np.sum([parts[stem] for stem in (Stem.DRUMS, Stem.BASS, Stem.OTHER)], axis=0)
    truth = parts | {Stem.INSTRUMENTAL: backing}
    song = KnownSong(name="clip", mixture=parts[Stem.VOCALS] + backing, truth=truth)
    monkeypatch.setattr(separation, "the_clip", lambda _: song)
    monkeypatch.setattr(separation, "checks", lambda **_: "")


def test_a_graph_shows_the_cost_of_a_model_that_is_not_here(clip, tmp_path, capsys):
    graph = small_graph(tmp_path / "random.onnx")
    options = ["--models=scnet", "--minutes=0.01", "--measure=global", "--threads=1"]
    folder = f"--models-dir={tmp_path / 'none'}"
    graphs = [f"--graph=scnet={each}" for each in (graph, tmp_path / "absent.onnx")]
    assert separation.main([*options, folder, *graphs]) == 0
    quality, cost = capsys.readouterr().out.split("Each cell")
    assert "| scnet | 0 | not here: its file is not in" in quality
    assert "random.onnx" not in quality
    (row,) = [line for line in cost.splitlines() if "random.onnx" in line]
    model, cpu, declared, *_, overlap, _ = [cell.strip() for cell in row.strip("|").split("|")]
    assert (model, declared, overlap) == ("scnet, random.onnx", "3.3", "2.00")
    assert float(cpu) > 0
    assert "scnet, absent.onnx | not here" in cost


def test_a_worker_of_the_studio_is_measured_without_torch():
    figures = studio_figures(python=Path(sys.executable), threads=1)
    assert figures.network == "a stand-in"
    assert figures.left_over_db < -150
    assert figures.files_left == 0
    assert figures.chunk_s > 0


def test_a_folder_without_songs_is_said(tmp_path, capsys):
    assert separation.main([f"--dataset={tmp_path}"]) == 2
    assert "has no folders with mixture.wav" in capsys.readouterr().err


def test_a_song_that_lacks_a_stem_is_said(dataset, capsys):
    (dataset / "test" / "A song" / "bass.wav").unlink()
    assert separation.main([f"--dataset={dataset}"]) == 2
    assert "lacks bass.wav" in capsys.readouterr().err
