"""Planted bugs in the bot's contact with the outside: calls, addresses and the log."""

from tests.planted.plant import Plant

_HTTP = ("tests/unit/net/test_api_client.py",)
_DOWNLOADS = ("tests/unit/net/test_downloads.py",)

OUTSIDE = (
    Plant(
        name="any number of calls at once",
        file="bot/net/api_client.py",
        old="asyncio.Semaphore(parallel)",
        new="asyncio.Semaphore(1000 * parallel)",
        tests=_HTTP,
    ),
    Plant(
        name="a submit without an answer counts as not sent",
        file="bot/net/api_client.py",
        old="            raise SubmitUncertain(_cause(exc)) from exc",
        new="            raise ProviderDown(_cause(exc)) from exc",
        tests=_HTTP,
    ),
    Plant(
        name="an answer without end is read",
        file="bot/net/api_client.py",
        old="if len(body) > MAX_ANSWER_BYTES:",
        new="if len(body) > 1000 * MAX_ANSWER_BYTES:",
        tests=_HTTP,
    ),
    Plant(
        name="a file without end is brought",
        file="bot/net/downloads.py",
        old="if received > max_bytes:",
        new="if received > 1000 * max_bytes:",
        tests=_DOWNLOADS,
    ),
    Plant(
        name="a key goes where it is redirected",
        file="bot/net/downloads.py",
        old="_target(where, response), {}",
        new="_target(where, response), headers",
        tests=_DOWNLOADS,
    ),
    Plant(
        name="an address is not looked at",
        file="bot/net/ip_rules.py",
        old="    return ip.is_global and not any(ip in net for net in _CLOSED_V4)",
        new="    return True",
        tests=("tests/unit/net/test_ip_rules.py",),
    ),
    Plant(
        name="one song after another, but not here",
        file="bot/engine/worker_host.py",
        old="self._turn = asyncio.Lock()",
        new="self._turn = asyncio.Semaphore(1000)",
        tests=("tests/integration/engine/test_engine.py",),
    ),
    Plant(
        name="a traceback may hold secrets",
        file="bot/log.py",
        old="        return self.redact(super().format(record), limit=MAX_TRACEBACK)",
        new="        return super().format(record)",
        tests=("tests/unit/test_log.py",),
    ),
)
