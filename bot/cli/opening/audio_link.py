"""Audio tasks on other machines: what a bot needs to send them, and how many a worker takes."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.cli.opening.object_stores import open_objects
from bot.cli.opening.provider_set import engine_threads
from bot.cli.opening.stores import Store
from bot.cli.version import our_version
from bot.config import Settings
from bot.engine.memory import memory_limit_mib
from storage.objects.shared_job_files import SharedJobFiles

if TYPE_CHECKING:
    from bot.workers.audio.audio_sender import AudioSender
    from bot.workers.audio.audio_sweeper import AudioSweeper

SEPARATE: Final = "separate"
AUDIO: Final = "audio"
ENGINE_MIB: Final = 600
TASK_MIB: Final = 512
"""The most memory that a child takes; most take a fifth of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLink:
    """The parts of a bot that may send audio tasks to workers."""

    sender: "AudioSender"
    sweeper: "AudioSweeper"


def link_audio(settings: Settings, store: Store) -> AudioLink | None:
    """Return the link, or None without PostgreSQL or an object store. Imports it only then."""
    objects = open_objects(settings)
    if settings.database_url is None or objects is None:
        return None
    if not isinstance(store.files, SharedJobFiles):
        return None
    from bot.workers.audio.audio_sender import AudioSender
    from bot.workers.audio.audio_sweeper import AudioSweeper
    from storage.work_queue.audio_tasks import AudioTasks

    tasks = AudioTasks(db=store.db, version=our_version())
    return AudioLink(
        sender=AudioSender(tasks=tasks, objects=objects, files=store.files),
        sweeper=AudioSweeper(tasks=tasks, objects=objects),
    )


def audio_slots(settings: Settings) -> int:
    """Return how many audio tasks a worker on this machine runs at once."""
    if AUDIO not in settings.worker_tasks:
        return 0
    threads = engine_threads() if SEPARATE in settings.worker_tasks else 0
    return _audio_slots(memory_limit_mib(), os.cpu_count() or 1, engine_threads=threads)


def _audio_slots(memory_mib: int | None, cores: int, *, engine_threads: int) -> int:
    """Return how many tasks fit into the cores and memory that the engine leaves, at least 1."""
    slots = cores - engine_threads
    if memory_mib is not None:
        left_mib = memory_mib - (ENGINE_MIB if engine_threads else 0)
        slots = min(slots, left_mib // TASK_MIB)
    return max(1, slots)
