"""Pipelines that somebody compiled for Kubeflow, run on this machine: KFP's IR YAML, made by anyone.

``reading`` finds the pipeline in a file, ``spec`` reads it into types, ``checking`` says what cannot run here before
anything starts, ``submit`` makes a run of it and ``local`` is that run's own process.
"""
