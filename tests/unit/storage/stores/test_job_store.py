import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.analysis import Analysis, TempoEstimate
from bot.domain.attempt import AttemptState, RemoteFile, RemoteRef
from bot.domain.errors import QuotaExceeded, Reason, Rejected, StateMoved
from bot.domain.job import Job, JobId, State, UserId
from bot.domain.minutes import Post, Void
from bot.domain.recipes import Stem
from bot.domain.renditions import Rendition
from storage.database.opening import Address
from storage.database.protocols import ConstraintViolated, Database
from storage.stores.job_store import JobStore, new_job_id
from storage.stores.ledger import Ledger
from tests.support.both_databases import reopen
from tests.support.domain_factories import (
    NOW,
    PROBLEM,
    TODAY,
    USER,
    a_hold,
    a_job,
    an_attempt,
    lead,
    make_stale,
)

LATER = NOW + timedelta(minutes=1)


async def count(db: Database, table: str) -> int:
    [row] = await db.read(f"SELECT count(*) AS rows FROM {table}")
    return int(row["rows"])


async def test_a_job_comes_back_as_it_was_stored(jobs: JobStore):
    job = a_job()
    assert await jobs.add(job, max_active=1) == job
    assert await jobs.get(job.id) == job


@pytest.mark.parametrize("state", State)
async def test_a_job_comes_back_as_it_was_saved(jobs: JobStore, state: State):
    saved = await lead(jobs, state)
    stored = await jobs.get(saved.id)
    assert stored is not None
    assert stored.without_token() == replace(
        saved.without_token(), reply=replace(stored.reply, token=None)
    )
    assert stored.reply.message_id == saved.reply.message_id


async def test_an_unknown_id_gives_nothing(jobs: JobStore):
    assert await jobs.get(JobId("none2")) is None


async def test_the_same_interaction_is_stored_once(db: Database, jobs: JobStore):
    first = await lead(jobs, State.HELD, job=a_job(interaction_id=5))
    again = await jobs.add(a_job(interaction_id=5, title="Other"), max_active=1)
    assert again == first
    assert await count(db, "jobs") == 1


async def test_no_two_rows_are_of_one_interaction(db: Database, jobs: JobStore):
    first = await jobs.add(a_job(interaction_id=1), max_active=3)
    second = await jobs.add(a_job(interaction_id=2), max_active=3)
    same = "UPDATE jobs SET interaction_id = ? WHERE id = ?"
    with pytest.raises(ConstraintViolated):
        await db.write(lambda conn: conn.execute(same, (first.interaction_id, second.id)))


async def test_a_taken_id_is_replaced_by_a_free_one(jobs: JobStore):
    first = await jobs.add(a_job(job_id="k7f2q"), max_active=9)
    second = await jobs.add(a_job(job_id="k7f2q"), max_active=9)
    assert second.id != first.id
    assert await jobs.get(first.id) == first
    assert await jobs.get(second.id) == second


async def test_an_id_in_the_ledger_is_not_given_to_another_job(db: Database, jobs: JobStore):
    job = await lead(jobs, State.FAILED)
    await db.write(lambda conn: conn.execute("DELETE FROM jobs WHERE id = ?", (job.id,)))
    assert (await jobs.add(a_job(job_id=job.id), max_active=9)).id != job.id


def test_ids_are_short_and_unambiguous():
    ids = {new_job_id() for _ in range(500)}
    assert len(ids) > 490
    assert {len(each) for each in ids} == {5}
    assert not set("01ilo") & set("".join(ids))


async def test_unfinished_jobs_of_a_user_are_limited_even_at_once(jobs: JobStore):
    async def add() -> Job | Rejected:
        try:
            return await jobs.add(a_job(), max_active=3)
        except Rejected as exc:
            return exc

    answers = await asyncio.gather(*(add() for _ in range(20)))
    refusals = [each for each in answers if isinstance(each, Rejected)]
    assert len(refusals) == 17
    assert refusals[0].problem.reason is Reason.TOO_MANY_JOBS
    assert refusals[0].problem.facts == {"limit": 3}
    assert len(await jobs.unfinished()) == 3


async def test_finished_jobs_and_other_users_do_not_count_as_active(jobs: JobStore):
    await lead(jobs, State.CANCELLED)
    await lead(jobs, State.DELIVERED)
    await jobs.add(a_job(user_id=UserId(8)), max_active=1)
    await jobs.add(a_job(), max_active=1)


async def test_a_users_jobs_come_newest_first(jobs: JobStore):
    old = await jobs.add(a_job(created_at=NOW - timedelta(hours=1)), max_active=9)
    same = [await jobs.add(a_job(), max_active=9) for _ in range(2)]
    await jobs.add(a_job(user_id=UserId(8)), max_active=9)
    listed = [job.id for job in await jobs.of_user(USER, 10)]
    assert listed == [same[1].id, same[0].id, old.id]
    assert len(await jobs.of_user(USER, 2)) == 2


