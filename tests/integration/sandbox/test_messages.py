"""The messages that the sandbox accepts from a bot, and how it stores them."""

from typing import Any

import pytest

from sandbox.client import SandboxClient
from sandbox.errors import Json
from sandbox.server import Sandbox
from tests.integration.sandbox.raw_bot import RawBot, form

BUTTON = {"type": 2, "style": 1, "label": "Cancel", "custom_id": "cancel"}


LINK = {"type": 2, "style": 5, "label": "Listen", "url": "https://example.org/m/1"}


def row(*items: Json) -> Json:
    return {"type": 1, "components": list(items)}


def menu(count: int) -> Json:
    options = [{"label": f"L{number}", "value": f"v{number}"} for number in range(count)]
    return {"type": 3, "custom_id": f"menu {count}", "options": options}


def buttons(count: int) -> list[Json]:
    return [BUTTON | {"custom_id": f"b{number}"} for number in range(count)]


def embed(**parts: Any) -> Json:
    return {"embeds": [parts]}


async def send(bot: RawBot, channel: str, payload: Json, *files: tuple[str, bytes]) -> Json:
    status, message = await bot.ask("POST", f"{channel}/messages", data=form(payload, *files))
    assert status == 200, message
    sent: Json = message
    return sent


@pytest.mark.parametrize(
    ("payload", "wrong"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"content": 5}, "content"),
        (embed(title="x" * 257), "embeds.0.title"),
        (embed(description="x" * 4097), "embeds.0.description"),
        (embed(title="t", footer={"text": "x" * 2049}), "embeds.0.footer.text"),
        (embed(fields=[{"name": "n", "value": "v"}] * 26), "embeds.0.fields"),
        (embed(fields=[{"name": "n", "value": ""}]), "embeds.0.fields.0.value"),
        (embed(fields=[{"name": "n", "value": "x" * 1025}]), "embeds.0.fields.0.value"),
        (embed(title="t", url="neon"), "embeds.0.url"),
        (embed(title="t", color=1 << 24), "embeds.0.color"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, "embeds"),
        ({"embeds": [{"title": "t"}] * 11}, "embeds"),
        ({"embeds": "t"}, "embeds"),
        ({"components": [row(BUTTON)] + [row(*buttons(1))] * 5}, "components"),
        ({"components": [row(*buttons(6))]}, "components.0.components"),
        ({"components": [BUTTON]}, "components.0.type"),
        (
            {"components": [row(BUTTON | {"custom_id": "x" * 101})]},
            "components.0.components.0.custom_id",
        ),
        (
            {"components": [row(BUTTON | {"label": "x" * 81})]},
            "components.0.components.0.label",
        ),
        ({"components": [row(BUTTON, BUTTON)]}, "components.0.components.1.custom_id"),
        (
            {"components": [row(BUTTON | {"style": 5})]},
            "components.0.components.0.url",
        ),
        ({"components": [row(menu(0))]}, "components.0.components.0.options"),
        ({"components": [row(menu(26))]}, "components.0.components.0.options"),
        ({"components": [row(menu(2), menu(2))]}, "components.0.components"),
        ({"components": [row(menu(2), BUTTON)]}, "components.0.components"),
        (
            {"components": [row(menu(2) | {"max_values": 3})]},
            "components.0.components.0.options",
        ),
        (
            {"components": [row(menu(2) | {"min_values": 2})]},
            "components.0.components.0.min_values",
        ),
        (
            {"components": [row(menu(2) | {"max_values": 26})]},
            "components.0.components.0.max_values",
        ),
        (
            {"components": [row(menu(2) | {"options": menu(1)["options"] * 2})]},
            "components.0.components.0.options.1.value",
        ),
        (
            {"components": [row(LINK | {"url": "javascript:alert(1)"})]},
            "components.0.components.0.url",
        ),
        (
            {"components": [row(LINK | {"url": "https://"})]},
            "components.0.components.0.url",
        ),
        (
            {"components": [row(LINK | {"url": "https://example.org/" + "x" * 500})]},
            "components.0.components.0.url",
        ),
        ({"components": [row(LINK | {"label": ""})]}, "components.0.components.0"),
        ({"components": [row(LINK | {"custom_id": "x"})]}, "components.0.components.0"),
        (
            {"attachments": [{"id": 0, "description": "x" * 1025}]},
            "attachments.0.description",
        ),
        ({"attachments": [{"id": 0, "description": 5}]}, "attachments.0.description"),
    ],
)
async def test_message_beyond_a_limit_is_refused_with_the_path_to_it(
    raw_bot: RawBot, karaoke: str, payload: Json, wrong: str
) -> None:
    content = {"content": "x"} | payload
    assert wrong in await raw_bot.wrong_paths("POST", f"{karaoke}/messages", content)


