"""A customer's account at a vendor: credit and billed minutes."""

import math
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Account:
    """Remaining and billed minutes. A finished song is billed by the started minute."""

    credit_minutes: int = 600
    minutes_billed: int = 0

    def charge(self, duration_s: float) -> bool:
        """Charge a song's minutes. Return False, charging nothing, if the credit is too low."""
        minutes = max(1, math.ceil(duration_s / 60))
        if minutes > self.credit_minutes:
            return False
        self.credit_minutes -= minutes
        self.minutes_billed += minutes
        return True
