"""Components of Kubeflow Pipelines, from YAML: called in a notebook, and nodes of Elyra's pipelines.

``reading`` finds the component in a file or text, ``old`` reads the form of KFP 1 (``implementation.container``) into that of
KFP 2, ``calling`` runs one in a process of its own, and ``values`` is what goes into it and comes out.
"""
