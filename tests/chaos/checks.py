"""What must be true after a rehearsal, by the bot's own books, the services' and Discord's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bot.domain.attempt import MAX_LOCAL_STARTS
from bot.domain.job import Job, State
from bot.domain.recipes import OUTPUTS
from bot.ui.cards.job_cards import card_of
from sandbox.entities import Message
from storage.stores.job_rows import job_of
from storage.stores.job_statements import BY_ID
from storage.upkeep.invariants import Terms, audit
from tests.chaos.leftovers import traces
from tests.chaos.services import HOME, HOSTED, Journal
from tests.chaos.stage import Stage

KEEP = timedelta(hours=24)
_ALL = "SELECT id, interaction_id FROM jobs"
_ATTEMPTS = "SELECT job_id, count(*) AS attempts FROM attempts WHERE provider = ? GROUP BY job_id"


def broken_promises(stage: Stage, *, keep: timedelta = KEEP) -> list[str]:
    """Return each promise that does not hold, in words; the bot must have nothing left to do."""
    jobs = {row["interaction_id"]: _job(stage, row["id"]) for row in stage.rows(_ALL)}
    return [
        *_audited(stage, keep),
        *_sent_too_often(stage),
        *_answered_without_a_job(stage, jobs),
        *_shown_otherwise(stage, jobs),
        *traces(stage),
    ]


def _audited(stage: Stage, keep: timedelta) -> Iterator[str]:
    terms = Terms(now=datetime.now(UTC), keep=keep, drained=True)
    for finding in audit(stage.data / "stemcord.db", stage.data / "jobs", terms):
        if not finding.is_good:
            yield str(finding)


def _sent_too_often(stage: Stage) -> Iterator[str]:
    for name in (*HOSTED, HOME):
        most = MAX_LOCAL_STARTS if name == HOME else 1
        known = {row["job_id"]: row["attempts"] for row in stage.rows(_ATTEMPTS, name)}
        for job_id, times in Journal(stage.home / f"{name}.journal").arrived().items():
            if times > most:
                yield f"{job_id} reached {name} {times} times"
            if times > known.get(job_id, 0):
                yield f"{job_id} reached {name} {times} times, and the books do not know"


def _answered_without_a_job(stage: Stage, jobs: dict[int, Job]) -> Iterator[str]:
    """A command that was answered has a job, or a sentence that says why not."""
    for answer in stage.users.answers:
        if answer.name != "split" or answer.message_id is None or answer.interaction_id in jobs:
            continue
        message = stage.sandbox.world.messages.get(answer.message_id)
        if message is not None and not (message.content or message.embeds):
            yield f"an answered command has neither a job nor a sentence: {answer}"


def _refused_edits(stage: Stage) -> list[str]:
    """Return the paths of the edits that Discord refused for good."""
    return [
        entry["path"]
        for entry in stage.sandbox.log.entries()
        if entry["method"] == "PATCH" and "/messages/" in entry["path"]
        if entry["status"] in {401, 403, 404}
    ]


def _shown_otherwise(stage: Stage, jobs: dict[int, Job]) -> Iterator[str]:
    """A reply shows how its job ended; one with content says in words why none was begun."""
    refused = _refused_edits(stage)
    closed = {int(path.rpartition("/")[2]) for path in refused if path.startswith("/channels/")}
    has_dead_tokens = any(path.startswith("/webhooks/") for path in refused)
    for answer in stage.users.answers:
        job = jobs.get(answer.interaction_id or 0)
        message = stage.sandbox.world.messages.get(answer.message_id or 0)
        if job is None or message is None or message.id in closed or job.state is State.KEPT:
            continue
        if has_dead_tokens and job.reply.message_id is None:
            continue  # its id came with an answer that was lost, and its token was refused
        if job.state is State.DELIVERED:
            stems = _stems(message) or _sent_directly(stage, job)
            if stems != len(OUTPUTS[job.request.recipe]):
                yield f"{job.id} is delivered, and {stems} stems are shown"
        elif not message.content and _text(message) != list(card_of(job).lines):
            yield f"{job.id} is {job.state}, and its reply says {_text(message)}"


def _stems(message: Message) -> int:
    return sum(file.content_type.startswith("audio/") for file in message.attachments)


def _sent_directly(stage: Stage, job: Job) -> int:
    """Count the stems in the direct message that took the place of the reply."""
    dm = stage.sandbox.world.bot_dm(job.request.user_id)
    own = [each for each in stage.sandbox.world.messages_in(dm.id) if job.id in _footers(each)]
    return _stems(own[-1]) if own else 0


def _footers(message: Message) -> list[str]:
    return [embed.get("footer", {}).get("text", "") for embed in message.embeds]


def _text(message: Message) -> list[str]:
    return [line for embed in message.embeds for line in embed.get("description", "").split("\n")]


def _job(stage: Stage, job_id: str) -> Job:
    [row] = stage.rows(BY_ID, job_id)
    return job_of(row)