async def test_unfinished_jobs_come_oldest_first(jobs: JobStore):
    young = await jobs.add(a_job(), max_active=9)
    old = await jobs.add(a_job(created_at=NOW - timedelta(hours=1)), max_active=9)
    await lead(jobs, State.DELIVERED)
    ready = await lead(jobs, State.READY)
    assert [job.id for job in await jobs.unfinished()] == [old.id, young.id, ready.id]


async def test_a_transition_is_written_with_all_that_goes_with_it(
    db: Database, jobs: JobStore, ledger: Ledger
):
    job = await lead(jobs, State.RECEIVED)
    held = job.held(LATER, frames=9, minutes=4, title="Neon Rain")
    await jobs.save(held, expected=State.RECEIVED, ledger=a_hold(job, 4), note="decoded")
    attempt = an_attempt(job)
    sending = held.submitting(LATER, provider="finevoice")
    await jobs.save(sending, expected=State.HELD, attempt=attempt)

    assert await jobs.get(job.id) == sending
    assert await jobs.attempts(job.id) == [attempt]
    assert (await ledger.usage(USER, TODAY, 60)).held == 4
    events = await db.read("SELECT from_state, to_state, note FROM events ORDER BY id")
    assert [tuple(row) for row in events] == [
        (None, "received", ""),
        ("received", "held", "decoded"),
        ("held", "submitting", ""),
    ]


async def test_a_lost_race_writes_nothing(db: Database, jobs: JobStore):
    job = await lead(jobs, State.PROCESSING)
    cancelled = job.cancelled(LATER, PROBLEM)
    await jobs.save(cancelled, expected=State.PROCESSING, ledger=Void(job.id))
    before = [await count(db, table) for table in ("events", "ledger", "attempts")]

    with pytest.raises(StateMoved):
        await jobs.save(
            job.ready(LATER),
            expected=State.PROCESSING,
            ledger=Post(job.id),
            attempt=an_attempt(job),
        )
    assert [await count(db, table) for table in ("events", "ledger", "attempts")] == before
    assert (await jobs.get(job.id) or job).state is State.CANCELLED


async def test_of_rivals_exactly_one_wins(db: Database, jobs: JobStore, ledger: Ledger):
    job = await lead(jobs, State.PROCESSING)

    async def finish(number: int) -> bool:
        ready = number % 2 == 0
        changed = job.ready(LATER) if ready else job.cancelled(LATER, PROBLEM)
        entry = Post(job.id) if ready else Void(job.id)
        try:
            await jobs.save(changed, expected=State.PROCESSING, ledger=entry)
        except StateMoved:
            return False
        return True

    wins = await asyncio.gather(*map(finish, range(10)))
    assert sum(wins) == 1
    usage = await ledger.usage(USER, TODAY, 60)
    assert usage.held == 0
    assert usage.used == (4 if wins.index(True) % 2 == 0 else 0)


async def test_a_hold_that_does_not_fit_undoes_the_whole_save(db: Database, jobs: JobStore):
    job = await jobs.add(a_job(), max_active=1)
    held = job.held(LATER, frames=9, minutes=61, title="Long")
    with pytest.raises(QuotaExceeded) as refusal:
        await jobs.save(held, expected=State.RECEIVED, ledger=a_hold(job, 61))
    assert refusal.value.problem.facts == {
        "needed": 61,
        "left": 60,
        "allowance": 60,
        "resets_at": int(TODAY.ends_at.timestamp()),
    }
    assert await jobs.get(job.id) == job
    assert await count(db, "events") == 1
    assert await count(db, "ledger") == 0


async def test_saving_a_job_that_is_gone_raises_state_moved(jobs: JobStore):
    with pytest.raises(StateMoved):
        await jobs.save(a_job(), expected=State.RECEIVED)


async def test_an_older_copy_of_a_job_does_not_undo_where_its_reply_is(jobs: JobStore):
    job = await lead(jobs, State.SUBMITTING)
    await jobs.reply_shown(job.id, 1, message_id=77)
    await jobs.save(job.processing(LATER), expected=State.SUBMITTING)
    stored = await jobs.get(job.id)
    assert stored is not None
    assert stored.reply.message_id == 77
    assert stored.acknowledged_at == NOW


async def test_an_answer_is_recorded_after_the_job_is_over(jobs: JobStore):
    job = await lead(jobs, State.SUBMITTING)
    sent = an_attempt(job)
    await jobs.record(sent)
    await jobs.save(job.cancelled(LATER, PROBLEM), expected=State.SUBMITTING, ledger=Void(job.id))
    answered = sent.accepted(LATER, RemoteRef("r1"))
    await jobs.record(answered)
    assert await jobs.attempts(job.id) == [answered]


