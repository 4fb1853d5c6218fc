"""The shared base of adapters for hosted services: set-up, addresses and fetching."""

import logging
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final, Self

from pydantic import SecretStr

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import ProviderDown, ProviderProtocol, ProviderRefused, ResultTooBig
from bot.net.api_client import ApiClient, Timeouts
from bot.net.downloads import DownloadFailed, DownloadRefused, Downloads, DownloadTooBig
from bot.providers.interface import (
    Accepted,
    Call,
    Capabilities,
    Failed,
    Finished,
    Lost,
    ProviderContext,
    Running,
    Source,
)
from bot.providers.responses import scrub

log = logging.getLogger(__name__)

FETCH_DEADLINE_S: Final = 600.0

_MAX_WORDS: Final = 20


class Hosted(ABC):
    """Base of adapters for services that have a key, take an address and return addresses."""

    declared: ClassVar[Capabilities]
    timeouts: ClassVar[Timeouts] = Timeouts()

    def __init__(
        self, *, http: ApiClient, api_key: SecretStr, downloads: Downloads, max_result_bytes: int
    ) -> None:
        self._http = http
        self._headers = self._auth(api_key.get_secret_value())
        self._downloads = downloads
        self._max_result_bytes = max_result_bytes
        self._unknown_words: set[str] = set()

    @classmethod
    def create(cls, context: ProviderContext) -> Self | None:
        """Build the adapter from the settings that its capabilities name; None without a key."""
        declared = cls.declared
        api_key = context.secret(declared.key_setting)
        if api_key is None:
            return None
        own_url = context.setting(declared.base_url_setting)
        return cls(
            http=context.api(own_url or declared.base_url, timeouts=cls.timeouts),
            api_key=api_key,
            downloads=context.results(own_url),
            max_result_bytes=context.max_result_bytes,
        )

    @property
    def capabilities(self) -> Capabilities:
        """The adapter's declared capabilities."""
        return self.declared

    @staticmethod
    def _auth(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    @abstractmethod
    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        """See `Provider.submit`."""

    @abstractmethod
    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """See `Provider.poll`."""

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        """Write one result to the file `into`; the key is not sent, since the address is signed."""
        try:
            await self._downloads.fetch(
                file.address,
                into,
                max_bytes=self._max_result_bytes,
                deadline_s=FETCH_DEADLINE_S,
            )
        except DownloadFailed as exc:
            raise ProviderDown(f"result: {exc}") from exc
        except DownloadTooBig as exc:
            raise ResultTooBig(f"result: {exc}") from exc
        except DownloadRefused as exc:
            raise ProviderProtocol(f"result: {exc}") from exc

    async def cancel(self, ref: RemoteRef) -> None:
        """Raise NotImplementedError: these services cannot cancel, and none declares that it
        can.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Release connections; whoever passed the downloads closes them."""
        await self._http.aclose()

    def _running(self, word: str) -> Running:
        """Treat an undocumented status as running; the attempt's deadline still applies."""
        if word not in self._unknown_words and len(self._unknown_words) < _MAX_WORDS:
            self._unknown_words.add(word)
            log.warning("%s: unknown status %s", type(self).__name__, scrub(word))
        return Running()


def song_url(source: Source) -> str:
    """Return the address for the service to fetch the song. Raises ProviderRefused without one."""
    if source.url is None:
        raise ProviderRefused("accepts an address only, and the file has none")
    return source.url
