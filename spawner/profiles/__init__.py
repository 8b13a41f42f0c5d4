"""Profiles: who may start servers in which, and their objects where Kubeflow's own controller does not make them."""
