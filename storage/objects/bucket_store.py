"""A bucket of a service that speaks S3."""

import logging
import os
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import S3Store

from bot.domain.errors import InvalidObjectStore, ObjectMissing
from storage.objects.obstore_base import ObstoreStore
from storage.objects.store_address import Bucket, Patience

if TYPE_CHECKING:
    from obstore.store import ClientConfig
    from obstore.store import ObjectStore as Obstore

log = logging.getLogger(__name__)


class BucketStore(ObstoreStore):
    """A bucket, or a prefix of one, at a service that speaks S3."""

    def __init__(self, bucket: Bucket, patience: Patience) -> None:
        """Open the bucket without connecting to it. Raises InvalidObjectStore."""
        super().__init__(f"s3://{bucket.name}/{bucket.prefix}".rstrip("/"))
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            # obstore reads the environment itself, and panics if an address is empty.
            if os.environ.get(name) == "":
                del os.environ[name]
        try:
            self._store = S3Store(
                bucket.name,
                prefix=bucket.prefix or None,
                config=dict(bucket.config),  # type: ignore[arg-type] # names of variables
                client_options=_client_options(bucket, patience),
                retry_config={
                    "max_retries": patience.max_repeats,
                    "retry_timeout": patience.repeats,
                },
            )
        except (BaseError, ValueError) as exc:
            log.debug("%s: %s", self._name, exc)
            # Without the cause, whose text contains the variables.
            raise InvalidObjectStore("expected AWS_* variables that fit together") from None

    def open(self) -> "Obstore":
        return self._store

    async def remove_under(self, prefix: str) -> None:
        """Remove the objects; S3 reports no error for those that are already gone."""
        try:
            await super().remove_under(prefix)
        except ObjectMissing:
            raise self.missing() from None


def _client_options(bucket: Bucket, patience: Patience) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": patience.connect,
        "timeout": patience.request,
        "allow_http": bucket.allow_http,
    }
    if bucket.proxy:
        options["proxy_url"] = bucket.proxy
        options["proxy_excludes"] = bucket.direct
    if bucket.certificates is not None:
        try:
            options["root_certificate"] = bucket.certificates.read_bytes()
        except OSError:
            raise InvalidObjectStore("SSL_CERT_FILE: expected readable certificates") from None
    return options
