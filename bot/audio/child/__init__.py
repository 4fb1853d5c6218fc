"""The audio child process: everything here runs in a child, one task at a time."""
