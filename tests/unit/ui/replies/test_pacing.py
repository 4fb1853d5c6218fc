import pytest

from bot.domain.job import JobId
from bot.ui.replies.pacing import MAX_REFUSALS, EditRequest, Pacing, Urgency

FINAL, STATE, PROGRESS = Urgency.FINAL, Urgency.STATE, Urgency.PROGRESS


def edit(
    urgency: Urgency,
    *,
    job: str = "k7f2q",
    age_s: float = 10.0,
    channel_id: int | None = None,
    active_cards: int = 1,
) -> EditRequest:
    return EditRequest(
        job_id=JobId(job),
        urgency=urgency,
        age_s=age_s,
        channel_id=channel_id,
        active_cards=active_cards,
    )


@pytest.mark.parametrize("urgency", Urgency)
def test_the_first_edit_goes_at_once(urgency: Urgency) -> None:
    assert Pacing().wait_s(edit(urgency), 100.0) == 0


@pytest.mark.parametrize(("age_s", "gap_s"), [(0, 3), (59, 3), (60, 10), (1000, 10)])
def test_progress_slows_down_after_the_first_minute(age_s: float, gap_s: float) -> None:
    pacing = Pacing()
    pacing.made(edit(PROGRESS), 100.0)
    assert pacing.wait_s(edit(PROGRESS, age_s=age_s), 101.0) == gap_s - 1
    assert pacing.wait_s(edit(PROGRESS, age_s=age_s), 100.0 + gap_s) == 0


def test_a_state_counts_as_the_latest_edit_of_its_job_alone() -> None:
    pacing = Pacing()
    pacing.made(edit(STATE), 100.0)
    assert pacing.wait_s(edit(PROGRESS), 100.0) == 3
    assert pacing.wait_s(edit(PROGRESS, job="other"), 100.0) == 0


def test_states_wait_for_a_reader_and_final_ones_for_nobody() -> None:
    pacing = Pacing()
    pacing.made(edit(PROGRESS), 100.0)
    assert pacing.wait_s(edit(STATE), 100.25) == 0.75
    assert pacing.wait_s(edit(FINAL), 100.25) == 0


@pytest.mark.parametrize("urgency", Urgency)
def test_a_channel_takes_one_edit_a_second(urgency: Urgency) -> None:
    pacing = Pacing()
    pacing.made(edit(PROGRESS, job="other", channel_id=5), 100.0)
    assert pacing.wait_s(edit(urgency, channel_id=5), 100.25) == 0.75
    assert pacing.wait_s(edit(urgency, channel_id=6), 100.25) == 0
    assert pacing.wait_s(edit(urgency), 100.25) == 0, "a token has no channel's limit"


def test_a_crowded_channel_gets_no_progress() -> None:
    pacing = Pacing()
    assert pacing.wait_s(edit(PROGRESS, channel_id=5, active_cards=5), 100.0) == 0
    assert pacing.wait_s(edit(PROGRESS, channel_id=5, active_cards=6), 100.0) is None
    assert pacing.wait_s(edit(STATE, channel_id=5, active_cards=6), 100.0) == 0
    assert pacing.wait_s(edit(PROGRESS, active_cards=6), 100.0) == 0


def test_what_is_not_last_lets_every_last_edit_of_its_channel_go_first() -> None:
    pacing = Pacing()
    pacing.made(edit(STATE, job="before", channel_id=5), 100.0)
    assert pacing.wait_s(edit(FINAL, job="one", channel_id=5), 100.5) == 0.5
    assert pacing.wait_s(edit(FINAL, job="two", channel_id=5), 100.5) == 1.5
    assert pacing.wait_s(edit(STATE, job="other", channel_id=5), 101.0) == 2
    assert pacing.wait_s(edit(STATE, job="other", channel_id=6), 101.0) == 0
    for at, job in ((101.0, "one"), (102.0, "two")):
        assert pacing.wait_s(edit(FINAL, job=job, channel_id=5), at) == 0
        pacing.made(edit(FINAL, job=job, channel_id=5), at)
    assert pacing.wait_s(edit(STATE, job="other", channel_id=5), 103.0) == 0


def test_last_edits_of_a_channel_go_in_the_order_of_their_coming() -> None:
    pacing = Pacing()
    pacing.made(edit(STATE, job="before", channel_id=5), 100.0)
    for job in ("one", "two", "three"):
        pacing.wait_s(edit(FINAL, job=job, channel_id=5), 100.0)
    assert pacing.wait_s(edit(FINAL, job="three", channel_id=5), 101.0) == 2
    assert pacing.wait_s(edit(FINAL, job="two", channel_id=5), 101.0) == 1
    assert pacing.wait_s(edit(FINAL, job="one", channel_id=5), 101.0) == 0


def test_a_last_edit_that_never_comes_holds_up_nobody_for_good() -> None:
    pacing = Pacing()
    pacing.made(edit(STATE, job="before", channel_id=5), 100.0)
    for job in ("gone", "later"):
        pacing.wait_s(edit(FINAL, job=job, channel_id=5), 100.0)
    assert pacing.wait_s(edit(FINAL, job="later", channel_id=5), 102.0) == 0
    assert pacing.wait_s(edit(STATE, channel_id=5), 103.0) == 0


def test_a_forgotten_job_waits_for_its_channel_no_longer() -> None:
    pacing = Pacing()
    pacing.made(edit(STATE, job="before", channel_id=5), 100.0)
    pacing.wait_s(edit(FINAL, job="gone", channel_id=5), 100.0)
    pacing.forget(JobId("gone"))
    assert pacing.wait_s(edit(STATE, channel_id=5), 101.0) == 0


def test_an_old_message_gets_only_its_last_edit() -> None:
    pacing = Pacing()
    for urgency, wait_s in {PROGRESS: None, STATE: None, FINAL: 0.0}.items():
        assert pacing.wait_s(edit(urgency, channel_id=5, age_s=3600), 100.0) == wait_s


def test_many_refusals_leave_only_last_edits_until_they_are_past() -> None:
    pacing = Pacing()
    for _ in range(MAX_REFUSALS):
        pacing.refused(100.0)
    assert pacing.wait_s(edit(STATE), 699.0) is None
    assert pacing.wait_s(edit(FINAL), 699.0) == 0
    assert pacing.wait_s(edit(STATE), 701.0) == 0


def test_a_forgotten_job_starts_anew() -> None:
    pacing = Pacing()
    pacing.made(edit(PROGRESS), 100.0)
    pacing.forget(JobId("k7f2q"))
    assert pacing.wait_s(edit(PROGRESS), 100.0) == 0
