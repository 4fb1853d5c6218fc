"""The mixer page: plays a job's stems together in a browser, at a signed address."""
