"""From finished masters to a delivery: encoded to fit, linked where it does not."""