async def test_results_of_an_attempt_come_back(jobs: JobStore):
    job = await lead(jobs, State.PROCESSING)
    files = (RemoteFile("https://x.example/1?sig=2", Stem.VOCALS), RemoteFile("handle"))
    done = an_attempt(job, ref=RemoteRef("r1")).done(LATER, files)
    await jobs.record(done)
    assert await jobs.attempts(job.id) == [done]


async def test_a_reference_once_learnt_stays(jobs: JobStore):
    job = await lead(jobs, State.SUBMITTING)
    sent = an_attempt(job)
    await jobs.record(sent.accepted(LATER, RemoteRef("r1")))
    await jobs.record(sent.ended(LATER, AttemptState.ABANDONED))
    [stored] = await jobs.attempts(job.id)
    assert stored.state is AttemptState.ABANDONED
    assert stored.ref == "r1"


async def test_attempts_come_in_their_order_whatever_the_clock_says(jobs: JobStore):
    job = await lead(jobs, State.SUBMITTING)
    for provider, number in [("soundverse", 1), ("local", 1), ("local", 2)]:
        await jobs.record(an_attempt(job, provider, number))
    await jobs.record(an_attempt(job, "audiocleaner", submitted_at=NOW - timedelta(minutes=1)))
    order = [(each.provider, each.number) for each in await jobs.attempts(job.id)]
    assert order == [("soundverse", 1), ("local", 1), ("local", 2), ("audiocleaner", 1)]


async def test_every_change_makes_an_acknowledged_reply_stale(db: Database, jobs: JobStore):
    job = await jobs.add(a_job(), max_active=1)
    assert not await jobs.owed()  # nothing is shown before the acknowledgement
    job = job.acknowledged(NOW, message_id=21)
    await jobs.save(job, expected=State.RECEIVED)
    [(stored, version)] = await jobs.stale_replies(await jobs.owed())
    assert stored == job

    await jobs.reply_shown(job.id, version)
    assert not await jobs.owed()
    await make_stale(db, job.id)
    [(_, touched)] = await jobs.stale_replies(await jobs.owed())
    assert touched > version


async def test_an_edit_of_an_older_version_leaves_the_reply_stale(jobs: JobStore):
    job = await lead(jobs, State.HELD)
    [(_, version)] = await jobs.stale_replies(await jobs.owed())
    await jobs.save(job.submitting(LATER, provider="local"), expected=State.HELD)
    await jobs.reply_shown(job.id, version)
    [(stale, newer)] = await jobs.stale_replies(await jobs.owed())
    assert stale.state is State.SUBMITTING
    await jobs.reply_shown(job.id, newer)
    await jobs.reply_shown(job.id, version)  # a late edit
    assert not await jobs.owed()


async def test_of_all_stale_replies_only_those_asked_for_are_read(jobs: JobStore):
    held, failed = await lead(jobs, State.HELD), await lead(jobs, State.FAILED)
    owed = await jobs.owed()
    assert owed.keys() == {held.id, failed.id}
    assert await jobs.stale_replies([failed.id]) == [(failed, owed[failed.id])]
    await jobs.reply_shown(failed.id, owed[failed.id])
    assert await jobs.stale_replies([failed.id]) == []


async def test_a_delivered_reply_is_current_and_its_token_is_gone(db: Database, jobs: JobStore):
    job = await lead(jobs, State.READY)
    delivered = job.delivered(LATER, message_id=88, sent=None)
    await jobs.save(delivered, expected=State.READY, reply_is_current=True)
    assert not await jobs.owed()
    stored = await jobs.get(job.id)
    assert stored is not None
    assert stored.reply.message_id == 88
    assert stored.reply.token is None


@pytest.mark.parametrize("state", [State.FAILED, State.KEPT])
async def test_the_token_of_a_finished_job_lasts_until_its_reply_is_shown(
    db: Database, jobs: JobStore, state: State
):
    job = await lead(jobs, state)
    [(stale, version)] = await jobs.stale_replies(await jobs.owed())
    assert stale.reply.token is not None
    await jobs.reply_shown(job.id, version - 1)
    assert (await jobs.get(job.id) or job).reply.token is not None
    await jobs.reply_shown(job.id, version)
    [row] = await db.read("SELECT token, token_expires_at FROM jobs")
    assert tuple(row) == (None, None)


