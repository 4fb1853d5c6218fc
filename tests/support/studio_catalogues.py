"""Catalogues for the studio whose networks only scale the song, so that no torch is needed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A network of the kind `gain`."""

    name: str
    outputs: Mapping[str, float]
    chunk: int = 4410
    overlap: int = 2
    mib: int = 1
    workspace_mib: int = 0
    pause_s: float = 0.0
    licence: str = "MIT"

    def checkpoint(self) -> bytes:
        """Return the file that takes the place of weights."""
        told = {
            "outputs": dict(self.outputs),
            "chunk": self.chunk,
            "overlap": self.overlap,
            "mib": self.mib,
            "workspace_mib": self.workspace_mib,
            "pause_s": self.pause_s,
        }
        return json.dumps(told).encode()


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A model made from such networks; each step is a network's name and what it splits."""

    name: str
    stems: Sequence[str]
    steps: Sequence[tuple[str, str]]
    formulas: Mapping[str, str] = field(default_factory=dict)


def write_catalogue(
    models_dir: Path, networks: Sequence[Gain], models: Sequence[StandIn], **changes: Any
) -> Path:
    """Write a catalogue and its networks' files; `changes` replaces keys of every checkpoint."""
    folder = models_dir / "studio"
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for network in networks:
        checkpoint = network.checkpoint()
        (folder / f"{network.name}.ckpt").write_bytes(checkpoint)
        told = {
            "address": f"https://weights.example/{network.name}",
            "size_bytes": len(checkpoint),
            "sha256": hashlib.sha256(checkpoint).hexdigest(),
        } | changes
        lines += [
            "[[network]]",
            f"name = {json.dumps(network.name)}",
            f"title = {json.dumps(network.name.title())}",
            'kind = "gain"',
            f"memory_mib = {network.mib + network.workspace_mib}",
            f"licence = {json.dumps(network.licence)}",
            'notice = "A stand-in."',
            f"outputs = {_table({name: name for name in network.outputs})}",
            f"checkpoint = {_table(told)}",
        ]
    for model in models:
        steps = ", ".join(_table({"network": net, "of": of}) for net, of in model.steps)
        lines += [
            "[[model]]",
            f"name = {json.dumps(model.name)}",
            f"title = {json.dumps(f'Stand-in {model.name}')}",
            f"stems = {json.dumps(list(model.stems))}",
            f"steps = [{steps}]",
            f"formulas = {_table(model.formulas)}",
        ]
    path = folder / "models.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _table(told: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in told.items()) + " }"


VOICE = Gain(name="voice", outputs={"vocals": 0.375})
LEAD = Gain(name="lead", outputs={"lead_vocals": 0.75})
SIX = Gain(
    name="six",
    outputs={"vocals": 0.3, "drums": 0.2, "bass": 0.15, "guitar": 0.1, "piano": 0.05},
)
DRY = Gain(name="dry", outputs={"dry_vocals": 0.5})
BAND = Gain(name="band", outputs={"strings": 0.2, "wind": 0.1, "synth": 0.3})
NETWORKS = (VOICE, LEAD, SIX, DRY, BAND)
DUET = StandIn(
    name="duet",
    stems=["vocals", "instrumental"],
    steps=[("voice", "song")],
    formulas={"instrumental": "song - vocals"},
)
KARAOKE = StandIn(
    name="karaoke",
    stems=["lead_vocals", "instrumental"],
    steps=[("voice", "song"), ("lead", "vocals")],
    formulas={"instrumental": "song - lead_vocals"},
)
SIX_STEMS = StandIn(
    name="six-stems",
    stems=["vocals", "drums", "bass", "guitar", "piano", "other"],
    steps=[("six", "song")],
    formulas={"other": "song - vocals - drums - bass - guitar - piano"},
)
DEREVERB = StandIn(
    name="dereverb",
    stems=["dry"],
    steps=[("voice", "song"), ("dry", "vocals")],
    formulas={"dry": "song - vocals + dry_vocals"},
)
PARTS = StandIn(name="parts", stems=["strings", "wind", "synth"], steps=[("band", "song")])
MODELS = (DUET, KARAOKE, SIX_STEMS, DEREVERB, PARTS)
