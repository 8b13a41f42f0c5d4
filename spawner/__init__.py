"""What runs beside JupyterHub. Nothing yet.

This package is where the spawner for Kubeflow profiles will live: the start form with accelerators and quota,
the reasons while a server is pending, provisioning and culling. It is here, empty, so that the package's
name, its place in the layers and its wheel are settled before there is code in it.
"""
