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
from tests.support.domain_factories import TODAY, USER, StillClock

HERE, ELSEWHERE = 13, 14
NOTHING_USED = Usage(allowance=60, granted=0, used=0, held=0, period=TODAY)
OUTSIDE = {
    "bot's DM": {"context": Context.BOT_DM},
    "group": {"context": Context.GROUP_DM},
    "two people": {"context": Context.PRIVATE_DM},
    "privately, outside servers": {"context": Context.GUILD_EPHEMERAL},
    "user install": {
        "context": Context.GUILD_USER_INSTALL,
        "guild_id": ELSEWHERE,
        "is_user_install": True,
    },
    "user install, privately": {
        "context": Context.GUILD_EPHEMERAL,
        "guild_id": ELSEWHERE,
        "is_user_install": True,
    },
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[GuildStore]:
    db = await open_database(tmp_path / "stemcord.db", Database)
    yield GuildStore(db=db, clock=StillClock())
    await db.close()


async def refusal(store: GuildStore, place: dict[str, Any], **rules: Any) -> Reason | None:
    """Return why songs are not split in a place; the same applies to finished results."""
    reply = Reply(channel_id=1, application_id=2, **place)
    standing = Standing(block=None, rules=GuildRules(), own=NOTHING_USED, shared=None)
    admission = GuildAdmission(store=store, **rules)
    try:
        await admission.check_person(USER, reply)
    except Rejected as exc:
        with pytest.raises(Rejected):
            admission.check(standing, reply)
        return exc.problem.reason
    admission.check(standing, reply)
    return None


@pytest.mark.parametrize("context", Context)
async def test_everywhere_is_allowed_unless_the_operator_says_otherwise(
    store: GuildStore, context: Context
):
    assert await refusal(store, {"context": context, "guild_id": HERE}) is None


@pytest.mark.parametrize("context", [Context.GUILD, Context.GUILD_EPHEMERAL])
async def test_servers_that_are_not_listed_are_refused(store: GuildStore, context: Context):
    rules = {"allowed_guilds": {HERE}, "allow_dms": False}

    here = {"context": context, "guild_id": HERE}
    assert await refusal(store, here, **rules) is None
    elsewhere = {"context": context, "guild_id": ELSEWHERE}
    assert await refusal(store, elsewhere, **rules) is Reason.NOT_OFFERED_HERE


@pytest.mark.parametrize("place", OUTSIDE.values(), ids=OUTSIDE)
async def test_direct_messages_and_user_installs_go_by_their_own_setting(
    store: GuildStore, place: dict[str, Any]
):
    assert await refusal(store, place, allowed_guilds={HERE}) is None
    assert await refusal(store, place, allow_dms=False) is Reason.NOT_OFFERED_HERE
