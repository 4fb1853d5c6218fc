"""A job's states: the transitions, and what each step records."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.job import TRANSITIONS, Job, State
from bot.domain.recipes import AudioFormat
from tests.support.domain_factories import NOW, PROBLEM, a_job

LATER = NOW + timedelta(minutes=1)
ENDS = {State.DELIVERED, State.KEPT, State.FAILED, State.CANCELLED}

STEPS: dict[State, Callable[[Job], Job]] = {
    State.HELD: lambda job: job.held(LATER, frames=1, minutes=1, title="Neon Rain"),
    State.SUBMITTING: lambda job: job.submitting(LATER, provider="finevoice"),
    State.PROCESSING: lambda job: job.processing(LATER),
    State.READY: lambda job: job.ready(LATER),
    State.DELIVERED: lambda job: job.delivered(LATER, message_id=1, sent=None),
    State.KEPT: lambda job: job.kept(LATER),
    State.FAILED: lambda job: job.failed(LATER, PROBLEM),
    State.CANCELLED: lambda job: job.cancelled(LATER, PROBLEM),
}

ALLOWED = {
    (State.RECEIVED, State.HELD),
    (State.RECEIVED, State.READY),
    (State.RECEIVED, State.FAILED),
    (State.RECEIVED, State.CANCELLED),
    (State.HELD, State.SUBMITTING),
    (State.HELD, State.FAILED),
    (State.HELD, State.CANCELLED),
    (State.SUBMITTING, State.SUBMITTING),
    (State.SUBMITTING, State.PROCESSING),
    (State.SUBMITTING, State.FAILED),
    (State.SUBMITTING, State.CANCELLED),
    (State.PROCESSING, State.SUBMITTING),
    (State.PROCESSING, State.READY),
    (State.PROCESSING, State.FAILED),
    (State.PROCESSING, State.CANCELLED),
    (State.READY, State.DELIVERED),
    (State.READY, State.KEPT),
    (State.READY, State.FAILED),
}


def test_table_allows_these_ways_and_no_other():
    assert {(start, end) for start, ends in TRANSITIONS.items() for end in ends} == ALLOWED
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("start", State)
@pytest.mark.parametrize("end", STEPS)
def test_step_is_taken_where_a_way_leads_and_refused_elsewhere(start: State, end: State):
    job = a_job(state=start)

    if (start, end) in ALLOWED:
        after = STEPS[end](job)
        assert (after.state, after.updated_at) == (end, LATER)
    else:
        with pytest.raises(ValueError, match=f"no transition from {start} to {end}"):
            STEPS[end](job)
    assert job == replace(job, state=start), "a step makes a new job"


def test_nothing_follows_a_final_state():
    assert {state for state in State if state.is_final} == ENDS


def test_every_state_is_reached_and_leads_to_an_end():
    reached, ahead = set(), {State.RECEIVED}
    while ahead:
        reached |= ahead
        ahead = {end for state in ahead for end in TRANSITIONS[state]} - reached
    assert reached == set(State)
    assert all(TRANSITIONS[state] & (ENDS | reached) for state in State if not state.is_final)


def test_acknowledgement_is_no_change_of_state():
    job = a_job().acknowledged(LATER, message_id=7)

    assert (job.state, job.acknowledged_at, job.reply.message_id) == (State.RECEIVED, LATER, 7)
    assert job.acknowledged(LATER, message_id=None).reply.message_id == 7


@pytest.mark.parametrize("end", [State.DELIVERED, State.KEPT])
def test_token_is_dropped_with_the_delivery(end: State):
    assert STEPS[end](a_job(state=State.READY)).reply.token is None


def test_repeat_takes_over_what_the_earlier_job_found_out():
    earlier = a_job(
        state=State.DELIVERED,
        frames=44_100,
        minutes=1,
        provider="finevoice",
        digest="d",
        is_voiceless=True,
        is_unnamed=True,
        artist="Ada",
        album="Rain",
    )

    repeat = a_job().repeated(LATER, earlier, title="New")

    assert (repeat.state, repeat.repeat_of, repeat.minutes) == (State.READY, earlier.id, None)
    assert (repeat.frames, repeat.provider, repeat.digest) == (44_100, "finevoice", "d")
    assert (repeat.title, repeat.artist, repeat.album) == ("New", "Ada", "Rain")
    assert repeat.is_voiceless
    assert repeat.is_unnamed


def test_a_repeat_of_a_repeat_names_the_job_that_made_the_stems():
    maker = a_job(job_id="mak3r", state=State.DELIVERED)
    repeat = replace(a_job().repeated(LATER, maker, title=""), state=State.DELIVERED)
    assert a_job().repeated(LATER, repeat, title="").repeat_of == maker.id


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("expired", [False, True])
def test_stems_can_be_shown_while_they_are_kept(state: State, expired: bool):
    job = a_job(state=state, files_expired=expired)

    assert job.has_stems == (state in {State.DELIVERED, State.KEPT} and not expired)


def test_asking_for_another_format_changes_nothing_else():
    job = a_job()

    other = job.asked_as(audio_format=AudioFormat.OPUS)

    assert other.request.audio_format is AudioFormat.OPUS
    assert other.asked_as(audio_format=job.request.audio_format) == job
