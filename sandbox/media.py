"""Stored files and their signed, expiring addresses."""

import hashlib
import hmac
import secrets
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from sandbox.clock import SandboxClock
from sandbox.entities import Attachment
from sandbox.errors import DiscordError
from sandbox.filenames import cleansed, content_type, png_size, title_of
from sandbox.world import MIB

LIFETIME_S = 24 * 3600
CAPACITY_BYTES = 4096 * MIB


class MediaStore:
    """Keeps files in one folder, up to a total size, and signs addresses for them."""

    def __init__(
        self, *, folder: Path, clock: SandboxClock, capacity_bytes: int = CAPACITY_BYTES
    ) -> None:
        self.base_url = ""
        self.lifetime_s = LIFETIME_S
        self._folder = folder
        self._clock = clock
        self.capacity_bytes = capacity_bytes
        self._stored: dict[int, Attachment] = {}
        self._key = secrets.token_bytes(32)

    def new_path(self) -> Path:
        """Return a path for an incoming file."""
        return self._folder / f"incoming-{secrets.token_hex(8)}"

    def store(
        self,
        source: Path,
        *,
        attachment_id: int,
        channel_id: int,
        name: str,
        description: str | None = None,
        is_ephemeral: bool = False,
    ) -> Attachment:
        """Take over a received file. Raises `40005` if the folder is full."""
        size_bytes = source.stat().st_size
        if sum(a.size_bytes for a in self._stored.values()) + size_bytes > self.capacity_bytes:
            source.unlink()
            raise DiscordError(40005, message="The sandbox's disk allowance is used up")
        path = source.rename(self._folder / str(attachment_id))
        width, height = png_size(path) or (None, None)
        attachment = Attachment(
            id=attachment_id,
            channel_id=channel_id,
            filename=cleansed(name),
            title=title_of(name),
            size_bytes=size_bytes,
            content_type=content_type(name),
            path=path,
            is_ephemeral=is_ephemeral,
            description=description,
            width=width,
            height=height,
        )
        self._stored[attachment.id] = attachment
        return attachment

    def forget(self, attachment: Attachment) -> None:
        """Forget a file without deleting it. Its addresses answer 404 from now on."""
        self._stored.pop(attachment.id, None)

    def discard(self, attachment: Attachment) -> None:
        """Delete a file. Its addresses answer 404 from now on."""
        self.forget(attachment)
        attachment.path.unlink(missing_ok=True)

    def url(self, attachment: Attachment) -> str:
        """Return an address that is valid for a day."""
        return self._signed(self._address_path(attachment))

    def refreshed(self, address: str) -> str | None:
        """Return the address with a fresh signature, or None for one of another site."""
        path = urlsplit(address).path
        known = {self._address_path(attachment) for attachment in self._stored.values()}
        return self._signed(path) if path in known else None

    def find(self, path: str, query: str) -> Attachment | None:
        """Return the file at a signed address, or None if it is forged, expired or deleted."""
        values = {name: found[-1] for name, found in parse_qs(query).items()}
        expires, issued = values.get("ex", ""), values.get("is", "")
        signature = self._signature(path, expires, issued)
        if not hmac.compare_digest(signature.encode(), values.get("hm", "").encode()):
            return None
        if int(expires, 16) <= self._clock.now():
            return None
        return next((a for a in self._stored.values() if self._address_path(a) == path), None)

    def _address_path(self, attachment: Attachment) -> str:
        kind = "ephemeral-attachments" if attachment.is_ephemeral else "attachments"
        return f"/{kind}/{attachment.channel_id}/{attachment.id}/{quote(attachment.filename)}"

    def _signed(self, path: str) -> str:
        now = int(self._clock.now())
        expires, issued = f"{now + self.lifetime_s:x}", f"{now:x}"
        signature = self._signature(path, expires, issued)
        return f"{self.base_url}{path}?ex={expires}&is={issued}&hm={signature}&"

    def _signature(self, path: str, expires: str, issued: str) -> str:
        text = f"{path}?ex={expires}&is={issued}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
