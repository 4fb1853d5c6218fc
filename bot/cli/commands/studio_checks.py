"""`doctor`'s checks of the other interpreter, the graphics card and the studio."""

import asyncio
import importlib.metadata
import shutil
import subprocess
from collections.abc import Iterator

from bot.cli.commands.machine_checks import CheckResult
from bot.cli.opening.embedded_opening import open_embedded
from bot.cli.opening.provider_set import quietly
from bot.cli.opening.studio_opening import OpenedStudio, open_studio, studio_python
from bot.config import Settings, SettingsError
from bot.engine.hardware.interpreter import InterpreterFailed, InterpreterReport, examine
from bot.engine.protocol import Ready
from bot.providers.self_hosted import local, studio

_SMI = "--query-gpu=name,driver_version,memory.total,memory.free", "--format=csv,noheader"
_SMI_LIMIT_S = 10.0


def check_studio(settings: Settings) -> Iterator[CheckResult]:
    """Run the checks, if any of these is set up; starts the workers for them."""
    yield from _own_runtimes()
    python = studio_python(settings)
    if python is None:
        yield from _no_interpreter(settings)
        return
    try:
        report = examine(python)
    except InterpreterFailed as exc:
        is_fatal = settings.device == "cuda"
        yield CheckResult(False, f"{python} cannot be used: {exc}", is_fatal=is_fatal)
        return
    yield CheckResult(True, f"{python}: {_described(report)}")
    if (trouble := report.trouble()) is not None:
        is_fatal = len(report.runtimes) > 1 or settings.device == "cuda"
        yield CheckResult(False, f"{python}: {trouble}", is_fatal=is_fatal)
        return
    yield from _cards()
    if report.gpu_provider is not None or settings.device == "cuda":
        yield _engine(settings)
    yield from _studio(settings)


def _own_runtimes() -> Iterator[CheckResult]:
    """Check that no second onnxruntime was installed into the bot's own environment."""
    found = importlib.metadata.packages_distributions().get("onnxruntime", [])
    names = sorted(set(found))
    if len(names) > 1:
        yield CheckResult(
            False,
            f"{' and '.join(names)} are both in the bot's environment and overwrite each other's "
            "files: make clean, then make run",
        )


def _no_interpreter(settings: Settings) -> Iterator[CheckResult]:
    if settings.device == "cuda":
        what = "STEMCORD_DEVICE is cuda, and there is no interpreter that could use a graphics card"
        yield CheckResult(False, f"{what}: make studio GPU=1, or STEMCORD_STUDIO_PYTHON")
    elif settings.studio_accept:
        yield CheckResult(False, "STEMCORD_STUDIO_ACCEPT needs make studio", is_fatal=False)


def _described(report: InterpreterReport) -> str:
    parts = [f"Python {report.version}"]
    if report.runtimes:
        offered = ", ".join(name.removesuffix("ExecutionProvider") for name in report.providers)
        parts.append(f"{' and '.join(report.runtimes)} {report.runtime_version} ({offered})")
    if report.torch:
        parts.append(f"torch {report.torch}")
    return ", ".join(parts)


def _cards() -> Iterator[CheckResult]:
    """Name the graphics cards that NVIDIA's tool reports."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return
    try:
        told = subprocess.run(
            [tool, *_SMI], capture_output=True, text=True, timeout=_SMI_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        yield CheckResult(False, f"nvidia-smi does not answer: {exc}", is_fatal=False)
        return
    for line in told.stdout.splitlines():
        yield CheckResult(told.returncode == 0, f"Graphics card: {line}", is_fatal=False)


def _engine(settings: Settings) -> CheckResult:
    """Say what the embedded engine's worker really runs on."""
    if local.NAME not in settings.usable_providers:
        return CheckResult(True, "The embedded engine is not used")
    try:
        with quietly("bot"):
            declared = asyncio.run(_engine_device(settings))
    except SettingsError as exc:
        return CheckResult(False, str(exc))
    if declared is None:
        return CheckResult(False, "The engine's model is not on this machine", is_fatal=False)
    is_good = declared.device != "cpu"
    why = f": {declared.device_note}" if declared.device_note else ""
    what = f"The engine runs on {declared.device} ({declared.device_name}){why}"
    return CheckResult(is_good, what, is_fatal=False)


async def _engine_device(settings: Settings) -> Ready | None:
    embedded = await open_embedded(settings)
    try:
        return embedded.declared
    finally:
        await embedded.aclose()


def _studio(settings: Settings) -> Iterator[CheckResult]:
    try:
        with quietly("bot"):
            opened, declared = asyncio.run(_studio_state(settings))
    except SettingsError as exc:
        yield CheckResult(False, str(exc))
        return
    if opened.why_not is not None:
        yield CheckResult(False, f"{studio.NAME} is left out: {opened.why_not}", is_fatal=False)
    if declared is None:
        return
    for model in declared.models:
        what = f"The studio runs {model.name} on {declared.device} (weights: {model.licence})"
        yield CheckResult(True, what)
    for each in declared.missing:
        yield CheckResult(False, f"The studio lacks {each.name}: {each.reason}", is_fatal=False)


async def _studio_state(settings: Settings) -> tuple[OpenedStudio, Ready | None]:
    opened = await open_studio(settings)
    if opened.provider is None:
        return opened, None
    try:
        return opened, opened.provider.declared
    finally:
        await opened.provider.aclose()
