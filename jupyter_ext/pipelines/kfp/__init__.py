"""Runs on a Kubeflow Pipelines server, by its REST interface (v2beta1): the same calls and the same handle as here."""
