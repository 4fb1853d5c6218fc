"""Hand-written fakes of the layers below the transport."""

import functools
import ssl
from collections.abc import Iterable, Sequence

import httpcore


@functools.cache
def no_tls() -> ssl.SSLContext:
    """Return a context without trusted roots, because loading the real ones takes seconds."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class ScriptedResolver:
    """A resolver with scripted answers, which repeats the last one."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class LoopbackNetwork(httpcore.AsyncNetworkBackend):
    """Redirects every connection to one loopback port, and records the dialled addresses."""

    def __init__(self, port: int, *, dead: Sequence[str] = ()) -> None:
        self._port = port
        self._dead = dead
        self._network = httpcore.AnyIOBackend()
        self.dialled: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        if host in self._dead:
            raise httpcore.ConnectError(f"{host} is dead")
        return await self._network.connect_tcp("127.0.0.1", self._port, timeout=timeout)
