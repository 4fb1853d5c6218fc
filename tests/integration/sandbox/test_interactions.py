"""Raw interaction requests: which answers, times and tokens are valid."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import SandboxClient, SandboxRefused
from sandbox.errors import Json
from sandbox.server import Sandbox
from tests.integration.sandbox.raw_bot import RawBot

MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL = range(4, 10)
EPHEMERAL = 64
BUTTON = {"type": 2, "style": 1, "label": "Cancel", "custom_id": "cancel"}
ROW = {"type": 1, "components": [BUTTON]}
SPLIT = {
    "name": "split",
    "description": "Split a song",
    "integration_types": [0, 1],
    "options": [
        {"name": "file", "description": "f", "type": 11, "file_types": ["audio"]},
        {"name": "provider", "description": "p", "type": 3, "autocomplete": True},
        {"name": "minutes", "description": "m", "type": 4, "min_value": 1},
        {"name": "who", "description": "w", "type": 6},
        {"name": "key", "description": "k", "type": 4, "min_value": -12, "max_value": 12},
    ],
}
ADMIN = {
    "name": "admin",
    "description": "Admin",
    "options": [
        {
            "name": "quota",
            "description": "q",
            "type": 2,
            "options": [{"name": "reset", "description": "r", "type": 1, "options": []}],
        }
    ],
}


class UserAndBot:
    """A user who sends commands and the bot that answers them."""

    def __init__(self, *, ada: SandboxClient, bot: RawBot) -> None:
        self.ada = ada
        self.bot = bot

    async def opens(self, act: Coroutine[Any, Any, Json]) -> tuple[Json, "asyncio.Task[Json]"]:
        waiting = asyncio.create_task(act)
        return await self.bot.event("INTERACTION_CREATE"), waiting

    async def answered(self, kind: int, data: Json | None = None) -> tuple[Json, Json]:
        """Use `/split` and answer it, and return the interaction and the user's response."""
        interaction, waiting = await self.opens(self.ada.command("split"))
        assert await self.bot.answer(interaction, kind, data) == 0
        return interaction, await waiting


@pytest.fixture
async def pair(raw_bot: RawBot, ada: SandboxClient) -> UserAndBot:
    path = f"/applications/{raw_bot.application}/commands"
    status, _ = await raw_bot.ask("PUT", path, [SPLIT, ADMIN])
    assert status == 200
    await raw_bot.listen()
    return UserAndBot(ada=ada, bot=raw_bot)


async def test_interaction_in_a_server_carries_what_a_bot_needs(
    pair: UserAndBot, sandbox: Sandbox
) -> None:
    interaction, _ = await pair.answered(DEFERRED)
    guild = next(iter(sandbox.world.guilds.values()))
    assert interaction["context"] == 0
    assert interaction["authorizing_integration_owners"] == {"0": str(guild.id)}
    assert interaction["attachment_size_limit"] == 10 * 1024 * 1024
    assert interaction["member"]["user"]["global_name"] == "Ada"
    assert int(interaction["member"]["permissions"]) & 1 << 5
    assert "user" not in interaction


async def test_interaction_in_a_group_is_private_and_out_of_the_bots_reach(
    pair: UserAndBot, sandbox: Sandbox
) -> None:
    ada, ben, cleo = sandbox.world.people
    sandbox.world.change_user(ada.id, accepts_dms=True, installed_app=True)
    channel = sandbox.world.add_private_channel("trio", members=[ada.id, ben.id, cleo.id])
    pair.ada.in_channel("trio")
    interaction, answer = await pair.answered(MESSAGE, {"content": "x"})
    assert interaction["context"] == 2
    assert interaction["authorizing_integration_owners"] == {"1": str(ada.id)}
    path = f"/channels/{channel.id}/messages/{answer['message_id']}"
    assert await pair.bot.refused("PATCH", path, {"content": "y"}) == 50001
    original = f"{pair.bot.webhook(interaction)}/messages/@original"
    assert (await pair.bot.ask("PATCH", original, {"content": "y"}))[0] == 200


async def test_command_is_missing_where_nobody_installed_the_app(
    pair: UserAndBot, sandbox: Sandbox
) -> None:
    guild = next(iter(sandbox.world.guilds.values()))
    sandbox.world.add_guild(replace(guild, has_bot=False))
    with pytest.raises(SandboxRefused, match="not installed"):
        await pair.ada.command("split")


async def test_user_install_works_in_a_server_without_the_bot(
    pair: UserAndBot, sandbox: Sandbox
) -> None:
    guild = next(iter(sandbox.world.guilds.values()))
    sandbox.world.add_guild(replace(guild, has_bot=False))
    ada = sandbox.world.owner
    sandbox.world.change_user(ada.id, accepts_dms=True, installed_app=True)
    interaction, answer = await pair.answered(MESSAGE, {"content": "x"})
    assert interaction["context"] == 0
    assert interaction["authorizing_integration_owners"] == {"1": str(ada.id)}
    path = f"/channels/{interaction['channel_id']}/messages/{answer['message_id']}"
    assert await pair.bot.refused("PATCH", path, {"content": "y"}) == 50001


