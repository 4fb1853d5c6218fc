"""What an object store does, whether it is a bucket or a shared folder."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from storage.files.ownership import DataUnusable

MARKER: Final = "stemcord-store"
"""The object that proves that the store is available.

Services report a missing object and a missing bucket in the same way, and an unmounted folder is
empty. Therefore an object counts as missing only while this one is found.
"""


class ForeignObjectStore(DataUnusable):
    """The store belongs to another database. The message is a sentence for the operator."""


class ObjectStore(Protocol):
    """Keeps files under keys such as `jobs/k7f2q/input`.

    Every method raises ObjectStoreUnavailable after 20 to 30 s at most if the store is unavailable,
    is misconfigured or denies access; callers that want to wait longer try again. Every method is
    safe to repeat. Objects appear whole or not at all, and memory use does not grow with their
    size.
    """

    @property
    def name(self) -> str:
        """The store's address, for the operator."""
        ...

    async def prepare(self, owner: str) -> None:
        """Mark the store as this database's. Only the bot does this, at start and later on.

        An existing mark is written again, so that it never looks old. Raises ForeignObjectStore if
        the store belongs to another database, whose files would look like leftovers of this one.
        """
        ...

    async def probe(self) -> None:
        """Write, read and remove a test object, whether or not the store is marked."""
        ...

    async def check(self) -> None:
        """Raise ObjectStoreUnavailable unless the store is available and marked."""
        ...

    async def put(self, path: Path, key: str) -> None:
        """Store a file under a key, replacing any object there.

        Raises FileNotFoundError if there is no such file.
        """
        ...

    async def copy(self, key: str, to: str) -> None:
        """Store an object under another key too, without a transfer through this machine.

        Raises ObjectMissing if there is no such object.
        """
        ...

    async def get(self, key: str, into: Path) -> None:
        """Write an object to a file, which appears when it is complete.

        Raises ObjectMissing if there is no such object.
        """
        ...

    def parts(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes of an object from `start` up to `end`, a few MiB at a time.

        Raises ObjectMissing if there is no such object.
        """
        ...

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None if there is none."""
        ...

    async def keys_under(self, prefix: str) -> Sequence[str]:
        """Return the keys of all objects below a prefix of whole segments, sorted."""
        ...

    async def folders_under(self, prefix: str) -> Sequence[str]:
        """Return the names of the segments directly below a prefix that have objects below them."""
        ...

    async def remove_under(self, prefix: str) -> None:
        """Remove all objects below a prefix of whole segments, if there are any."""
        ...

    async def remove(self, key: str) -> None:
        """Remove an object, if it exists."""
        ...
