"""The gateway: identifying, events, and how sessions end."""

import asyncio

import pytest

from sandbox.client import SandboxClient
from sandbox.server import DEFAULT_TOKEN, Sandbox
from tests.integration.sandbox.raw_bot import GUILDS_AND_DMS, RawBot, inflate

GUILD_MESSAGES = 1 << 9


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"intents": GUILDS_AND_DMS | 1 << 15}, 4014),
        ({"intents": "all"}, 4002),
        ({"shard": [1, 1]}, 4010),
    ],
)
async def test_wrong_identify_closes_with_its_code(
    raw_bot: RawBot, changes: dict[str, object], code: int
) -> None:
    socket = await raw_bot.identify(**changes)
    await socket.receive()
    assert socket.close_code == code


@pytest.mark.parametrize(
    ("sent", "code"),
    [("no json", 4002), ("[]", 4002), ('{"op": 77}', 4003), ('{"op": 3, "d": {}}', 4003)],
)
async def test_nonsense_closes_with_its_code(raw_bot: RawBot, sent: str, code: int) -> None:
    socket = await raw_bot.connect()
    await socket.receive_json()
    await socket.send_str(sent)
    await socket.receive()
    assert socket.close_code == code


async def test_frames_are_one_zlib_stream_when_asked_for(raw_bot: RawBot) -> None:
    socket = await raw_bot.connect("?v=10&encoding=json&compress=zlib-stream")
    data = {"token": DEFAULT_TOKEN, "intents": GUILDS_AND_DMS}
    await socket.send_json({"op": 1, "d": None})
    await socket.send_json({"op": 2, "d": data})
    messages = inflate([await socket.receive_bytes() for _ in range(4)])
    # The heartbeat's acknowledgement may arrive at any time.
    assert sorted(message["op"] for message in messages) == [0, 0, 10, 11]


async def test_silent_connection_is_closed(raw_bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.gateway.heartbeat_s = 0.05
    socket = await raw_bot.identify()
    while not (await socket.receive()).type.name.startswith("CLOS"):
        continue
    assert socket.close_code == 4009


async def test_unknown_session_has_to_identify_again(raw_bot: RawBot) -> None:
    socket = await raw_bot.connect()
    await socket.receive_json()
    resume = {"token": DEFAULT_TOKEN, "session_id": "gone", "seq": 3}
    await socket.send_json({"op": 6, "d": resume})
    assert await socket.receive_json() == {"op": 9, "d": False}


async def test_resume_replays_what_was_missed_in_order(raw_bot: RawBot, ben: SandboxClient) -> None:
    ben.in_channel("dm")
    socket = await raw_bot.identify()
    ready = await socket.receive_json()
    assert ready["d"]["resume_gateway_url"] == raw_bot.sandbox.gateway.address
    await socket.receive_json()
    await socket.close(code=4000)
    for content in ("one", "two"):
        await ben.say(content)
    socket = await raw_bot.connect()
    await socket.receive_json()
    resume = {"token": DEFAULT_TOKEN, "session_id": ready["d"]["session_id"], "seq": 2}
    await socket.send_json({"op": 6, "d": resume})
    events = [await socket.receive_json() for _ in range(3)]
    assert [event["s"] for event in events] == [3, 4, 5]
    assert [event["d"].get("content") for event in events] == ["one", "two", None]
    assert events[-1]["t"] == "RESUMED"


async def test_session_closed_by_the_bot_is_over(raw_bot: RawBot) -> None:
    socket = await raw_bot.identify()
    ready = await socket.receive_json()
    await socket.close(code=1000)
    socket = await raw_bot.connect()
    await socket.receive_json()
    resume = {"token": DEFAULT_TOKEN, "session_id": ready["d"]["session_id"], "seq": 1}
    await socket.send_json({"op": 6, "d": resume})
    assert (await socket.receive_json())["op"] == 9


async def test_what_people_write_in_servers_comes_without_its_content(
    raw_bot: RawBot, ben: SandboxClient
) -> None:
    socket = await raw_bot.identify(intents=GUILDS_AND_DMS | GUILD_MESSAGES)
    for _ in ("READY", "GUILD_CREATE"):
        await socket.receive_json()
    await ben.say("a secret")
    event = await socket.receive_json()
    assert event["t"] == "MESSAGE_CREATE"
    assert event["d"]["content"] == ""


async def test_events_that_were_not_asked_for_are_not_sent(
    raw_bot: RawBot, ben: SandboxClient
) -> None:
    await raw_bot.listen()
    await ben.say("in the server")
    ben.in_channel("dm")
    await ben.say("in the DM")
    assert (await raw_bot.event("MESSAGE_CREATE"))["content"] == "in the DM"


async def test_reconnect_is_asked_for(raw_bot: RawBot, ada: SandboxClient) -> None:
    await raw_bot.listen()
    await ada.disturb_gateway("reconnect")
    event = await asyncio.wait_for(raw_bot.events.get(), 30)
    assert event["op"] == 7


async def test_shards_with_one_concurrency_key_identify_five_seconds_apart() -> None:
    async with Sandbox(shards=3, max_concurrency=2) as sandbox, RawBot(sandbox) as raw_bot:
        answers = []
        for shard_id in (0, 1, 2):
            socket = await raw_bot.identify(shard=[shard_id, 3])
            answers.append((await socket.receive_json())["op"])
    assert answers == [0, 0, 9]  # shards 0 and 2 have the key 0
    assert (sandbox.gateway.identifies, sandbox.gateway.refused_identifies) == (2, 1)


async def test_each_shard_has_its_server_and_hears_of_it_alone() -> None:
    async with Sandbox(shards=2, max_concurrency=2) as sandbox, RawBot(sandbox) as raw_bot:
        heard = []
        for shard_id in (0, 1):
            socket = await raw_bot.identify(shard=[shard_id, 2])
            [guild] = (await socket.receive_json())["d"]["guilds"]
            heard.append(sandbox.world.guilds[int(guild["id"])].name)
    assert heard == ["Karaoke Night", "Open Stage 1"]
