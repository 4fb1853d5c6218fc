"""Opens the object store that the settings name."""

from bot.config import Settings, SettingsError
from bot.domain.errors import InvalidObjectStore
from storage.objects.object_store import ObjectStore
from storage.objects.store_opening import open_object_store


def open_objects(settings: Settings) -> ObjectStore | None:
    """Return the object store, without connecting to it; None if the settings name none.

    Raises SettingsError if its address or a variable is misspelt, or if the packages for it are
    not installed.
    """
    if settings.object_store is None:
        return None
    try:
        return open_object_store(settings.object_store, settings.store_variables)
    except InvalidObjectStore as exc:
        raise SettingsError(f"STEMCORD_OBJECT_STORE: {exc}") from None
    except ImportError:
        raise SettingsError(
            "STEMCORD_OBJECT_STORE: expected the packages for an object store with it; "
            "`make postgres` installs them"
        ) from None
