"""Jupyter for Kubeflow: the public names load on first use."""
