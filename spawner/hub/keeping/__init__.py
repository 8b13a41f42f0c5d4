"""Servers as processes of one machine: each has a keeper, which holds its lease, its limits and its end."""