async def test_a_job_cancelled_before_its_acknowledgement_keeps_no_token(jobs: JobStore):
    job = await jobs.add(a_job(), max_active=1)
    await jobs.save(job.cancelled(LATER, PROBLEM), expected=State.RECEIVED, ledger=Void(job.id))
    stored = await jobs.get(job.id)
    assert stored is not None
    assert stored.reply.token is None
    assert not await jobs.owed()


async def test_only_jobs_whose_work_is_over_expire(jobs: JobStore):
    over = {
        (await lead(jobs, state)).id for state in State if state.is_final or state is State.READY
    }
    for state in set(State):
        if not (state.is_final or state is State.READY):
            await lead(jobs, state)
    assert await jobs.expired(NOW) == []  # not yet due
    assert set(await jobs.expired(LATER)) == over


async def test_an_expired_job_is_marked_once_and_keeps_no_secret(db: Database, jobs: JobStore):
    job = await lead(jobs, State.KEPT)
    await jobs.record(an_attempt(job, files=(RemoteFile("https://x.example/1?sig=2"),)))
    assert await jobs.known_ids() == {job.id}
    await jobs.mark_expired(job.id)
    stored = await jobs.get(job.id)
    assert stored is not None
    assert stored.files_expired
    assert stored.request.source.url == "https://cdn.example/1/Neon%20Rain.wav"
    assert stored.reply.token is None
    assert (await jobs.attempts(job.id))[0].files == ()
    assert await jobs.expired(LATER) == []
    assert await jobs.known_ids() == frozenset()


async def test_jobs_outlive_a_crash(jobs: JobStore, address: Address):
    job = await lead(jobs, State.PROCESSING)
    again = await reopen(address)  # nothing was closed, as after a kill
    assert await JobStore(db=again).unfinished() == [job]
    await again.close()


async def test_an_attempt_of_no_job_is_refused(db: Database, jobs: JobStore):
    with pytest.raises(ConstraintViolated):
        await jobs.record(an_attempt(a_job()))
    assert await count(db, "attempts") == 0


async def test_only_kept_stems_of_the_user_can_be_shown_again(jobs: JobStore):
    assert await jobs.with_stems(USER, 5) == []
    made = await lead(jobs, State.DELIVERED)
    kept = await lead(jobs, State.KEPT)
    gone = await lead(jobs, State.DELIVERED)
    await jobs.mark_expired(gone.id)
    await lead(jobs, State.DELIVERED, job=a_job(user_id=UserId(5)))
    await lead(jobs, State.FAILED)
    assert [job.id for job in await jobs.with_stems(USER, 5)] == [kept.id, made.id]
    assert [job.id for job in await jobs.with_stems(USER, 1)] == [kept.id]


async def test_a_job_and_its_attempts_are_read_as_of_one_moment(jobs: JobStore):
    job = await lead(jobs, State.PROCESSING)
    file = RemoteFile("https://vendor.invalid/?a=1&b=[2]", Stem.VOCALS)
    first = replace(an_attempt(job, "zeta"), files=(file, RemoteFile("x")))
    second = an_attempt(job, "alpha", number=2)
    for attempt in (first, second):
        await jobs.record(attempt)
    assert await jobs.with_attempts(job.id) == (await jobs.get(job.id), [first, second])
    assert await jobs.with_attempts(JobId("nope2")) is None


async def test_a_rendition_and_what_was_heard_are_stored_with_the_job(jobs: JobStore):
    job = a_job()
    request = replace(job.request, rendition=Rendition(cents=-200, speed_percent=90))
    job = await jobs.add(replace(job, request=request), max_active=1)
    heard = Analysis(tempo=TempoEstimate(bpm=96.0))
    await jobs.note_analysis(job.id, heard)
    assert await jobs.get(job.id) == replace(job, request=request, analysis=heard)


async def test_open_attempts_are_found_of_jobs_without_a_result_only(jobs: JobStore):
    opened = []
    for job_state in (State.PROCESSING, State.DELIVERED, State.FAILED, State.CANCELLED):
        for state in (AttemptState.SENDING, AttemptState.ACCEPTED, AttemptState.DONE):
            job = await lead(jobs, job_state)
            await jobs.record(an_attempt(job, state=state))
            if job_state in (State.FAILED, State.CANCELLED):
                opened.append(job.id)
    assert [each.job_id for each in await jobs.left_open()] == opened


async def test_finished_attempts_are_left_once_the_files_of_their_jobs_are_deleted(jobs: JobStore):
    job = await lead(jobs, State.CANCELLED)
    for number, state in enumerate((AttemptState.ACCEPTED, AttemptState.DONE), start=1):
        await jobs.record(an_attempt(job, number=number, state=state))
    assert [each.number for each in await jobs.left_open()] == [1, 2]
    await jobs.mark_expired(job.id)
    assert [each.number for each in await jobs.left_open()] == [1]
