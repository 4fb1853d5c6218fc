"""A local Discord simulator: REST, gateway and CDN on loopback, with a controllable clock and
faults.
"""
