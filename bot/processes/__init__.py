"""Child processes: how they are started, forked, confined and spoken to."""
