"""A local Discord simulator on loopback, with a controllable clock and injected faults."""
