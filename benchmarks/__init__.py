"""Measurements against the peers, each with a ratio from one run; ``python -m benchmarks`` runs them all."""
