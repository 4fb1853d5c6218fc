"""The studio's worker: runs the catalogue's networks under an interpreter that has torch.

bot.engine.studio.studio_engine starts it with `python -I`, through bot/processes/foreign.py. It
speaks the messages of bot/engine/protocol.py, like the embedded engine's worker, but the bot's
packages are not installed where it runs, and those of the studio are not installed where the bot
runs. Therefore only the standard library is imported at the top.

Songs and stems arrive as open files. A song is separated chunk by chunk, in bounded memory.
"""

import argparse
import ctypes
import errno
import hashlib
import importlib
import json
import os
import pickle
import signal
import socket
import sys
import threading
import time
import tomllib
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples: TypeAlias = NDArray[np.float32]
    """Shaped (..., 2 channels, frames)."""

PROTOCOL = 1
FRAME_BYTES = 8
MIB = 1024 * 1024
PROGRESS_EVERY_S = 0.25
END_WITHIN_S = 1.0
"""The time that a chunk under way gets once the engine has closed its end."""
RESERVE_BYTES = 1024 * MIB
"""GPU memory that is left to the driver and to other programs."""
TRUSTED_DB = 60.0
"""The minimum agreement between a GPU and the CPU; less means that the driver computes wrongly."""
ROFORMERS = ("bs_roformer", "mel_band_roformer")
SONG = "song"
_PR_SET_PDEATHSIG = 1
_UNLOADABLE = (
    EOFError, ImportError, KeyError, RuntimeError, ValueError, pickle.UnpicklingError
)  # fmt: skip
"""Errors from files that are not checkpoints or configurations, and from missing packages."""


class CalledOff(Exception):
    """The engine no longer wants the current separation."""


class Damaged(Exception):
    """A network's files are not those of the catalogue, or cannot be loaded."""


class BadSong(Exception):
    """The song's file has the wrong length."""


