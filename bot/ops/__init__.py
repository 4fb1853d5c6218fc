"""HTTP for the operator: health, metrics and public links."""