async def test_five_follow_ups_are_allowed_where_only_the_user_has_the_app(
    pair: UserAndBot, sandbox: Sandbox
) -> None:
    ada, ben, cleo = sandbox.world.people
    sandbox.world.change_user(ada.id, accepts_dms=True, installed_app=True)
    sandbox.world.add_private_channel("trio", members=[ada.id, ben.id, cleo.id])
    pair.ada.in_channel("trio")
    interaction, _ = await pair.answered(MESSAGE, {"content": "x"})
    webhook = pair.bot.webhook(interaction)
    statuses = [(await pair.bot.ask("POST", webhook, {"content": "y"}))[0] for _ in range(5)]
    assert statuses == [200] * 5
    assert await pair.bot.refused("POST", webhook, {"content": "y"}) == 40094


async def test_follow_up_to_a_deferred_answer_fills_it_in_and_keeps_it_ephemeral(
    pair: UserAndBot,
) -> None:
    interaction, answer = await pair.answered(DEFERRED, {"flags": EPHEMERAL})
    _, message = await pair.bot.ask("POST", pair.bot.webhook(interaction), {"content": "x"})
    assert message["id"] == answer["message_id"]
    [shown] = await pair.ada.messages()
    assert (shown["content"], shown["ephemeral"], shown["loading"]) == ("x", True, False)


async def test_refused_answer_may_be_tried_again(pair: UserAndBot) -> None:
    interaction, waiting = await pair.opens(pair.ada.command("split"))
    assert await pair.bot.answer(interaction, MESSAGE, {"content": ""}) == 50006
    assert await pair.bot.answer(interaction, MESSAGE, {"content": "x"}) == 0
    assert (await waiting)["ok"]


async def test_answer_of_a_kind_that_does_not_fit_is_refused(pair: UserAndBot) -> None:
    interaction, waiting = await pair.opens(pair.ada.command("split"))
    assert await pair.bot.answer(interaction, CHOICES, {"choices": []}) == 50035
    assert await pair.bot.answer(interaction, UPDATE, {"content": "x"}) == 50035
    assert await pair.bot.answer(interaction, DEFERRED) == 0
    await waiting


async def test_unknown_interaction_and_unknown_token_are_refused(pair: UserAndBot) -> None:
    interaction, waiting = await pair.opens(pair.ada.command("split"))
    assert await pair.bot.answer(interaction | {"id": "5"}, MESSAGE, {"content": "x"}) == 10062
    original = f"{pair.bot.webhook(interaction)}/messages/@original"
    assert await pair.bot.refused("GET", original) == 10015
    await pair.bot.answer(interaction, DEFERRED)
    await waiting
    wrong = pair.bot.webhook(interaction | {"token": "wrong"})
    assert await pair.bot.refused("POST", wrong, {"content": "x"}) == 50027


async def test_token_does_not_reach_messages_of_other_interactions(pair: UserAndBot) -> None:
    first, _ = await pair.answered(MESSAGE, {"content": "first"})
    _, second = await pair.answered(MESSAGE, {"content": "second"})
    path = f"{pair.bot.webhook(first)}/messages/{second['message_id']}"
    assert await pair.bot.refused("PATCH", path, {"content": "x"}) == 10008


async def test_answer_is_told_back_when_asked_for(pair: UserAndBot) -> None:
    interaction, waiting = await pair.opens(pair.ada.command("split"))
    path = f"/interactions/{interaction['id']}/{interaction['token']}/callback?with_response=1"
    _, told = await pair.bot.ask("POST", path, {"type": DEFERRED, "data": {"flags": EPHEMERAL}})
    answer = await waiting
    assert told["interaction"]["response_message_id"] == answer["message_id"]
    assert told["interaction"]["response_message_loading"]
    assert told["interaction"]["response_message_ephemeral"]
    assert told["resource"]["message"]["flags"] == EPHEMERAL | 128


async def test_button_updates_its_message_and_original_means_that_message(pair: UserAndBot) -> None:
    _, answer = await pair.answered(MESSAGE, {"content": "x", "components": [ROW]})
    [message] = await pair.ada.messages()
    pressed, waiting = await pair.opens(pair.ada.press(message, "Cancel"))
    assert pressed["data"] == {"custom_id": "cancel", "component_type": 2}
    assert pressed["message"]["id"] == answer["message_id"]
    assert await pair.bot.answer(pressed, DEFERRED_UPDATE) == 0
    await waiting
    original = f"{pair.bot.webhook(pressed)}/messages/@original"
    await pair.bot.ask("PATCH", original, {"content": "cancelled", "components": []})
    [shown] = await pair.ada.messages()
    assert (shown["content"], shown["components"]) == ("cancelled", [])


