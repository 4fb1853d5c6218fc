"""What a message shows, as pure functions of the domain. Discord is not needed."""
