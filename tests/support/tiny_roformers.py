"""Small RoFormers with random weights, made by the studio's interpreter, and a catalogue of one."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from bot.engine.studio.studio_catalogue import Catalogue, read_catalogue

BANDS = (2,) * 24 + (4,) * 12 + (12,) * 8 + (24,) * 8 + (48,) * 8 + (128, 129)
CHUNK = 44_100

_MAKE = """
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


def has_roformers(python: Path) -> bool:
    """Whether an interpreter has what RoFormers need; one for the embedded engine lacks it."""
    command = [str(python), "-I", "-c", "import torch, yaml, bs_roformer.utils"]
    return not subprocess.run(command, check=False, capture_output=True, timeout=120).returncode


def studio_run(python: Path, script: str, *arguments: object) -> None:
    """Run a script in the studio's interpreter; raises CalledProcessError."""
    subprocess.run([python, "-I", "-c", script, *map(str, arguments)], check=True, timeout=120)


def write_roformer(python: Path, models_dir: Path, kind: str, *, chunk: int = CHUNK) -> Catalogue:
    """Make a network called `tiny`, and return a catalogue with a model of the same name.

    `kind` is `bs_roformer` or `mel_band_roformer`; `chunk` is in samples.
    """
    folder = models_dir / "studio"
    folder.mkdir(parents=True)
    studio_run(python, _MAKE, kind, folder, "tiny", json.dumps(_config(kind, chunk)))
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


def _config(kind: str, chunk: int) -> dict[str, Any]:
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
    inference = {"num_overlap": 2, "chunk_size": chunk}
    return {"model": model, "training": training, "inference": inference}