async def test_disabled_button_cannot_be_pressed(pair: UserAndBot) -> None:
    row = {"type": 1, "components": [BUTTON | {"disabled": True}]}
    await pair.answered(MESSAGE, {"content": "x", "components": [row]})
    [message] = await pair.ada.messages()
    with pytest.raises(SandboxRefused, match="disabled"):
        await pair.ada.press(message, "Cancel")


async def test_menu_gives_the_chosen_values(pair: UserAndBot) -> None:
    options = [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]
    menu = {"type": 3, "custom_id": "recipe", "options": options}
    row = {"type": 1, "components": [menu]}
    await pair.answered(MESSAGE, {"content": "x", "components": [row]})
    [message] = await pair.ada.messages()
    with pytest.raises(SandboxRefused):
        await pair.ada.press(message, "recipe", values=["c"])
    chosen, waiting = await pair.opens(pair.ada.press(message, "recipe", values=["b"]))
    assert chosen["data"]["values"] == ["b"]
    await pair.bot.answer(chosen, DEFERRED_UPDATE)
    await waiting


async def test_more_than_25_suggestions_are_refused(pair: UserAndBot) -> None:
    asking = asyncio.create_task(pair.ada.autocomplete("split", "provider", "lo", minutes=5))
    interaction = await pair.bot.event("INTERACTION_CREATE")
    assert interaction["data"]["options"] == [
        {"name": "provider", "type": 3, "value": "lo", "focused": True},
        {"name": "minutes", "type": 4, "value": 5},
    ]
    choices = [{"name": str(number), "value": str(number)} for number in range(26)]
    assert await pair.bot.answer(interaction, CHOICES, {"choices": choices}) == 50035
    assert await pair.bot.answer(interaction, CHOICES, {"choices": choices[:25]}) == 0
    assert await asking == choices[:25]


async def test_subcommand_is_nested_in_its_group(pair: UserAndBot) -> None:
    interaction, waiting = await pair.opens(pair.ada.command("admin quota reset"))
    [group] = interaction["data"]["options"]
    assert (group["name"], group["options"][0]["name"]) == ("quota", "reset")
    await pair.bot.answer(interaction, DEFERRED)
    await waiting


async def test_chosen_person_is_resolved(pair: UserAndBot, sandbox: Sandbox) -> None:
    ben = next(user for user in sandbox.world.people if user.name == "Ben")
    interaction, waiting = await pair.opens(pair.ada.command("split", who=str(ben.id)))
    resolved = interaction["data"]["resolved"]
    assert resolved["users"][str(ben.id)]["global_name"] == "Ben"
    assert str(ben.id) in resolved["members"]
    await pair.bot.answer(interaction, DEFERRED)
    await waiting


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"colour": "red"}, "no option colour"),
        ({"minutes": 0}, "out of range"),
        ({"minutes": "many"}, "whole number"),
        ({"minutes": 1.5}, "whole number"),
        ({"minutes": True}, "whole number"),
        ({"minutes": 10**20}, "whole number"),
        ({"key": 13}, "out of range"),
        ({"key": "-13"}, "out of range"),
        ({"provider": {"upload": "1"}}, "no such upload"),
    ],
)
async def test_option_that_an_app_would_not_send_is_refused(
    pair: UserAndBot, options: Json, reason: str
) -> None:
    with pytest.raises(SandboxRefused, match=reason):
        await pair.ada.command("split", **options)


@pytest.mark.parametrize("key", [-12, 12, "-3", 4.0])
async def test_number_arrives_as_a_number(pair: UserAndBot, key: object) -> None:
    interaction, waiting = await pair.opens(pair.ada.command("split", key=key))
    value = interaction["data"]["options"][0]["value"]
    assert isinstance(value, int)
    assert value == int(str(key).removesuffix(".0"))
    await pair.bot.answer(interaction, DEFERRED)
    await waiting


async def test_file_of_another_type_is_refused(pair: UserAndBot, tmp_path: Path) -> None:
    text = tmp_path / "lyrics.txt"
    text.write_text("la la")
    with pytest.raises(SandboxRefused, match="types"):
        await pair.ada.command("split", file=text)


async def test_nobody_answers_while_the_bot_is_away(ada: SandboxClient, raw_bot: RawBot) -> None:
    path = f"/applications/{raw_bot.application}/commands"
    await raw_bot.ask("PUT", path, [SPLIT])
    raw_bot.sandbox.interactions.answer_within_s = 0.05
    with pytest.raises(SandboxRefused, match="The application did not respond"):
        await ada.command("split")


def command(**changes: Any) -> Json:
    return {"name": "split", "description": "d", **changes}


