"""Where the README's figures come from; run by hand, never by the tests."""
