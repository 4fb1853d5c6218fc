"""A stand-in Discord on loopback: REST, gateway and CDN, with a clock and faults that tests set."""
