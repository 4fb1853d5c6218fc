"""Small RoFormers with random weights, where `.venv-studio` has what they need."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.domain.errors import EngineFailed, ModelUnavailable
from bot.domain.recipes import Stem
from bot.engine.studio.studio_catalogue import read_catalogue
from bot.engine.studio.studio_engine import StudioEngine
from tests.unit.engine import nets

PYTHON = Path(".venv-studio/bin/python").absolute()
FRAMES = 110_250
BANDS = (2,) * 24 + (4,) * 12 + (12,) * 8 + (24,) * 8 + (48,) * 8 + (128, 129)

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make studio TORCH=cpu was not run")

MAKE = """
import json, sys, torch, yaml, importlib
from types import SimpleNamespace
kind, folder, name, told = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
torch.manual_seed(7)
model = importlib.import_module(f"{kind}.utils").get_model_from_config(
    kind, SimpleNamespace(model=told["model"])
)
torch.save(model.state_dict(), f"{folder}/{name}.ckpt")
open(f"{folder}/{name}.yaml", "w").write(yaml.safe_dump(told))
"""

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


def config(kind):
    model: dict[str, Any] = {
        "dim": 16, "depth": 1, "stereo": True, "time_transformer_depth": 1,
        "freq_transformer_depth": 1, "dim_head": 8, "heads": 2, "attn_dropout": 0.0,
        "ff_dropout": 0.0, "flash_attn": False, "dim_freqs_in": 1025, "stft_n_fft": 2048,
        "stft_hop_length": 441, "stft_win_length": 2048, "stft_normalized": False,
        "mask_estimator_depth": 1,
    }  # fmt: skip
    if kind == "bs_roformer":
        model |= {"num_stems": 2, "freqs_per_bands": list(BANDS)}
        training: dict[str, Any] = {
            "instruments": ["Vocals", "Drums"],
            "target_instrument": None,
        }
    else:
        model |= {"num_stems": 1, "num_bands": 20, "sample_rate": 44_100}
        training = {"instruments": ["vocals", "other"], "target_instrument": "vocals"}
    inference = {"num_overlap": 2, "chunk_size": 44_100}
    return {"model": model, "training": training, "inference": inference}


def studio_run(script, *arguments):
    subprocess.run([PYTHON, "-I", "-c", script, *map(str, arguments)], check=True, timeout=120)


def catalogue(models_dir, kind):
    """Make a network with random weights, and a catalogue with it."""
    folder = models_dir / "studio"
    folder.mkdir(parents=True)
    studio_run(MAKE, kind, folder, "tiny", json.dumps(config(kind)))
    lines = [
        "[[network]]", 'name = "tiny"', 'title = "Tiny"', f'kind = "{kind}"', "memory_mib = 100",
        'licence = "none"', 'notice = "random weights"',
        'outputs = { vocals = "vocals", drums = "drums" }' if kind == "bs_roformer"
        else 'outputs = { vocals = "vocals" }',
    ]  # fmt: skip
    for part, suffix in (("checkpoint", "ckpt"), ("config", "yaml")):
        content = (folder / f"tiny.{suffix}").read_bytes()
        lines += [
            f"[network.{part}]",
            'address = "https://weights.example/"',
            f"size_bytes = {len(content)}",
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        ]
    stems = ["vocals", "drums", "other"] if kind == "bs_roformer" else ["vocals", "other"]
    formula = " - ".join(["song", *stems[:-1]])
    lines += [
        "[[model]]", 'name = "tiny"', 'title = "Tiny"', f"stems = {json.dumps(stems)}",
        'steps = [{ network = "tiny", of = "song" }]', f'formulas = {{ other = "{formula}" }}',
    ]  # fmt: skip
    (folder / "models.toml").write_text("\n".join(lines) + "\n")
    return read_catalogue(models_dir)


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
    studio_run(REFERENCE, kind, folder, "tiny", tmp_path / "song.f32", made)
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
    studio_run(trap + "torch.save({'a': T()}, sys.argv[1])", path)
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
