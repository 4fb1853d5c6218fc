"""The customer's account at a vendor: its credit, and what was billed."""

import math
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Account:
    """Minutes left and taken; a song costs its started minutes, once it is done."""

    credit_minutes: int = 600
    minutes_billed: int = 0

    def charge(self, duration_s: float) -> bool:
        """Take a song's minutes; False, and nothing taken, where the credit is too small."""
        minutes = max(1, math.ceil(duration_s / 60))
        if minutes > self.credit_minutes:
            return False
        self.credit_minutes -= minutes
        self.minutes_billed += minutes
        return True
