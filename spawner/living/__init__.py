"""A server while it runs: whether its user may still be there, how busy it is, and why it ended."""
