"""The result of checking one claim of the audit."""

from dataclasses import dataclass

NAMED_AT_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim, the number of things checked, and the ones that violate it."""

    invariant: int
    claim: str
    looked_at: int
    of: str
    """The kind of thing checked, such as `jobs`."""
    offenders: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether the claim holds."""
        return not self.offenders

    def __str__(self) -> str:
        """Return one line for the operator."""
        mark = "ok    " if self.is_good else "FAILED"
        line = f"{mark}  {self.invariant}  {self.claim} ({self.looked_at:,} {self.of})"
        return line if self.is_good else f"{line}: {self._named()}"

    def _named(self) -> str:
        named = ", ".join(self.offenders[:NAMED_AT_MOST])
        more = len(self.offenders) - NAMED_AT_MOST
        return f"{named} and {more:,} more" if more > 0 else named
