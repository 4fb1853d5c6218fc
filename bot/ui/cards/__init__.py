"""What messages show, as pure functions of the domain. Discord is not needed."""
