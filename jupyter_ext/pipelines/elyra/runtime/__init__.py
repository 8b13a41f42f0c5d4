"""What is in the process of a node."""
