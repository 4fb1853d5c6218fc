"""Permissions to make decisions, and the effects of decisions on users."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from bot.admin.administration import Administration
from bot.domain.errors import QuotaExceeded, Reason, Rejected
from bot.domain.guilds import Actor, Rank, RulesChange
from bot.domain.job import Context, Job, Membership, Reply, State, UserId
from bot.domain.periods import PeriodKind
from tests.support.fakes import FakeProvider
from tests.support.harness import ADA, BEN, REPLY, REQUEST, Harness

GUILD, ELSEWHERE, SINGER = 7, 8, 70
OWNER = Actor(user_id=UserId(90), rank=Rank.OWNER, guild_id=GUILD)
MANAGER = Actor(user_id=UserId(91), rank=Rank.MANAGER, guild_id=GUILD)
MEMBER = Actor(user_id=BEN, rank=Rank.MEMBER, guild_id=GUILD)
IN_DM = replace(MEMBER, guild_id=None)
HERE = Membership(guild_id=GUILD, role_ids=(GUILD, SINGER))
DM = Reply(channel_id=5, context=Context.BOT_DM, application_id=6, token="secret")

_interactions = count(5000)

Decision = Callable[[Administration, Actor], Awaitable[object]]

OWNERS: dict[str, Decision] = {
    "fill pool": lambda admin, who: admin.fill_pool(who, GUILD, 10),
    "empty pool": lambda admin, who: admin.empty_pool(who),
    "reset": lambda admin, who: admin.reset(who, ADA),
}
MANAGERS: dict[str, Decision] = {
    "set user": lambda admin, who: admin.set_user(who, ADA, 10),
    "unset user": lambda admin, who: admin.set_user(who, ADA, None),
    "set role": lambda admin, who: admin.set_role(who, SINGER, 10),
    "unset role": lambda admin, who: admin.set_role(who, SINGER, None),
    "grant": lambda admin, who: admin.grant(who, ADA, 10),
    "block": lambda admin, who: admin.block(who, ADA),
    "unblock": lambda admin, who: admin.unblock(who, ADA),
    "change rules": lambda admin, who: admin.change_rules(who, RulesChange(is_private=True)),
}
ALL = {**OWNERS, **MANAGERS}
TABLES = ("ledger", "allowances", "role_allowances", "limits", "blocks", "servers")


async def rows(harness: Harness) -> int:
    counts = [await harness.db.read(f"SELECT count(*) AS rows FROM {table}") for table in TABLES]
    return sum(row["rows"] for [row] in counts)


async def ask(harness: Harness, *, reply: Reply = REPLY, user_id: UserId = ADA, role_ids=()) -> Job:
    splits = harness.services.splits
    request = replace(REQUEST, user_id=user_id, role_ids=role_ids)
    job = await splits.receive(interaction_id=next(_interactions), request=request, reply=reply)
    await splits.acknowledged(job.id, message_id=70)
    return await harness.until(job.id)


async def refused(asking: Awaitable[object]) -> Reason:
    with pytest.raises(Rejected) as refusal:
        await asking
    return refusal.value.problem.reason


@pytest.mark.parametrize("decision", ALL.values(), ids=ALL)
@pytest.mark.parametrize("who", [MEMBER, IN_DM], ids=["in the server", "in a DM"])
async def test_who_is_neither_owner_nor_manager_decides_nothing(
    harness: Harness, decision: Decision, who: Actor
) -> None:
    reason = await refused(decision(harness.services.administration, who))
    assert reason in (Reason.OWNER_ONLY, Reason.MANAGERS_ONLY)
    assert await rows(harness) == 0


@pytest.mark.parametrize("decision", OWNERS.values(), ids=OWNERS)
async def test_managers_do_not_decide_what_is_the_owners(
    harness: Harness, decision: Decision
) -> None:
    assert await refused(decision(harness.services.administration, MANAGER)) is Reason.OWNER_ONLY
    assert await rows(harness) == 0


@pytest.mark.parametrize("decision", ALL.values(), ids=ALL)
async def test_the_owner_decides_everything(harness: Harness, decision: Decision) -> None:
    await decision(harness.services.administration, OWNER)


async def test_only_the_owner_sees_providers_and_figures(harness: Harness) -> None:
    for who in (MEMBER, IN_DM, MANAGER):
        assert await refused(harness.services.overview.providers(who)) is Reason.OWNER_ONLY
        assert await refused(harness.services.overview.stats(who)) is Reason.OWNER_ONLY


async def test_managers_may_lower_but_not_raise(harness: Harness) -> None:
    admin, quotas = harness.services.administration, harness.services.quotas
    await admin.set_user(MANAGER, ADA, 60, HERE)
    assert await refused(admin.set_user(MANAGER, ADA, 61, HERE)) is Reason.RAISES_ALLOWANCE
    assert await refused(admin.set_role(MANAGER, SINGER, 61)) is Reason.RAISES_ALLOWANCE
    await admin.set_user(MANAGER, ADA, 10, HERE)
    assert (await quotas.usage(ADA, HERE)).allowance == 10
    assert (await quotas.usage(ADA)).allowance == 60
    assert (await quotas.usage(ADA, Membership(guild_id=ELSEWHERE))).allowance == 60


async def test_managers_may_lower_what_the_owner_gave_and_lift_that_again(harness: Harness) -> None:
    admin, quotas = harness.services.administration, harness.services.quotas
    await admin.set_role(OWNER, SINGER, 240)
    await admin.set_role(MANAGER, SINGER, 100)
    assert (await quotas.usage(ADA, HERE)).allowance == 100
    await admin.set_role(MANAGER, SINGER, 200)
    assert (await quotas.usage(ADA, HERE)).allowance == 200
    await admin.set_role(MANAGER, SINGER, None)
    assert (await quotas.usage(ADA, HERE)).allowance == 240


async def test_roles_are_about_a_server(harness: Harness) -> None:
    admin = harness.services.administration
    in_dm = replace(OWNER, guild_id=None)
    assert await refused(admin.set_role(in_dm, SINGER, 10)) is Reason.SERVER_ONLY
    assert await refused(admin.change_rules(in_dm, RulesChange())) is Reason.SERVER_ONLY


async def test_an_owner_in_a_dm_decides_about_people(harness: Harness) -> None:
    in_dm = replace(OWNER, guild_id=None)
    await harness.services.administration.set_user(in_dm, ADA, 5)
    await harness.services.administration.block(in_dm, BEN)
    assert (await harness.usage()).allowance == 5
    assert await refused(ask(harness, user_id=BEN)) is Reason.BLOCKED


async def test_roles_travel_with_the_request_and_count_in_their_server_only(
    harness: Harness,
) -> None:
    await harness.services.administration.set_user(OWNER, ADA, None)
    await harness.services.administration.set_role(OWNER, SINGER, 3)
    job = await ask(harness, role_ids=(GUILD, SINGER))
    assert job.state is State.FAILED
    assert job.problem is not None
    assert job.problem.reason is Reason.QUOTA
    assert (job.problem.facts["needed"], job.problem.facts["allowance"]) == (4, 3)
    assert (await ask(harness, role_ids=(GUILD,))).state is State.DELIVERED
    assert (await ask(harness, reply=DM, role_ids=(GUILD, SINGER))).state is State.DELIVERED


async def test_a_hold_records_the_allowance_of_the_role(harness: Harness) -> None:
    await harness.services.administration.set_role(OWNER, SINGER, 240)
    job = await ask(harness, role_ids=(GUILD, SINGER))
    [row] = await harness.db.read(
        "SELECT allowance FROM ledger WHERE job_id = ? AND kind = 'hold'", (job.id,)
    )
    assert row["allowance"] == 240


async def test_a_pool_pays_in_its_server_and_the_card_says_so(harness: Harness) -> None:
    admin = harness.services.administration
    assert await admin.fill_pool(OWNER, GUILD, 100) == 100
    assert await admin.grant(MANAGER, ADA, 10) == 90
    await ask(harness)
    await ask(harness, reply=DM)
    assert (await harness.usage()).used == 4
    shared = (await harness.services.quotas.standing(ADA, HERE)).shared
    assert shared is not None
    assert (shared.used, shared.left) == (4, 6)
    first, second = (parcel.usage for _, parcel in harness.delivery.shown)
    assert first is not None
    assert second is not None
    assert (first.guild_id, first.left, first.total) == (GUILD, 6, 10)
    assert (second.guild_id, second.left, second.total) == (None, 56, 60)


async def test_who_used_up_their_own_may_still_spend_what_the_server_gave(harness: Harness) -> None:
    admin = harness.services.administration
    await admin.set_user(OWNER, ADA, 0)
    with pytest.raises(QuotaExceeded):
        await harness.receive()
    await admin.fill_pool(OWNER, GUILD, 100)
    await admin.grant(MANAGER, ADA, 10)
    assert (await ask(harness)).state is State.DELIVERED
    with pytest.raises(QuotaExceeded):
        await ask(harness, reply=DM)


async def test_a_manager_hands_out_no_more_than_the_pool_has(harness: Harness) -> None:
    admin = harness.services.administration
    await admin.fill_pool(OWNER, GUILD, 9)
    assert await refused(admin.grant(MANAGER, ADA, 10)) is Reason.POOL_TOO_SMALL
    elsewhere = replace(MANAGER, guild_id=ELSEWHERE)
    assert await refused(admin.grant(elsewhere, ADA, 1)) is Reason.POOL_TOO_SMALL


async def test_managers_see_their_pool_and_nobody_elses(harness: Harness) -> None:
    admin = harness.services.administration
    await admin.fill_pool(OWNER, GUILD, 9)
    assert await admin.pool_seen_by(MANAGER) == 9
    assert await admin.pool_seen_by(OWNER) == 9
    assert await admin.pool_seen_by(MEMBER) is None
    assert await admin.pool_seen_by(replace(MANAGER, guild_id=ELSEWHERE)) is None
    assert await admin.pool_seen_by(replace(OWNER, guild_id=None)) is None


async def test_what_a_period_gave_ends_with_it(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, quota_period=PeriodKind.WEEK)
    admin, quotas = harness.services.administration, harness.services.quotas
    await admin.fill_pool(OWNER, GUILD, 100)
    await admin.grant(MANAGER, ADA, 10)
    await admin.grant(OWNER, ADA, 30)
    end = quotas.period.ends_at
    harness.clock.at = end - timedelta(seconds=1)
    assert (await harness.usage()).total == 90
    assert (await quotas.minutes(ADA, HERE)).total == 100
    harness.clock.at = end
    assert (await harness.usage()).total == 60
    assert (await quotas.standing(ADA, HERE)).shared is None
    assert await admin.pool_seen_by(MANAGER) == 90, "what was not handed out stays in the pool"
    await harness.close()


async def test_a_reset_gives_used_minutes_back_and_leaves_holds_alone(tmp_path: Path) -> None:
    provider = FakeProvider()
    harness = await Harness.build(tmp_path, provider)
    await ask(harness)
    waiting = await harness.receive()
    harness.downloads.song = b"another"
    provider.gate = asyncio.Event()
    await harness.services.splits.acknowledged(waiting.id, message_id=71)
    await harness.until(waiting.id, State.SUBMITTING)
    assert await harness.services.administration.reset(OWNER, ADA) == 4
    usage = await harness.usage()
    assert (usage.used, usage.held, usage.left) == (0, 4, 56)
    provider.gate.set()
    await harness.until(waiting.id)
    assert (await harness.usage()).used == 4
    await harness.close()


async def test_minutes_of_a_server_raise_what_may_be_submitted(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, quota_minutes=1)
    admin = harness.services.administration
    await admin.fill_pool(OWNER, GUILD, 100)
    await admin.grant(MANAGER, ADA, 4)
    job = await ask(harness)
    assert job.state is State.DELIVERED, "4 min fit under twice the 1 + 4 that Ada has"
    await harness.close()


async def test_the_owner_blocks_everywhere_and_a_manager_in_their_server(harness: Harness) -> None:
    admin = harness.services.administration
    assert await admin.block(MANAGER, ADA)
    assert await refused(ask(harness)) is Reason.BLOCKED_HERE
    assert (await ask(harness, reply=DM)).state is State.DELIVERED
    assert await admin.block(OWNER, ADA)
    assert await refused(ask(harness)) is Reason.BLOCKED
    assert await refused(ask(harness, reply=DM)) is Reason.BLOCKED


async def test_a_manager_does_not_lift_the_owners_block(harness: Harness) -> None:
    admin = harness.services.administration
    await admin.block(OWNER, ADA)
    assert await refused(admin.unblock(MANAGER, ADA)) is Reason.OWNER_ONLY
    assert await refused(ask(harness)) is Reason.BLOCKED


async def test_the_owner_lifts_both_blocks(harness: Harness) -> None:
    admin = harness.services.administration
    await admin.block(OWNER, ADA)
    await admin.block(MANAGER, ADA)
    assert await admin.unblock(OWNER, ADA)
    assert not await admin.unblock(OWNER, ADA)
    assert (await ask(harness)).state is State.DELIVERED


async def test_songs_are_split_in_allowed_channels_and_their_threads(harness: Harness) -> None:
    admin, switch = harness.services.administration, RulesChange(switched_channel_id=50)
    await admin.change_rules(MANAGER, switch)
    with pytest.raises(Rejected) as refusal:
        await ask(harness)
    assert refusal.value.problem.reason is Reason.WRONG_CHANNEL
    assert refusal.value.problem.facts == {"channel_id": 50}
    thread = replace(REPLY, channel_id=51, parent_channel_id=50)
    for reply in (replace(REPLY, channel_id=50), thread, DM, replace(REPLY, guild_id=ELSEWHERE)):
        assert (await ask(harness, reply=reply)).state is State.DELIVERED
    await admin.change_rules(MANAGER, switch)
    assert (await ask(harness)).state is State.DELIVERED


async def test_a_refused_request_leaves_no_job_behind(harness: Harness) -> None:
    await harness.services.administration.block(OWNER, ADA)
    await refused(harness.receive())
    assert await harness.services.splits.jobs_of(ADA) == []


async def test_where_a_request_was_made_and_by_whom_is_stored(harness: Harness) -> None:
    reply = replace(REPLY, channel_id=51, parent_channel_id=50)
    job = await ask(harness, reply=reply, role_ids=(GUILD, SINGER))
    stored = await harness.job(job.id)
    assert stored.membership == HERE
    assert stored.reply.parent_channel_id == 50
    assert (await ask(harness, reply=DM)).membership is None
