"""Small RoFormers with random weights, where `.venv-studio` has what they need."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bot.domain.errors import EngineFailed, ModelUnavailable
from bot.domain.recipes import Stem
from bot.engine.studio.studio_catalogue import read_catalogue
from bot.engine.studio.studio_engine import StudioEngine
from tests.support.tiny_roformers import studio_run, write_roformer
from tests.unit.engine import nets

PYTHON = Path(".venv-studio/bin/python").absolute()
FRAMES = 110_250

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make studio TORCH=cpu was not run")

REFERENCE = """
import json, sys, importlib, numpy as np, torch, yaml
from types import SimpleNamespace
kind, folder, name, song, into = sys.argv[1:]
told = yaml.safe_load(open(f"{folder}/{name}.yaml"))
model = importlib.import_module(f"{kind}.utils").get_model_from_config(
    kind, SimpleNamespace(model=told["model"])
)
model.load_state_dict(torch.load(f"{folder}/{name}.ckpt", weights_only=True))
model.eval()
mix = torch.from_numpy(np.fromfile(song, "<f4").reshape(-1, 2).T.copy())
chunk = told["inference"]["chunk_size"]
step = chunk // told["inference"]["num_overlap"]
border = chunk - step
padded = torch.nn.functional.pad(mix, (border, border + chunk), mode="reflect")
window = torch.ones(chunk)
fade = torch.linspace(0, 1, chunk // 10)
window[: fade.numel()] = fade
window[-fade.numel():] *= fade.flip(0)
outputs = len(told["training"]["instruments"])
if told["training"]["target_instrument"] is not None:
    outputs = 1
result = torch.zeros(outputs, 2, padded.shape[-1])
weight = torch.zeros(padded.shape[-1])
with torch.inference_mode():
    for start in range(0, mix.shape[-1] + border, step):
        made = model(padded[None, :, start:start + chunk]).reshape(outputs, 2, chunk)
        result[..., start:start + chunk] += made * window
        weight[start:start + chunk] += window
made = (result / weight)[..., border:border + mix.shape[-1]]
np.save(into, made.numpy())
"""


def catalogue(models_dir, kind):
    return write_roformer(PYTHON, models_dir, kind)


def engine_of(found, device="cpu"):
    return StudioEngine(
        python=PYTHON, catalogue=found, models=found.models, device=device, threads=2
    )


async def separated(engine, tmp_path, frames=FRAMES):
    await engine.warm_up()
    model = engine.models["tiny"]
    song = tmp_path / "song.f32"
    nets.write_spool(song, nets.song(frames))
    stems = await engine.separate(
        model,
        song,
        frames=frames,
        stems=model.stems,
        into=tmp_path / "out",
        progress=lambda _: None,
    )
    return {stem: nets.read_spool(path).astype(np.float64) for stem, path in stems.items()}


@pytest.mark.parametrize("kind", ["bs_roformer", "mel_band_roformer"])
async def test_a_network_gives_what_a_plain_loop_over_the_whole_song_gives(tmp_path, kind):
    engine = engine_of(catalogue(tmp_path / "models", kind))
    try:
        stems = await separated(engine, tmp_path)
    finally:
        await engine.close()
    total = sum(stems.values())
    assert np.sqrt(np.square(total - nets.song(FRAMES)).mean()) < 10 ** (-150 / 20)
    folder, made = tmp_path / "models/studio", tmp_path / "reference.npy"
    studio_run(PYTHON, REFERENCE, kind, folder, "tiny", tmp_path / "song.f32", made)
    for stem, expected in zip([Stem.VOCALS, Stem.DRUMS], np.load(made), strict=False):
        error = np.square(stems[stem] - expected).sum()
        assert 10 * np.log10(np.square(expected.astype(np.float64)).sum() / error) > 100


async def test_roformers_are_not_offered_on_a_processor_unless_told(tmp_path):
    engine = engine_of(catalogue(tmp_path / "models", "bs_roformer"), device="auto")
    try:
        await engine.warm_up()
        if engine.declared.device != "cpu":
            pytest.skip("this machine has a GPU")
        assert not engine.models
        assert "it needs a GPU" in engine.declared.missing[0].reason
    finally:
        await engine.close()


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"PK\x03\x04cut off"])
async def test_a_file_with_the_right_hash_that_is_no_checkpoint_is_refused(tmp_path, content):
    found = catalogue(tmp_path / "models", "bs_roformer")
    path = tmp_path / "models/studio/tiny.ckpt"
    text = found.path.read_text()
    whole = path.read_bytes()
    path.write_bytes(content or b"\n")
    changed = text.replace(f"size_bytes = {len(whole)}", f"size_bytes = {path.stat().st_size}")
    hashes = [hashlib.sha256(each).hexdigest() for each in (whole, path.read_bytes())]
    found.path.write_text(changed.replace(*hashes))
    engine = engine_of(read_catalogue(tmp_path / "models"))
    try:
        with pytest.raises(ModelUnavailable, match="tiny cannot be loaded"):
            await separated(engine, tmp_path, frames=10_000)
    finally:
        await engine.close()


async def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    """`weights_only` refuses a pickle that calls a function."""
    found = catalogue(tmp_path / "models", "bs_roformer")
    path = tmp_path / "models/studio/tiny.ckpt"
    whole = path.read_bytes()
    trap = "import os,sys,torch\nclass T:\n def __reduce__(self): return os.getpid, ()\n"
    studio_run(PYTHON, trap + "torch.save({'a': T()}, sys.argv[1])", path)
    text = found.path.read_text()
    hashes = [hashlib.sha256(each).hexdigest() for each in (whole, path.read_bytes())]
    sizes = f"size_bytes = {len(whole)}", f"size_bytes = {path.stat().st_size}"
    found.path.write_text(text.replace(*hashes).replace(*sizes))
    engine = engine_of(read_catalogue(tmp_path / "models"))
    try:
        with pytest.raises((ModelUnavailable, EngineFailed), match="tiny cannot be loaded"):
            await separated(engine, tmp_path, frames=10_000)
    finally:
        await engine.close()