async def test_message_at_the_limits_is_taken(raw_bot: RawBot, karaoke: str) -> None:
    payload = {
        "content": "x" * 2000,
        "embeds": [{"description": "x" * 4096}, {"description": "x" * 1904}],
        "components": [
            row(*[BUTTON | {"custom_id": f"{y}.{x}"} for x in range(5)]) for y in range(5)
        ],
    }
    status, _ = await raw_bot.ask("POST", f"{karaoke}/messages", payload)
    assert status == 200


async def test_menus_and_links_at_the_limits_are_taken(raw_bot: RawBot, karaoke: str) -> None:
    rows = [row(menu(25) | {"custom_id": f"{y}", "max_values": 25}) for y in range(4)]
    payload = {"components": [*rows, row(*[LINK] * 5)]}
    status, _ = await raw_bot.ask("POST", f"{karaoke}/messages", payload)
    assert status == 200


async def test_description_of_a_file_is_kept_and_returned(raw_bot: RawBot, karaoke: str) -> None:
    listed = {"attachments": [{"id": 0, "filename": "a.mp3", "description": "x" * 1024}]}
    message = await send(raw_bot, karaoke, listed, ("a.mp3", b"a"))
    assert message["attachments"][0]["description"] == "x" * 1024
    path = f"{karaoke}/messages/{message['id']}"
    kept = message["attachments"][0]["id"]
    new = {"id": "0", "filename": "b.mp3", "description": "Vocals alone"}
    wanted = {"attachments": [{"id": kept}, new]}
    _, edited = await raw_bot.ask("PATCH", path, data=form(wanted, ("b.mp3", b"b")))
    described = [file.get("description") for file in edited["attachments"]]
    assert described == ["x" * 1024, "Vocals alone"]
    assert (await raw_bot.ask("GET", path))[1]["attachments"][1]["description"] == "Vocals alone"


@pytest.mark.parametrize("payload", [{}, {"content": "  "}, {"embeds": [], "components": []}])
async def test_empty_message_is_refused(raw_bot: RawBot, karaoke: str, payload: Json) -> None:
    assert await raw_bot.refused("POST", f"{karaoke}/messages", payload) == 50006


async def test_body_that_is_no_json_is_refused(raw_bot: RawBot, karaoke: str) -> None:
    headers = {"Content-Type": "application/json"}
    path = f"{karaoke}/messages"
    assert await raw_bot.refused("POST", path, data=b"{", headers=headers) == 50109
    headers = {"Content-Type": "text/plain"}
    assert await raw_bot.refused("POST", path, data=b"{}", headers=headers) == 50035


async def test_request_without_the_bots_token_is_refused(raw_bot: RawBot, karaoke: str) -> None:
    status, _ = await raw_bot.ask("GET", karaoke, headers={"Authorization": "Bot wrong"})
    assert status == 401


@pytest.mark.parametrize(
    ("path", "code"), [("/channels/1", 10003), ("/guilds/1", 10004), ("/nowhere", 0)]
)
async def test_unknown_things_are_unknown(raw_bot: RawBot, path: str, code: int) -> None:
    assert await raw_bot.refused("GET", path) == code


async def test_files_of_an_edit_are_kept_added_and_dropped_by_the_list(
    raw_bot: RawBot, karaoke: str
) -> None:
    message = await send(raw_bot, karaoke, {}, ("a.mp3", b"a"), ("b.mp3", b"b"))
    path = f"{karaoke}/messages/{message['id']}"
    first, second = message["attachments"]
    wanted = {"attachments": [{"id": second["id"]}, {"id": "0", "filename": "c.mp3"}]}
    status, edited = await raw_bot.ask("PATCH", path, data=form(wanted, ("c.mp3", b"c")))
    assert status == 200
    assert [file["filename"] for file in edited["attachments"]] == ["b.mp3", "c.mp3"]
    async with raw_bot.http.get(first["url"]) as gone:
        assert gone.status == 404
    status, edited = await raw_bot.ask("PATCH", path, {"content": "still"})
    assert len(edited["attachments"]) == 2
    status, edited = await raw_bot.ask("PATCH", path, {"attachments": []})
    assert edited["attachments"] == []


async def test_edit_that_lists_a_file_it_does_not_bring_is_refused(
    raw_bot: RawBot, karaoke: str
) -> None:
    message = await send(raw_bot, karaoke, {"content": "x"})
    path = f"{karaoke}/messages/{message['id']}"
    assert await raw_bot.refused("PATCH", path, {"attachments": [{"id": "0"}]}) == 50146


async def test_edit_that_would_empty_a_message_is_refused_and_changes_nothing(
    raw_bot: RawBot, karaoke: str
) -> None:
    message = await send(raw_bot, karaoke, {"content": "x"})
    path = f"{karaoke}/messages/{message['id']}"
    assert await raw_bot.refused("PATCH", path, {"content": ""}) == 50006
    _, same = await raw_bot.ask("GET", path)
    assert same["content"] == "x"


