"""The provider layer: one module per separation service, all behind `Provider`.

Packages that add a provider may import the names exported here; CONTRIBUTING.md has an example.
"""

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderQuotaSpent,
    ProviderRefused,
    SubmitUncertain,
)
from bot.domain.recipes import Recipe, Stem
from bot.net.api_client import Answer, ApiClient, Timeouts
from bot.net.downloads import (
    DownloadError,
    DownloadFailed,
    DownloadRefused,
    Downloads,
    DownloadTooBig,
)
from bot.providers.hosted import Hosted, song_url
from bot.providers.interface import (
    Accepted,
    Call,
    Capabilities,
    Factory,
    Failed,
    Finished,
    Lost,
    Model,
    Provider,
    ProviderContext,
    Running,
    Source,
)
from bot.providers.responses import (
    Wire,
    check_results,
    protocol_error,
    read,
    scrub,
    status_error,
)

__all__ = [
    "Accepted",
    "Answer",
    "ApiClient",
    "Call",
    "Capabilities",
    "DownloadError",
    "DownloadFailed",
    "DownloadRefused",
    "DownloadTooBig",
    "Downloads",
    "Factory",
    "Failed",
    "Finished",
    "Hosted",
    "Lost",
    "Model",
    "Provider",
    "ProviderAuth",
    "ProviderBusy",
    "ProviderContext",
    "ProviderDown",
    "ProviderError",
    "ProviderProtocol",
    "ProviderQuotaSpent",
    "ProviderRefused",
    "Recipe",
    "RemoteFile",
    "RemoteRef",
    "Running",
    "Source",
    "Stem",
    "SubmitUncertain",
    "Timeouts",
    "Wire",
    "check_results",
    "protocol_error",
    "read",
    "scrub",
    "song_url",
    "status_error",
]
