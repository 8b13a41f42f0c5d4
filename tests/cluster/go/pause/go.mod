module jupyter-kubeflow/tests/cluster/pause

go 1.24.0
