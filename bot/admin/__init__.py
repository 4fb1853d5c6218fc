"""What the owner, managers and users decide about the data: rights, overview, deletion."""
