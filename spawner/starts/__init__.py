"""A start on a cluster: what is chosen, what is made, how far it is, and why it does not get on."""
