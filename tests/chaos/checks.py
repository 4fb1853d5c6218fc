"""Checks after a scene, across the database, the providers and Discord."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bot.domain.attempt import MAX_LOCAL_STARTS
from bot.domain.job import Job, State
from bot.ui.cards.job_cards import card_of
from sandbox.entities import Message
from sandbox.server import Sandbox
from sandbox.simulated_users import SimulatedUsers
from storage.database.protocols import Row
from storage.stores.job_rows import job_of
from storage.stores.job_statements import BY_ID
from storage.upkeep.invariants import Terms, audit
from tests.chaos.harness import ChaosHarness
from tests.chaos.leftovers import traces
from tests.chaos.services import EMBEDDED, HOSTED, Journal

KEEP = timedelta(hours=24)
_ALL = "SELECT id, interaction_id FROM jobs"
_ATTEMPTS = "SELECT job_id, count(*) AS attempts FROM attempts WHERE provider = ? GROUP BY job_id"
INTERRUPTED = "I was restarted while I made this."
_CHARGED = """\
SELECT jobs.id, count(ledger.id) AS posts, jobs.state
FROM jobs LEFT JOIN ledger ON job_id = jobs.id AND kind = 'post'
GROUP BY jobs.id, jobs.state
HAVING count(ledger.id) <> CASE WHEN jobs.state = 'delivered' THEN 1 ELSE 0 END"""


class Observed(Protocol):
    """What a scene leaves to be checked: Discord, its users and the database."""

    @property
    def sandbox(self) -> Sandbox: ...

    @property
    def users(self) -> SimulatedUsers: ...

    def rows(self, sql: str, *values: object) -> Sequence[Row]: ...


def broken_promises(harness: ChaosHarness, *, keep: timedelta = KEEP) -> list[str]:
    """Describe each broken promise. The bot must have no work left."""
    jobs = jobs_by_interaction(harness)
    return [
        *_audited(harness, keep),
        *_sent_too_often(harness),
        *answered_without_a_job(harness, jobs),
        *shown_otherwise(harness, jobs),
        *traces(harness),
    ]


def jobs_by_interaction(observed: Observed) -> dict[int, Job]:
    """Return every job by the id of its interaction."""
    return {row["interaction_id"]: _job(observed, row["id"]) for row in observed.rows(_ALL)}


def charged_otherwise(harness: Observed) -> Iterator[str]:
    """Describe jobs that were not charged exactly once, or charged without a delivery."""
    for row in harness.rows(_CHARGED):
        yield f"{row['id']} is {row['state']} and charged {row['posts']} times"


def custom_ids(message: Message) -> list[str]:
    """Return the ids of the buttons and menus below a message."""
    return [
        item["custom_id"]
        for row in message.components
        for item in row.get("components", ())
        if "custom_id" in item
    ]


def _audited(harness: ChaosHarness, keep: timedelta) -> Iterator[str]:
    terms = Terms(now=datetime.now(UTC), keep=keep, drained=True)
    for finding in audit(harness.data / "stemcord.db", harness.data / "jobs", terms):
        if not finding.is_good:
            yield str(finding)


def _sent_too_often(harness: ChaosHarness) -> Iterator[str]:
    for name in (*HOSTED, EMBEDDED):
        most = MAX_LOCAL_STARTS if name == EMBEDDED else 1
        known = {row["job_id"]: row["attempts"] for row in harness.rows(_ATTEMPTS, name)}
        for job_id, times in Journal(harness.home / f"{name}.journal").arrived().items():
            if times > most:
                yield f"{job_id} reached {name} {times} times"
            if times > known.get(job_id, 0):
                yield f"{job_id} reached {name} {times} times, more than it has attempts"


def answered_without_a_job(harness: Observed, jobs: dict[int, Job]) -> Iterator[str]:
    """Find answered commands with neither a job nor an explanation."""
    for answer in harness.users.answers:
        if answer.name != "split" or answer.message_id is None or answer.interaction_id in jobs:
            continue
        message = harness.sandbox.world.messages.get(answer.message_id)
        if message is not None and not (message.content or message.embeds):
            yield f"an answered command has neither a job nor an explanation: {answer}"


def _refused_edits(harness: Observed) -> list[str]:
    """Return the paths of edits that Discord refused for good."""
    return [
        entry["path"]
        for entry in harness.sandbox.log.entries()
        if entry["method"] == "PATCH" and "/messages/" in entry["path"]
        if entry["status"] in {401, 403, 404}
    ]


def shown_otherwise(harness: Observed, jobs: dict[int, Job]) -> Iterator[str]:
    """Find replies that do not show how their job ended. Plain content means a refused song."""
    refused = _refused_edits(harness)
    closed = {int(path.rpartition("/")[2]) for path in refused if path.startswith("/channels/")}
    has_dead_tokens = any(path.startswith("/webhooks/") for path in refused)
    for answer in harness.users.answers:
        job = jobs.get(answer.interaction_id or 0)
        message = harness.sandbox.world.messages.get(answer.message_id or 0)
        if job is None or message is None or message.id in closed or job.state is State.KEPT:
            continue
        if has_dead_tokens and job.reply.message_id is None:
            continue  # its id was lost with the response, and its token was refused
        if job.state is State.DELIVERED:
            stems = _stems(message) or _sent_directly(harness, job)
            if stems != len(job.stems):
                yield f"{job.id} is delivered, and {stems} stems are shown"
        elif not message.content and _text(message) != list(card_of(job).lines):
            yield f"{job.id} is {job.state}, and its reply says {_text(message)}"


def _stems(message: Message) -> int:
    return sum(file.content_type.startswith("audio/") for file in message.attachments)


def _sent_directly(harness: Observed, job: Job) -> int:
    """Count the stems in the direct message sent instead of the reply."""
    dm = harness.sandbox.world.bot_dm(job.request.user_id)
    own = [each for each in harness.sandbox.world.messages_in(dm.id) if job.id in _footers(each)]
    return _stems(own[-1]) if own else 0


def _footers(message: Message) -> list[str]:
    return [embed.get("footer", {}).get("text", "") for embed in message.embeds]


def _text(message: Message) -> list[str]:
    return [line for embed in message.embeds for line in embed.get("description", "").split("\n")]


def _job(harness: Observed, job_id: str) -> Job:
    [row] = harness.rows(BY_ID, job_id)
    return job_of(row)
