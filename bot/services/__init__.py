"""Use cases: what happens to a request, without SQL, HTTP or Discord."""
