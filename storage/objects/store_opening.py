"""Opens the object store that the settings name. Imports obstore only then."""

from collections.abc import Mapping

from storage.objects.object_store import ObjectStore
from storage.objects.store_address import Bucket, Patience, SharedFolder, parse_address


def open_object_store(
    url: str, variables: Mapping[str, str], *, patience: Patience | None = None
) -> ObjectStore:
    """Return the store at this address, without connecting to it.

    `variables` are those of the environment and of `.env`. Raises InvalidObjectStore for a
    misspelt address or variable, and ImportError if obstore is not installed.
    """
    address = parse_address(url, variables)
    from storage.objects import obstore_stores

    match address:
        case Bucket():
            return obstore_stores.BucketStore(address, patience or Patience())
        case SharedFolder():
            return obstore_stores.FolderStore(address.path)
