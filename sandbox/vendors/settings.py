"""Vendor settings that can be changed at run time."""

from pydantic import BaseModel, ConfigDict, Field

from sandbox.vendors.modes import Mode


class VendorSettings(BaseModel):
    """A change of settings. Omitted fields stay unchanged, and each vendor adds its own fields."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode | None = None
    times: int | None = Field(default=None, ge=1)
    latency_s: float | None = Field(default=None, ge=0, le=3600)
    credit_minutes: int | None = Field(default=None, ge=0, le=1_000_000)
    retry_after_s: int | None = Field(default=None, ge=0, le=86_400)
    drip_s: float | None = Field(default=None, ge=0, le=60)
    links_live_s: int | None = Field(default=None, ge=1, le=10 * 365 * 86_400)

    def own(self) -> dict[str, object]:
        """Return the values of the fields that a vendor has added."""
        added = self.model_fields_set - VendorSettings.model_fields.keys()
        return {name: value for name in added if (value := getattr(self, name)) is not None}


class UnsupportedBehaviour(ValueError):
    """The vendor's documentation does not allow this. The message says why."""
