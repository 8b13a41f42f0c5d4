"""Notebook to steps to graph to run."""
