"""Runs a bot process in its own sandbox, with as many users as a test needs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sandbox.bot_process import BotProcess
from sandbox.client import SandboxClient
from sandbox.errors import Json
from sandbox.server import Sandbox
from tests.e2e import reading
from tests.e2e.records import Records
from tests.support.worker_processes import worker_of

PATIENCE_S = 60.0
"""Long enough for a busy machine. `make chaos` checks Discord's limit of three seconds."""
LOOK_EVERY_S = 0.03


@dataclass(slots=True, kw_only=True)
class BotHarness:
    """The sandbox and its bot, with the bot's data directory and log."""

    sandbox: Sandbox
    bot: BotProcess
    data_dir: Path
    log: Path
    records: Records
    stack: AsyncExitStack
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def guest(self, *, channel: str = "karaoke") -> "ConnectedUser":
        """Add a user who has not used any minutes."""
        world = self.sandbox.world
        user = world.add_user(f"Guest {next(self._numbers)}")
        for guild in world.guilds.values():
            guild.members[user.id] = ()
        guest = ConnectedUser(self, user_id=user.id, name=user.name, channel=channel)
        return await self.stack.enter_async_context(guest)

    async def until(self, is_so: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
        """Wait for a condition that is not visible in messages."""
        try:
            async with asyncio.timeout(within_s):
                while not is_so():
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"timed out; the bot's log:\n{self._log_text()}") from None

    async def until_state(self, answer: Json, state: str) -> None:
        await self.until(lambda: self.records.state(answer) == state)

    async def until_ready(self) -> None:
        world = self.sandbox.world
        await self.until(
            lambda: world.bot_is_online and any(c["name"] == "split" for c in world.commands[None])
        )

    @asynccontextmanager
    async def idle_engine(self, warming: Path) -> AsyncIterator[None]:
        """Suspend the engine's worker, so that songs stay in separation, however fast the machine.

        The worker starts with the first song. If there has been none, `warming` is split first.
        """
        if worker_of(self.bot.pid) is None:
            await (await self.guest()).result(warming, stems="vocals")
        worker = worker_of(self.bot.pid)
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            # After a cancelled song, the bot may have killed the suspended worker.
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)

    async def kill(self) -> None:
        """Kill the bot."""
        await self.bot.kill()
        await self.until(lambda: not self.sandbox.world.bot_is_online)

    async def stop(self) -> int:
        """Stop the bot as a service manager does, and return its exit status."""
        status = await self.bot.stop()
        await self.until(lambda: not self.sandbox.world.bot_is_online)
        return status

    async def start(self) -> None:
        """Restart the bot on the same data."""
        await self.bot.start()
        await self.until_ready()

    def edits_of(self, answer: Json) -> list[Json]:
        """Return the bot's edits of a reply, by any route."""
        entries = self.sandbox.log.entries()
        return [
            entry
            for entry in entries
            if entry["method"] == "PATCH" and entry["path"].endswith(f"/{answer['message_id']}")
        ]

    def _log_text(self) -> str:
        return self.log.read_text() if self.log.exists() else "(nothing)"


class ConnectedUser(SandboxClient):
    """A user of the harness."""

    def __init__(self, harness: BotHarness, *, user_id: int, name: str, channel: str) -> None:
        super().__init__(harness.sandbox.base_url, person=name, channel=channel)
        self.id = str(user_id)
        self._harness = harness

    async def split(self, song: Path, **options: str | bool) -> Json:
        """Use `/split`; return Discord's response, with the reply's and the interaction's ids."""
        return await self.command("split", file=song, **options)

    async def sees(self, answer: Json, accepts: Callable[[Json], bool] = reading.is_over) -> Json:
        """Wait until `accepts` accepts the reply, by default when it is final, and return it."""
        try:
            return await self.wait_for(
                lambda message: message["id"] == answer["message_id"] and accepts(message),
                timeout_s=PATIENCE_S,
            )
        except TimeoutError:
            log = self._harness.log.read_text()
            raise AssertionError(f"the reply never came; the bot's log:\n{log}") from None

    async def result(self, song: Path, **options: str | bool) -> tuple[Json, Json]:
        """Split a song, wait for the end, and return Discord's response and the final reply."""
        answer = await self.split(song, **options)
        return answer, await self.sees(answer)

    async def cancel(self, answer: Json) -> Json:
        """Use `/cancel` for the user's song, and return the bot's answer."""
        job_id = str(self._harness.records.job_id(answer))
        said = await self.command("cancel", job=job_id)
        return await self.sees(said, lambda message: bool(message["content"]))

    async def quota(self) -> str:
        """Use `/quota`, and return its text."""
        return reading.text(await self.sees(await self.command("quota"), lambda _: True))


@asynccontextmanager
async def open_bot_harness(home: Path, settings: Mapping[str, str]) -> AsyncIterator[BotHarness]:
    """Run a sandbox and a bot in it for the duration of the block."""
    data_dir, log = home / "data", home / "bot.log"
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox())
        sandbox.interactions.answer_within_s = PATIENCE_S
        process = BotProcess(sandbox, data_dir=data_dir, log=log, settings=settings)
        harness = BotHarness(
            sandbox=sandbox,
            bot=await stack.enter_async_context(process),
            data_dir=data_dir,
            log=log,
            records=Records(data_dir),
            stack=stack,
        )
        await harness.until_ready()
        yield harness
