"""A bot in a conversation, with the server for its public links."""

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy

from bot.ops.file_routes import FileRoutes
from tests.integration.conversations.live_bot import LiveBot


class Open:
    """A bot whose file server is reachable."""

    def __init__(self, live_bot: LiveBot) -> None:
        self.live_bot = live_bot
        links = live_bot.services.links
        assert links is not None
        app = web.Application()
        routes = FileRoutes(links=links, jobs=live_bot.jobs, files=live_bot.files)
        app.add_routes(routes.routes())
        self.server = TestServer(app)

    async def fetch(self, url: str) -> tuple[int, bytes, CIMultiDictProxy[str]]:
        """Fetch a public address from the port to which a proxy would forward it."""
        path = url.removeprefix("https://stems.example.org")
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self.server.host}:{self.server.port}{path}") as answer,
        ):
            return answer.status, await answer.read(), answer.headers
