"""`doctor`'s check of the object store."""

import asyncio
from collections.abc import Iterator

from bot.cli.commands.machine_checks import CheckResult
from bot.cli.opening.object_stores import open_objects
from bot.config import Settings, SettingsError
from bot.domain.errors import StoreUnavailable
from storage.objects.object_store import ObjectStore

_HINTS = {
    "answers 403": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what that key may do",
    "answers 401": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "answers 301": "check AWS_REGION and AWS_ENDPOINT",
    "answers 400": "check AWS_REGION and AWS_ENDPOINT",
    "does not exist": "make it, or correct STEMCORD_OBJECT_STORE",
    "cannot be reached": "check AWS_ENDPOINT and the network",
}


def check_object_store(settings: Settings) -> Iterator[CheckResult]:
    """Write, read and remove an object, if the settings name an object store."""
    try:
        store = open_objects(settings)
    except SettingsError as exc:
        yield CheckResult(False, str(exc))
        return
    if store is not None:
        yield asyncio.run(_probed(store))


async def _probed(store: ObjectStore) -> CheckResult:
    try:
        await store.probe()
    except StoreUnavailable as exc:
        said = str(exc)
        hint = next((hint for words, hint in _HINTS.items() if words in said), None)
        what = said[:1].upper() + said[1:]
        return CheckResult(False, f"{what}; {hint}" if hint else what)
    return CheckResult(True, f"The object store {store.name} keeps, returns and removes objects")
