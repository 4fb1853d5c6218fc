"""Child processes: starting, forking, confining and talking to them."""
