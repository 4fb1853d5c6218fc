"""Builds the sandbox's parts and serves them on one loopback port."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from aiohttp import web

from sandbox.bodies import BodyReader
from sandbox.cdn import Cdn
from sandbox.clock import SandboxClock
from sandbox.control import Control
from sandbox.conversation import Conversation
from sandbox.faults import Faults
from sandbox.gateway import Gateway
from sandbox.interactions import Interactions
from sandbox.invocations import Invocations
from sandbox.limits import RateLimits
from sandbox.media import MediaStore
from sandbox.middleware import API_PREFIXES, ApiMiddleware
from sandbox.modals import Modals
from sandbox.page_feed import PageFeed
from sandbox.page_state import PageState
from sandbox.payloads import Payloads
from sandbox.people import People
from sandbox.request_log import RequestLog
from sandbox.rest import ApplicationRest, Authorizer
from sandbox.rest_interactions import InteractionRest
from sandbox.rest_messages import MessageRest
from sandbox.rest_soundboard import SoundboardRest
from sandbox.sample_world import sample_world
from sandbox.soundboard import Soundboard
from sandbox.vendors.vendor_set import VendorControl, Vendors

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - valid in the sandbox only
_PAGE = Path(__file__).parent / "page"
_SHUTDOWN_S = 1.0
_ALL_ADDRESSES = "0.0.0.0"


class Sandbox:
    """A private Discord. Use `async with Sandbox() as sandbox` and point a bot at `api_base`.

    Tests in the same process may also use `world`, `clock`, `faults`, `limits`, `gateway` and
    `vendors`. All user actions go through the control API and its client, `SandboxClient`.
    """

    def __init__(
        self,
        *,
        tokens: frozenset[str] = frozenset({DEFAULT_TOKEN}),
        shards: int = 1,
        max_concurrency: int = 1,
        cluster: Sequence[web.RouteDef] = (),
    ) -> None:
        """`shards` is the advised number of shards, each of which has a server; see Gateway.

        `cluster` holds the routes of the control API that show and kill a cluster's processes.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
        self.clock = SandboxClock()
        self.world = sample_world(self.clock, shards=shards)
        self.faults = Faults()
        self.limits = RateLimits(clock=self.clock)
        self.log = RequestLog(clock=self.clock)
        self.media = MediaStore(folder=self._folder, clock=self.clock)
        self.vendors = Vendors(folder=self._folder / "vendors", clock=self.clock)
        self._payloads = Payloads(world=self.world, media=self.media)
        self.feed = PageFeed(world=self.world, payloads=self._payloads)
        self.gateway = Gateway(
            world=self.world,
            payloads=self._payloads,
            feed=self.feed,
            tokens=tokens,
            shards=shards,
            max_concurrency=max_concurrency,
        )
        self.interactions = Interactions(
            world=self.world, payloads=self._payloads, gateway=self.gateway
        )
        self._authorizer = Authorizer(tokens=tokens)
        self._cluster = cluster
        self._runner: web.AppRunner | None = None
        self.base_url = ""

    @property
    def api_base(self) -> str:
        """The REST API's base URL."""
        return f"{self.base_url}/api/v10"

    async def __aenter__(self) -> Self:
        """Start on a free port."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and delete the files."""
        await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Serve REST, gateway, CDN, page and control API on one port."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_SHUTDOWN_S)
        self._runner = runner
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        shown_host = "127.0.0.1" if host == _ALL_ADDRESSES else host
        self.base_url = f"http://{shown_host}:{runner.addresses[0][1]}"
        self.media.base_url = self.base_url
        self.gateway.base_url = self.base_url

    async def stop(self) -> None:
        """End all connections and delete all files."""
        self.feed.close()
        await self.gateway.close()
        await self.vendors.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _application(self) -> web.Application:
        bodies = BodyReader(media=self.media)
        conversation = Conversation(
            world=self.world, media=self.media, gateway=self.gateway, feed=self.feed
        )
        modals = Modals(feed=self.feed, payloads=self._payloads)
        api = ApiMiddleware(log=self.log, faults=self.faults, limits=self.limits)
        application = web.Application(middlewares=api.middlewares())
        for part in self._rest(bodies, conversation, modals):
            for base in API_PREFIXES:
                application.add_routes(part.routes(base))
        application.add_routes(self.gateway.routes())
        application.add_routes(Cdn(media=self.media, world=self.world).routes())
        control = self._control(bodies, conversation, modals).application()
        control.add_routes(VendorControl(vendors=self.vendors, feed=self.feed).routes())
        control.add_routes(self._cluster)
        application.add_subapp("/sandbox", control)
        for vendor in self.vendors.all:
            application.add_subapp(f"/vendors/{vendor.name}", vendor.application())
        application.router.add_get("/", _show_page)
        application.router.add_static("/page", _PAGE)
        return application

    def _rest(
        self, bodies: BodyReader, conversation: Conversation, modals: Modals
    ) -> tuple[ApplicationRest, MessageRest, InteractionRest, SoundboardRest]:
        application_rest = ApplicationRest(
            world=self.world,
            payloads=self._payloads,
            gateway=self.gateway,
            media=self.media,
            feed=self.feed,
            bodies=bodies,
            authorizer=self._authorizer,
        )
        message_rest = MessageRest(
            world=self.world,
            payloads=self._payloads,
            feed=self.feed,
            conversation=conversation,
            bodies=bodies,
            limits=self.limits,
            authorizer=self._authorizer,
        )
        interaction_rest = InteractionRest(
            world=self.world,
            payloads=self._payloads,
            conversation=conversation,
            interactions=self.interactions,
            modals=modals,
            bodies=bodies,
        )
        return application_rest, message_rest, interaction_rest, self._soundboard_rest(bodies)

    def _soundboard_rest(self, bodies: BodyReader) -> SoundboardRest:
        soundboard = Soundboard(
            world=self.world,
            media=self.media,
            payloads=self._payloads,
            gateway=self.gateway,
            feed=self.feed,
        )
        return SoundboardRest(
            world=self.world, soundboard=soundboard, bodies=bodies, authorizer=self._authorizer
        )

    def _control(self, bodies: BodyReader, conversation: Conversation, modals: Modals) -> Control:
        invocations = Invocations(world=self.world, payloads=self._payloads)
        people = People(
            world=self.world,
            payloads=self._payloads,
            media=self.media,
            conversation=conversation,
            interactions=self.interactions,
            invocations=invocations,
            modals=modals,
        )
        return Control(
            world=self.world,
            clock=self.clock,
            people=people,
            media=self.media,
            bodies=bodies,
            feed=self.feed,
            gateway=self.gateway,
            faults=self.faults,
            log=self.log,
            state=PageState(
                world=self.world,
                clock=self.clock,
                media=self.media,
                vendors=self.vendors,
                is_cluster=bool(self._cluster),
            ),
        )


async def _show_page(request: web.Request) -> web.FileResponse:
    return web.FileResponse(_PAGE / "index.html", headers={"Cache-Control": "no-store"})
