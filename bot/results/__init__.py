"""From a provider's files to stems as spools: fetched, decoded, identified."""