class Wire:
    """The engine's requests, read on a thread, and the replies to them."""

    def __init__(self, *, alive_every_s: float) -> None:
        self._requests = socket.socket(fileno=0)
        self._replies = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # libraries print to standard output
        self._alive_every_s = alive_every_s
        self._turn = threading.Lock()
        self._todo: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._files: deque[int] = deque()
        self._called_off_up_to = 0
        self._is_closed = False
        self.is_busy = False

    def open(self) -> None:
        """Start listening, and send `Alive` during work."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._stay_alive, daemon=True).start()

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        line = json.dumps({kind: fields}).encode() + b"\n"
        with self._turn:
            self._replies.write(line)
            self._replies.flush()

    def next(self) -> dict[str, Any] | None:
        """Wait for a request to separate; return None once the engine has closed its end."""
        return self._todo.get()

    def take_files(self, count: int) -> list[int]:
        """Return the files that came with the request just read."""
        return [self._files.popleft() for _ in range(count)]

    def require_wanted(self, number: int) -> None:
        """Raise CalledOff if the engine has cancelled the request or closed its end."""
        if self._is_closed or number <= self._called_off_up_to:
            raise CalledOff

    def _listen(self) -> None:
        heard = b""
        try:
            while True:
                more, files, _, _ = socket.recv_fds(self._requests, 64 * 1024, 16)
                if not more:
                    break
                self._files += files
                *lines, heard = (heard + more).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
        finally:
            self._is_closed = True
            self._todo.put(None)
            time.sleep(END_WITHIN_S)
            os._exit(0)  # a chunk may take minutes

    def _take(self, message: Mapping[str, Any]) -> None:
        ((kind, fields),) = message.items()
        if kind == "Cancel":
            self._called_off_up_to = fields["id"]
        else:
            self._todo.put(fields)

    def _stay_alive(self) -> None:
        while True:
            time.sleep(self._alive_every_s)
            if self.is_busy:
                self.say("Alive")


@dataclass(frozen=True, kw_only=True)
class Net:
    """A loaded network."""

    run: "Callable[[Samples], Samples]"
    """Returns a chunk's outputs, shaped (outputs, 2, chunk)."""
    outputs: tuple[str, ...]
    chunk: int
    overlap: int
    size_bytes: int
    """The memory that it holds; for one chunk it needs `workspace_bytes` more."""
    workspace_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the networks run on."""

    kind: str = "cpu"
    name: str = ""
    note: str = ""
    """Why it is not the one that was asked for."""

    def free_bytes(self) -> int | None:
        """Return the memory that networks may still take, if known."""
        if self.kind == "cpu":
            return _available_bytes()
        import torch

        return int(torch.cuda.mem_get_info()[0]) - RESERVE_BYTES

    def peak_bytes(self) -> int | None:
        """Return the peak memory use since the last call; None where it is not measured."""
        if self.kind == "cpu":
            return None
        import torch

        peak = int(torch.cuda.max_memory_allocated())
        torch.cuda.reset_peak_memory_stats()
        return peak

    def empty(self) -> None:
        """Return the memory of dropped networks to the system."""
        if self.kind != "cpu":
            import torch

            torch.cuda.empty_cache()


@dataclass(kw_only=True)
class Loaded:
    """The loaded networks. If the next does not fit, the least recently used one is dropped."""

    folder: Path
    networks: Mapping[str, Mapping[str, Any]]
    device: Device
    budget_bytes: int | None
    chunk_share: float
    _nets: "OrderedDict[str, Net]" = field(default_factory=OrderedDict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def get(self, name: str) -> Net:
        """Return a network, loaded if necessary. Raises Damaged, MemoryError or a device error."""
        if name in self._nets:
            self._nets.move_to_end(name)
            return self._nets[name]
        self._make_room(name)
        net = self._load(self.networks[name])
        self._nets[name] = net
        self._sizes.setdefault(name, net.size_bytes + net.workspace_bytes)
        _log(f"{name} is loaded")
        if self.budget_bytes is not None and self._held_bytes() > self.budget_bytes:
            raise MemoryError(f"{name} needs more than {self.budget_bytes // MIB} MiB")
        return net

    def measure(self, name: str) -> None:
        """Record how much memory a network used for its song."""
        peak = self.device.peak_bytes()
        others = sum(net.size_bytes for other, net in self._nets.items() if other != name)
        if peak is not None and peak > others:
            self._sizes[name] = peak - others

    def _make_room(self, name: str) -> None:
        entry = self.networks[name]
        needed = self._sizes.get(name, entry["memory_mib"] * MIB)
        while self._nets and (room := self._room_bytes()) is not None and room < needed:
            dropped, _ = self._nets.popitem(last=False)
            self.device.empty()
            _log(f"{dropped} is dropped: {name} needs its memory")

    def _room_bytes(self) -> int | None:
        if self.budget_bytes is not None:
            return self.budget_bytes - self._held_bytes()
        return self.device.free_bytes()

    def _held_bytes(self) -> int:
        return sum(net.size_bytes + net.workspace_bytes for net in self._nets.values())

    def _load(self, entry: Mapping[str, Any]) -> Net:
        with _pinned(self.folder, entry, "checkpoint") as checkpoint:
            try:
                if entry["kind"] == "gain":
                    return _gain(checkpoint, share=self.chunk_share)
                with _pinned(self.folder, entry, "config") as config:
                    return _roformer(
                        entry["kind"], checkpoint, config, self.device, share=self.chunk_share
                    )
            except _UNLOADABLE as exc:
                if _is_out_of_memory(exc):
                    raise
                raise Damaged(f"{entry['name']} cannot be loaded: {_brief(exc)}") from exc


def file_of(folder: Path, entry: Mapping[str, Any], part: str) -> Path:
    """Return the path of one of a network's files."""
    return folder / f"{entry['name']}{'.yaml' if part == 'config' else '.ckpt'}"


def lack(folder: Path, entry: Mapping[str, Any]) -> str | None:
    """Return why a network's files cannot be used, judging only by their sizes."""
    for part in ("checkpoint", "config"):
        if part not in entry:
            continue
        path = file_of(folder, entry, part)
        try:
            found = path.stat().st_size
        except OSError:
            return f"{path.name} is not there"
        if found != entry[part]["size_bytes"]:
            return f"{path.name} has {found} bytes instead of {entry[part]['size_bytes']}"
    return None


def _pinned(folder: Path, entry: Mapping[str, Any], part: str) -> BinaryIO:
    """Open a file whose hash is the catalogue's; raises Damaged."""
    path = file_of(folder, entry, part)
    try:
        file = path.open("rb")
    except OSError as exc:
        raise Damaged(f"{path.name} cannot be read: {exc.strerror}") from exc
    if hashlib.file_digest(file, "sha256").hexdigest() != entry[part]["sha256"]:
        file.close()
        raise Damaged(f"{path.name} is not the file that the catalogue names (its hash differs)")
    file.seek(0)
    return file


