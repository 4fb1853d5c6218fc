"""Stand-ins for the three hosted services, written from their documents: they really separate."""
