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
    match parse_address(url, variables):
        case Bucket() as bucket:
            from storage.objects.bucket_store import BucketStore

            return BucketStore(bucket, patience or Patience())
        case SharedFolder(path=path):
            from storage.objects.folder_store import FolderStore

            return FolderStore(path)
