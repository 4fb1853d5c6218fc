"""Administration by the owner and managers, the owner's overview, personal data and retention."""