async def test_picture_in_an_embed_is_not_listed_until_an_edit_lets_go_of_it(
    raw_bot: RawBot, karaoke: str
) -> None:
    payload = embed(title="t", image={"url": "attachment://wave form.png"})
    message = await send(raw_bot, karaoke, payload, ("wave form.png", b"png"))
    assert message["attachments"] == []
    assert "/wave_form.png?" in message["embeds"][0]["image"]["url"]
    path = f"{karaoke}/messages/{message['id']}"
    _, edited = await raw_bot.ask("PATCH", path, embed(title="other"))
    assert [file["filename"] for file in edited["attachments"]] == ["wave_form.png"]


async def test_embed_loses_a_picture_that_was_not_sent(raw_bot: RawBot, karaoke: str) -> None:
    payload = embed(title="t", image={"url": "attachment://nothing.png"})
    message = await send(raw_bot, karaoke, payload)
    assert "image" not in message["embeds"][0]


@pytest.mark.parametrize(
    ("given", "filename", "title"),
    [
        ("song.mp3", "song.mp3", None),
        ("Neon Rain (Vocals).mp3", "Neon_Rain_Vocals.mp3", "Neon Rain (Vocals)"),
        ("歌.mp3", "unknown.mp3", "歌"),
        ("../../etc/passwd", "passwd", "passwd"),
    ],
)
async def test_names_of_files_are_cleansed_and_kept_as_title(
    raw_bot: RawBot, karaoke: str, given: str, filename: str, title: str | None
) -> None:
    listed = {"attachments": [{"id": "0", "filename": given}]}
    message = await send(raw_bot, karaoke, listed, ("file", b"x"))
    [attachment] = message["attachments"]
    assert (attachment["filename"], attachment.get("title")) == (filename, title)


async def test_too_many_files_are_refused(raw_bot: RawBot, karaoke: str) -> None:
    data = form({}, *[(f"{number}.mp3", b"x") for number in range(11)])
    assert await raw_bot.refused("POST", f"{karaoke}/messages", data=data) == 50035


async def test_refused_message_leaves_no_file_behind(
    raw_bot: RawBot, karaoke: str, sandbox: Sandbox
) -> None:
    data = form({"content": "x" * 2001}, ("a.mp3", b"a"))
    assert await raw_bot.refused("POST", f"{karaoke}/messages", data=data) == 50035
    assert list(sandbox.media.new_path().parent.iterdir()) == []


async def test_bot_cannot_edit_or_delete_what_others_wrote(
    raw_bot: RawBot, karaoke: str, ben: SandboxClient
) -> None:
    path = f"{karaoke}/messages/{(await ben.say('la la'))['id']}"
    assert await raw_bot.refused("PATCH", path, {"content": "x"}) == 50005
    assert await raw_bot.refused("DELETE", path) == 50013


async def test_lost_access_to_a_channel_is_told_by_code(
    raw_bot: RawBot, karaoke: str, sandbox: Sandbox
) -> None:
    message = await send(raw_bot, karaoke, {"content": "x"})
    channel_id = int(karaoke.rpartition("/")[2])
    sandbox.world.set_bot_access(channel_id, send=False)
    assert await raw_bot.refused("POST", f"{karaoke}/messages", {"content": "x"}) == 50013
    sandbox.world.set_bot_access(channel_id, view=False)
    path = f"{karaoke}/messages/{message['id']}"
    assert await raw_bot.refused("PATCH", path, {"content": "x"}) == 50001


async def test_person_who_takes_no_dms_gets_none(raw_bot: RawBot, sandbox: Sandbox) -> None:
    ben = next(user for user in sandbox.world.people if user.name == "Ben")
    recipient = {"recipient_id": str(ben.id)}
    _, channel = await raw_bot.ask("POST", "/users/@me/channels", recipient)
    sandbox.world.change_user(ben.id, accepts_dms=False, installed_app=False)
    path = f"/channels/{channel['id']}/messages"
    assert await raw_bot.refused("POST", path, {"content": "x"}) == 50007


async def test_messages_are_listed_newest_first(raw_bot: RawBot, karaoke: str) -> None:
    sent = [await send(raw_bot, karaoke, {"content": str(number)}) for number in range(4)]
    _, latest = await raw_bot.ask("GET", f"{karaoke}/messages?limit=2")
    assert [message["content"] for message in latest] == ["3", "2"]
    _, earlier = await raw_bot.ask("GET", f"{karaoke}/messages?before={sent[2]['id']}")
    assert [message["content"] for message in earlier] == ["1", "0"]


async def test_edits_of_old_messages_run_out(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.limits.is_enabled = True
    sandbox.limits.old_edits_an_hour = 2
    message = await send(raw_bot, karaoke, {"content": "x"})
    await ada.advance(3601)
    path = f"{karaoke}/messages/{message['id']}"
    answers = [await raw_bot.ask("PATCH", path, {"content": str(n)}) for n in range(3)]
    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[-1][1]["code"] == 30046
