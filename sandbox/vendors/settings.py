"""What can be changed at a vendor while it runs."""

from pydantic import BaseModel, ConfigDict, Field

from sandbox.vendors.modes import Mode


class VendorSettings(BaseModel):
    """What is left out stays as it is; each vendor adds its own."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode | None = None
    times: int | None = Field(default=None, ge=1)
    latency_s: float | None = Field(default=None, ge=0, le=3600)
    credit_minutes: int | None = Field(default=None, ge=0, le=1_000_000)
    retry_after_s: int | None = Field(default=None, ge=0, le=86_400)
    drip_s: float | None = Field(default=None, ge=0, le=60)
    links_live_s: int | None = Field(default=None, ge=1, le=10 * 365 * 86_400)

    def own(self) -> dict[str, object]:
        """Return the values of those that a vendor has added."""
        added = self.model_fields_set - VendorSettings.model_fields.keys()
        return {name: value for name in added if (value := getattr(self, name)) is not None}


class UnsupportedBehaviour(ValueError):
    """The vendor's documents do not allow this; the text says why."""
