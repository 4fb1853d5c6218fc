"""A stand-in for Discord on loopback: REST, gateway and CDN, with a clock and faults to control."""
