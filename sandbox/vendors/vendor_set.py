"""The simulated vendors, and the part of the control API that changes them."""

from pathlib import Path

from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.errors import Json
from sandbox.page_feed import PageFeed
from sandbox.vendors.audiocleaner import AudioCleaner
from sandbox.vendors.finevoice import FineVoice
from sandbox.vendors.modes import SENTENCE, Mode
from sandbox.vendors.soundverse import Soundverse
from sandbox.vendors.vendor import Vendor


class Vendors:
    """The three simulated vendors. Tests in the same process may change them directly."""

    def __init__(self, *, folder: Path, clock: SandboxClock) -> None:
        self.audiocleaner = AudioCleaner(folder=folder, clock=clock)
        self.finevoice = FineVoice(folder=folder, clock=clock)
        self.soundverse = Soundverse(folder=folder, clock=clock)

    @property
    def all(self) -> tuple[Vendor, ...]:
        """Every vendor."""
        return (self.audiocleaner, self.finevoice, self.soundverse)

    def find(self, name: str) -> Vendor | None:
        """Return a vendor by name."""
        return next((vendor for vendor in self.all if vendor.name == name), None)

    def listed(self) -> list[Json]:
        """Return the vendors with their modes and the modes' descriptions, for the page."""
        return [
            {
                "name": vendor.name,
                "title": vendor.title,
                "mode": vendor.behaviour.mode,
                "modes": {mode: SENTENCE[mode] for mode in Mode if mode in vendor.modes},
            }
            for vendor in self.all
        ]

    async def close(self) -> None:
        """Release hanging requests and abandon all tasks."""
        for vendor in self.all:
            await vendor.close()


class VendorControl:
    """Handlers below `/sandbox/vendors`."""

    def __init__(self, *, vendors: Vendors, feed: PageFeed) -> None:
        self._vendors = vendors
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the control API."""
        return [web.get("/vendors", self.show), web.post("/vendors/{name}", self.change)]

    async def show(self, request: web.Request) -> web.Response:
        """Answer with every vendor's state, by name."""
        return web.json_response({vendor.name: vendor.shown() for vendor in self._vendors.all})

    async def change(self, request: web.Request) -> web.Response:
        """Change a vendor's behaviour, and answer with its state."""
        vendor = self._vendors.find(request.match_info["name"])
        if vendor is None:
            raise ValueError("There is no such vendor.")
        vendor.change(vendor.settings.model_validate_json(await request.read() or b"{}"))
        self._feed.tell_all({"type": "vendors"})
        return web.json_response(vendor.shown())