def option(**changes: Any) -> Json:
    return {"name": "stems", "description": "d", "type": 3, **changes}


@pytest.mark.parametrize(
    ("commands", "wrong"),
    [
        ([command(name="Split")], "0.name"),
        ([command(name="x" * 33)], "0.name"),
        ([command(description="")], "0.description"),
        ([command(description="x" * 101)], "0.description"),
        ([command(), command()], "1"),
        ([command(type=3, description="d")], "0.description"),
        ([command(options=[option(name=f"o{n}") for n in range(26)])], "0.options"),
        (
            [command(options=[option(choices=[{"name": "n", "value": "v"}] * 26)])],
            "0.options.0.choices",
        ),
        (
            [command(options=[option(choices=[{"name": "x" * 101, "value": "v"}])])],
            "0.options.0.choices.0.name",
        ),
        ([command(options=[option(), option(name="file", required=True)])], "0.options.1"),
        (
            [command(options=[option(autocomplete=True, choices=[{"name": "n", "value": "v"}])])],
            "0.options.0",
        ),
        ([command(options=[option(min_value=1)])], "0.options.0.min_value"),
        ([command(options=[option(type=4, max_length=5)])], "0.options.0.max_length"),
        ([command(options=[option(type=4, min_value=1.5)])], "0.options.0.min_value"),
        (
            [command(options=[option(type=4, min_value=12, max_value=-12)])],
            "0.options.0.min_value",
        ),
        ([command(options=[option(max_length=6001)])], "0.options.0.max_length"),
        (
            [command(options=[option(type=4, choices=[{"name": "n", "value": "90"}])])],
            "0.options.0.choices.0.value",
        ),
        (
            [command(options=[option(choices=[{"name": "n", "value": 90}])])],
            "0.options.0.choices.0.value",
        ),
        ([command(contexts=[5])], "0.contexts"),
        ([command(name_localizations={"ja": "Kiru"})], "0.name_localizations.ja"),
        ([command(name_localizations={"jp": "kiru"})], "0.name_localizations"),
        ([command(name_localizations="kiru")], "0.name_localizations"),
        (
            [command(description_localizations={"fr": "x" * 101})],
            "0.description_localizations.fr",
        ),
        (
            [{"type": 3, "name": "Split", "name_localizations": {"fr": "x" * 33}}],
            "0.name_localizations.fr",
        ),
        (
            [
                command(
                    options=[
                        option(
                            choices=[{"name": "n", "value": "v", "name_localizations": {"fr": ""}}]
                        )
                    ]
                )
            ],
            "0.options.0.choices.0.name_localizations.fr",
        ),
    ],
)
async def test_commands_beyond_a_limit_are_refused(
    raw_bot: RawBot, commands: list[Json], wrong: str
) -> None:
    path = f"/applications/{raw_bot.application}/commands"
    assert wrong in await raw_bot.wrong_paths("PUT", path, commands)


async def test_a_command_is_as_large_as_in_its_longest_language(raw_bot: RawBot) -> None:
    path = f"/applications/{raw_bot.application}/commands"

    def wordy(letters: int) -> Json:
        told = {"name_localizations": {"ja": "x" * letters, "de": "y"}}
        choices = [{"name": "n", "value": "v", **told}] * 25
        return command(options=[option(name=f"o{n}", choices=choices) for n in range(4)])

    assert (await raw_bot.ask("PUT", path, [wordy(70)]))[0] == 200
    assert await raw_bot.wrong_paths("PUT", path, [wordy(80)]) == {"0"}


async def test_commands_registered_again_keep_their_ids(raw_bot: RawBot) -> None:
    path = f"/applications/{raw_bot.application}/commands"
    _, before = await raw_bot.ask("PUT", path, [SPLIT, ADMIN])
    _, after = await raw_bot.ask("PUT", path, [SPLIT])
    assert [registered["id"] for registered in after] == [before[0]["id"]]
    assert (await raw_bot.ask("GET", path))[1] == after


async def test_interaction_can_be_delivered_again(pair: UserAndBot, sandbox: Sandbox) -> None:
    interaction, _ = await pair.answered(DEFERRED)
    await sandbox.interactions.redeliver(int(interaction["id"]))
    again = await pair.bot.event("INTERACTION_CREATE")
    assert again == interaction
    assert await pair.bot.answer(again, DEFERRED) == 40060


async def test_new_interaction_can_be_delivered_twice_at_once(
    pair: UserAndBot, sandbox: Sandbox
) -> None:
    sandbox.interactions.deliveries = 2
    interaction, waiting = await pair.opens(pair.ada.command("split"))
    again = await pair.bot.event("INTERACTION_CREATE")
    assert again == interaction
    assert await pair.bot.answer(again, DEFERRED) == 0
    assert (await waiting)["ok"]
