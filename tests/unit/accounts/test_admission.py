"""The places in which the operator allows the bot to be used."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.accounts.admission import GuildAdmission
from bot.domain.errors import Reason, Rejected
from bot.domain.guilds import GuildRules
from bot.domain.job import Context, Reply
from bot.domain.minutes import Usage
from storage.database.connection import Database
from storage.stores.guild_settings import GuildStore
from storage.stores.standing import Standing
from tests.support.databases import open_database
from tests.support.domain_factories import TODAY, StillClock

HERE, ELSEWHERE = 13, 14
NOTHING_USED = Usage(allowance=60, granted=0, used=0, held=0, period=TODAY)
OUTSIDE = (Context.BOT_DM, Context.GUILD_USER_INSTALL, Context.GROUP_DM, Context.PRIVATE_DM)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[GuildStore]:
    db = await open_database(tmp_path / "stemcord.db", Database)
    yield GuildStore(db=db, clock=StillClock())
    await db.close()


async def refusal(store: GuildStore, context: Context, guild_id: int | None, **rules: Any):
    reply = Reply(channel_id=1, context=context, application_id=2, guild_id=guild_id)
    standing = Standing(block=None, rules=GuildRules(), own=NOTHING_USED, shared=None)
    try:
        GuildAdmission(store=store, **rules).check(standing, reply)
    except Rejected as exc:
        return exc.problem.reason
    return None


@pytest.mark.parametrize("context", Context)
async def test_everywhere_is_allowed_unless_the_operator_says_otherwise(
    store: GuildStore, context: Context
):
    assert await refusal(store, context, HERE) is None


@pytest.mark.parametrize("context", [Context.GUILD, Context.GUILD_EPHEMERAL])
async def test_servers_that_are_not_listed_are_refused(store: GuildStore, context: Context):
    rules = {"allowed_guilds": {HERE}, "allow_dms": False}

    assert await refusal(store, context, HERE, **rules) is None
    assert await refusal(store, context, ELSEWHERE, **rules) is Reason.NOT_OFFERED_HERE


@pytest.mark.parametrize("context", OUTSIDE)
async def test_direct_messages_and_user_installs_go_by_their_own_setting(
    store: GuildStore, context: Context
):
    guild = ELSEWHERE if context is Context.GUILD_USER_INSTALL else None

    assert await refusal(store, context, guild, allowed_guilds={HERE}) is None
    assert await refusal(store, context, guild, allow_dms=False) is Reason.NOT_OFFERED_HERE
