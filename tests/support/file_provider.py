"""A provider whose results are local files, intact or broken, named or unnamed."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.domain.attempt import RemoteFile
from bot.domain.errors import ProviderError
from bot.domain.recipes import Stem
from bot.providers.interface import Finished, Model
from tests.support.fakes import FakeProvider

Version = Path | ProviderError
Versions = Version | Sequence[Version]


class FileProvider(FakeProvider):
    """Finishes at its first poll. The content of each file may differ between fetches."""

    def __init__(
        self,
        model: Model,
        results: Mapping[str, Versions],
        *,
        name: str = "shelf",
        is_named: bool = True,
        **declared: object,
    ) -> None:
        """`results` maps stems to the files returned by successive fetches.

        The last file is repeated. Without `is_named`, results arrive in this order without stems.
        """
        super().__init__(name, models=(model,), **declared)
        self.answers = 0
        self.fetched: list[str] = []
        self._is_named = is_named
        self._results = {
            stem: [versions] if isinstance(versions, Version) else list(versions)
            for stem, versions in results.items()
        }

    def finishes(self) -> Finished:
        """Use new addresses in each answer, as services with signed addresses do."""
        self.answers += 1
        return Finished(
            tuple(
                RemoteFile(f"{stem}?{self.answers}", Stem(stem) if self._is_named else None)
                for stem in self._results
            )
        )

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        self.fetched.append(file.address)
        versions = self._results[file.address.partition("?")[0]]
        version = versions.pop(0) if len(versions) > 1 else versions[0]
        if isinstance(version, ProviderError):
            raise version
        shutil.copyfile(version, into)
