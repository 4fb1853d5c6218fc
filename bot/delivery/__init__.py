"""Turns masters into a delivery: encodes stems to fit Discord's limits, and links to the rest."""