def _gain(checkpoint: BinaryIO, *, share: float) -> Net:
    """Return a stand-in without weights, for tests: each output is the song times a number."""
    import numpy as np

    told = json.load(checkpoint)
    gains = np.array(list(told["outputs"].values()), np.float32)[:, np.newaxis, np.newaxis]

    def run(samples: "Samples") -> "Samples":
        time.sleep(told.get("pause_s", 0.0))
        scaled: Samples = gains * samples
        return scaled

    return Net(
        run=run,
        outputs=tuple(told["outputs"]),
        chunk=max(int(told["chunk"] * share), 2),
        overlap=told["overlap"],
        size_bytes=told.get("mib", 0) * MIB,
        workspace_bytes=int(told.get("workspace_mib", 0) * share * MIB),
    )


def _roformer(
    kind: str, checkpoint: BinaryIO, config: BinaryIO, device: Device, *, share: float
) -> Net:
    """Return a Band-Split or Mel-Band RoFormer, built by the package of the same name."""
    import torch
    import yaml

    # Plain values, and the tuples that training scripts write.
    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("tag:yaml.org,2002:python/tuple", loader.construct_sequence)
    told = yaml.load(config, Loader=loader)  # noqa: S506 - it is a SafeLoader
    build = importlib.import_module(f"{kind}.utils").get_model_from_config
    model = build(kind, argparse.Namespace(model=told["model"]))
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(state.get("state_dict", state.get("state", state)))
    model = model.eval().to(device.kind)
    target = told["training"].get("target_instrument")
    outputs = [target] if target is not None else list(told["training"]["instruments"])
    inference = told["inference"]
    hop = told["model"].get("stft_hop_length", 512)
    # The inverse transform yields whole hops only.
    whole = int(inference.get("chunk_size") or told["audio"]["chunk_size"])
    chunk = max(int(whole * share) // hop, 1) * hop

    def run(samples: "Samples") -> "Samples":
        half = torch.autocast(device.kind, torch.float16, enabled=device.kind != "cpu")
        with torch.inference_mode(), half:
            made = model(torch.from_numpy(samples)[None].to(device.kind))
            made = made.float().cpu().numpy()
        shaped: Samples = made.reshape(len(outputs), 2, -1)
        return shaped

    return Net(
        run=run,
        outputs=tuple(name.lower() for name in outputs),
        chunk=chunk,
        overlap=max(int(inference.get("num_overlap", 2)), 1),
        size_bytes=sum(each.numel() * each.element_size() for each in model.parameters()),
    )


class Song:
    """A spool, read at any place; mirrored beyond its ends, as in training."""

    def __init__(self, descriptor: int, *, frames: int) -> None:
        if os.fstat(descriptor).st_size != frames * FRAME_BYTES:
            raise BadSong(f"a spool does not have {frames} frames")
        self._descriptor = descriptor
        self.frames = frames

    def read(self, start: int, stop: int) -> "Samples":
        """Return the frames from `start` to `stop`, which are within the song."""
        import numpy as np

        samples = np.empty((stop - start, 2), "<f4")
        view, at = samples.data.cast("B"), start * FRAME_BYTES
        while view:
            count = os.preadv(self._descriptor, [view], at)
            if not count:
                raise BadSong("a spool was cut short while being read")
            view, at = view[count:], at + count
        return np.ascontiguousarray(samples.T, np.float32)

    def mirrored(self, start: int, stop: int) -> "Samples":
        """Return the frames from `start` to `stop`, which may lie beyond the ends."""
        import numpy as np

        if start >= 0 and stop <= self.frames:
            return self.read(start, stop)
        period = max(2 * (self.frames - 1), 1)
        places = np.arange(start, stop) % period
        places = np.where(places < self.frames, places, period - places)
        first, last = int(places.min()), int(places.max()) + 1
        return np.ascontiguousarray(self.read(first, last)[:, places - first])


def overlap_add(net: Net, song: Song) -> "Iterator[tuple[int, Samples]]":
    """Yield where each finished piece begins, and its outputs, from start to end.

    Chunks overlap and fade into each other. Samples that the next chunks still change are carried
    over.
    """
    import numpy as np

    step = net.chunk // net.overlap
    border = net.chunk - step
    fade = np.linspace(0, 1, max(net.chunk // 10, 1), dtype=np.float32)
    window = np.ones(net.chunk, np.float32)
    window[: fade.size] = fade
    window[-fade.size :] *= fade[::-1]
    summed = np.zeros((len(net.outputs), 2, net.chunk), np.float32)
    weight = np.zeros(net.chunk, np.float32)
    for start in range(-border, song.frames, step):
        made = net.run(song.mirrored(start, start + net.chunk))
        length = min(made.shape[-1], net.chunk)
        summed[..., :length] += made[..., :length] * window[:length]
        weight[:length] += window[:length]
        is_last = start + step >= song.frames
        first, last = max(start, 0), min(start + (net.chunk if is_last else step), song.frames)
        if first < last:
            done = slice(first - start, last - start)
            finished = summed[..., done] / np.maximum(weight[done], 1e-9)
            yield first, finished.astype(np.float32, copy=False)
        summed = np.concatenate([summed[..., step:], np.zeros_like(summed[..., :step])], axis=-1)
        weight = np.concatenate([weight[step:], np.zeros_like(weight[:step])])


class Separation:
    """The steps of one model for one song."""

    def __init__(
        self, model: Mapping[str, Any], loaded: Loaded, files: Mapping[str, int], *, frames: int
    ) -> None:
        self._model = model
        self._loaded = loaded
        self._files = files
        self._frames = frames
        self._formulas = {stem: formula(text) for stem, text in model.get("formulas", {}).items()}

    def run(self, wanted: Sequence[str], report: Callable[[float], None]) -> None:
        """Write the wanted stems; an error that `report` raises ends the separation."""
        steps = self._needed(wanted)
        report(0.0)
        for number, step in enumerate(steps):
            source = Song(self._files[step["of"]], frames=self._frames)
            name = step["network"]
            entry = self._loaded.networks[name]
            net = self._loaded.get(name)
            known = {SONG, *(signal for each in steps[:number] for signal in self._made_by(each))}
            writing = self._written_by(step, known, wanted)
            for first, outputs in overlap_add(net, source):
                named = _named(entry, net, outputs)
                count = outputs.shape[-1]
                for stem in writing:
                    _write(self._files[stem], self._piece(stem, named, first, count))
                report((number + (first + count) / max(self._frames, 1)) / len(steps))
            self._loaded.measure(name)

    def _needed(self, wanted: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return the steps up to the last one that a wanted stem depends on."""
        steps = list(self._model["steps"])
        lacking = {signal for stem in wanted for signal in self._parts(stem)} - {SONG}
        last = max(
            (number for number, step in enumerate(steps) if lacking & set(self._made_by(step))),
            default=0,
        )
        return steps[: last + 1]

    def _made_by(self, step: Mapping[str, Any]) -> list[str]:
        return list(self._loaded.networks[step["network"]]["outputs"].values())

    def _parts(self, stem: str) -> Sequence[str]:
        return tuple(self._formulas.get(stem, {stem: 1}))

    def _written_by(
        self, step: Mapping[str, Any], known: set[str], wanted: Sequence[str]
    ) -> list[str]:
        """Return the files that this step completes: stems, and sources of later steps."""
        made = set(self._made_by(step))
        sources = {each["of"] for each in self._model["steps"]}
        earlier = {part for stem in wanted for part in self._parts(stem)}
        return [
            stem
            for stem in self._files
            if stem != SONG
            and (stem in wanted or stem in sources | earlier)
            and made & set(self._parts(stem))
            and set(self._parts(stem)) <= made | known
        ]

    def _piece(
        self, stem: str, named: "Mapping[str, Samples]", first: int, count: int
    ) -> "Samples":
        """Return the frames of a stem: an output, or what its formula says."""
        import numpy as np

        if stem not in self._formulas:
            return named[stem]
        total = np.zeros((2, count), np.float64)
        for part, factor in self._formulas[stem].items():
            samples = named.get(part)
            if samples is None:
                source = Song(self._files[part], frames=self._frames)
                samples = source.read(first, first + count)
            total += factor * samples.astype(np.float64)
        return total.astype(np.float32)


def formula(text: str) -> dict[str, int]:
    """Return the signals of a formula such as `song - vocals`, each with its sign."""
    signs = {"+": 1, "-": -1}
    words = text.split()
    parts = {words[0]: 1}
    for sign, signal_name in zip(words[1::2], words[2::2], strict=True):
        parts[signal_name] = signs[sign]
    return parts


def _named(entry: Mapping[str, Any], net: Net, outputs: "Samples") -> "dict[str, Samples]":
    """Return the outputs that the catalogue takes, by the names that it gives them."""
    found = dict(zip(net.outputs, outputs, strict=True))
    absent = [name for name in entry["outputs"] if name not in found]
    if absent:
        has = ", ".join(net.outputs)
        raise Damaged(f"{entry['name']} has no output {absent[0]}, but {has}")
    return {given: found[own] for own, given in entry["outputs"].items()}


def _write(descriptor: int, samples: "Samples") -> None:
    import numpy as np

    view = np.ascontiguousarray(samples.T, "<f4").data.cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


class Worker:
    """Serves requests one after the other."""

    def __init__(self, wire: Wire, models: Mapping[str, Mapping[str, Any]], loaded: Loaded) -> None:
        self._wire = wire
        self._models = models
        self._loaded = loaded
        self._next_progress_at = 0.0

    def run(self) -> None:
        """Work until the engine closes its end, or memory runs out.

        A network may be unusable for good once memory has run out, so the process ends then.
        """
        while (request := self._wire.next()) is not None:
            self._wire.is_busy = True
            kind, fields = self._serve(request)
            self._wire.is_busy = False
            self._wire.say(kind, id=request["id"], **fields)
            if fields.get("trouble") == "memory":
                return

    def _serve(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        files: list[int] = []
        try:
            model = self._models[request["model"]]
            files += self._wire.take_files(1 + len(model["spools"]))
            self._separate(request, model, files)
        except CalledOff:
            return "Cancelled", {}
        except BadSong as exc:
            return _failed("mixture", exc)
        except Damaged as exc:
            return _failed("model", exc)
        except (MemoryError, OSError, RuntimeError) as exc:
            if _is_out_of_memory(exc):
                return _failed("memory", exc)
            if not isinstance(exc, OSError) or exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise  # ends the process
            return _failed("disk_full", exc)
        finally:
            for descriptor in files:
                os.close(descriptor)
        return "Done", {}

    def _separate(
        self, request: Mapping[str, Any], model: Mapping[str, Any], files: Sequence[int]
    ) -> None:
        self._next_progress_at = 0.0
        number, frames = request["id"], request["frames"]

        def report(fraction: float) -> None:
            self._wire.require_wanted(number)
            if time.monotonic() >= self._next_progress_at:
                self._next_progress_at = time.monotonic() + PROGRESS_EVERY_S
                self._wire.say("Progress", id=number, fraction=round(min(fraction, 1.0), 4))

        named = dict(zip([SONG, *model["spools"]], files, strict=True))
        Separation(model, self._loaded, named, frames=frames).run(request["stems"], report)


def _failed(trouble: str, cause: BaseException) -> tuple[str, dict[str, Any]]:
    return "Failed", {"trouble": trouble, "detail": _brief(cause)}


def _brief(cause: BaseException) -> str:
    words = " ".join(str(cause).split())[:300]
    return words if isinstance(cause, Damaged | BadSong) else f"{type(cause).__name__}: {words}"


def _is_out_of_memory(cause: BaseException) -> bool:
    return (
        isinstance(cause, MemoryError)
        or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
        or type(cause).__name__ == "OutOfMemoryError"
        or "out of memory" in str(cause).lower()
    )


def _needs_torch(options: argparse.Namespace, catalogue: Mapping[str, Any]) -> bool:
    kinds = {entry["name"]: entry["kind"] for entry in catalogue["network"]}
    return any(
        kinds[step["network"]] in ROFORMERS
        for model in catalogue["model"]
        if model["name"] in options.models.split(",")
        for step in model["steps"]
    )


def find_device(wanted: str, *, needs_torch: bool) -> Device:
    """Return what networks run on: a GPU, if there is one that computes as the CPU does."""
    if not needs_torch or wanted == "cpu":
        return Device(name=os.uname().machine)
    cpu = os.uname().machine
    try:
        import torch
    except (ImportError, OSError) as exc:
        return Device(name=cpu, note=f"torch cannot be imported: {_brief(exc)}")
    if not torch.cuda.is_available():
        return Device(name=cpu, note=f"torch {torch.__version__} finds no GPU")
    found = Device(kind="cuda", name=torch.cuda.get_device_name(0))
    try:
        agreement = _agreement_db()
    except RuntimeError as exc:
        return Device(name=cpu, note=f"{found.name} does not work: {_brief(exc)}")
    if agreement < TRUSTED_DB:
        return Device(
            name=cpu, note=f"{found.name} computes wrongly: {agreement:.0f} dB from the CPU"
        )
    return found


def _agreement_db() -> float:
    """Run one computation on the CPU and on the GPU; return how well the results agree."""
    import torch

    noise = torch.randn(2, 65_536, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(1025, 1025, generator=torch.Generator().manual_seed(1)) / 32

    def compute(device: str) -> Any:
        window = torch.hann_window(2048, device=device)
        spectrum = torch.stft(noise.to(device), 2048, 512, window=window, return_complex=True)
        mask = torch.softmax(weights.to(device) @ spectrum.abs(), dim=1)
        return torch.istft(spectrum * mask, 2048, 512, window=window).cpu().double()

    expected, found = compute("cpu"), compute("cuda")
    error = (found - expected).square().sum().clamp_min(1e-30)
    return float(10 * torch.log10(expected.square().sum() / error))


def declare(
    options: argparse.Namespace, catalogue: Mapping[str, Any], device: Device, wire: Wire
) -> dict[str, Mapping[str, Any]]:
    """Say what this worker can do, in its first line; return the models that it can run."""
    networks = {entry["name"]: entry for entry in catalogue["network"]}
    usable: dict[str, Mapping[str, Any]] = {}
    missing: list[dict[str, str]] = []
    for model in catalogue["model"]:
        if model["name"] not in options.models.split(","):
            continue
        used = [networks[step["network"]] for step in model["steps"]]
        reason = next((why for each in used if (why := lack(options.folder, each))), None)
        if reason is None and any(each["kind"] in ROFORMERS for each in used):
            reason = _why_no_roformer(options, device)
        if reason is None:
            usable[model["name"]] = {
                **model,
                "spools": spools(model, networks),
                "licence": "; ".join(dict.fromkeys(each["licence"] for each in used)),
            }
        else:
            missing.append({"name": model["name"], "reason": reason})
    wire.say(
        "Ready",
        protocol=PROTOCOL,
        device=device.kind,
        device_name=device.name,
        device_note=device.note,
        memory_free=device.free_bytes(),
        models=[
            {
                "name": model["name"],
                "stems": sorted(model["stems"]),
                "sums": sums_to_song(model),
                "licence": model["licence"],
            }
            for model in usable.values()
        ],
        missing=missing,
    )
    return usable


def _why_no_roformer(options: argparse.Namespace, device: Device) -> str | None:
    if device.note.startswith("torch cannot"):
        return device.note
    if device.kind == "cpu" and options.device != "cpu":
        why = device.note or "there is none"
        return f"it needs a GPU ({why}); STEMCORD_DEVICE=cpu runs it for hours"
    return None


def spools(model: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the files that a separation writes: the stems, and all that earlier steps make."""
    earlier = (networks[step["network"]]["outputs"].values() for step in model["steps"][:-1])
    return sorted({*model["stems"], *(signal for made in earlier for signal in made)})


def sums_to_song(model: Mapping[str, Any]) -> bool:
    """Whether the stems add up to the song, by their formulas."""
    total: Counter[str] = Counter()
    for stem in model["stems"]:
        written = model.get("formulas", {}).get(stem)
        total.update({stem: 1} if written is None else formula(written))
    return {signal: factor for signal, factor in total.items() if factor} == {SONG: 1}


def _available_bytes() -> int | None:
    with suppress(OSError), Path("/proc/meminfo").open(encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _confine(options: argparse.Namespace) -> None:
    """Confine this process, before a library starts a thread."""
    from bot.processes.confinement import Reach, confine

    confine(
        Reach(
            readable=(options.folder, options.catalogue, Path("/dev/urandom")),
            caches=(options.cache,),
            has_gpu=options.device != "cpu",
        )
    )


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where the checkpoints are")
    parser.add_argument("--cache", type=Path, required=True, help="where libraries may write")
    parser.add_argument("--models", required=True, help="the accepted models, separated by commas")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--chunk-share", type=float, default=1.0)
    parser.add_argument("--memory-mib", type=int)
    parser.add_argument("--alive-every-s", type=float, default=10.0)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve the engine that started this process."""
    options = _read(arguments)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(15)
    _confine(options)
    wire = Wire(alive_every_s=options.alive_every_s)
    wire.open()
    catalogue = tomllib.loads(options.catalogue.read_text(encoding="utf-8"))
    device = find_device(options.device, needs_torch=_needs_torch(options, catalogue))
    if device.note:
        _log(device.note)
    models = declare(options, catalogue, device, wire)
    loaded = Loaded(
        folder=options.folder,
        networks={entry["name"]: entry for entry in catalogue["network"]},
        device=device,
        budget_bytes=None if options.memory_mib is None else options.memory_mib * MIB,
        chunk_share=options.chunk_share,
    )
    Worker(wire, models, loaded).run()
    os._exit(0)  # without waiting for a thread


if __name__ == "__main__":
    main()
