"""Models, their versions, and all that is known of them: on this machine, or in a Kubeflow Model Registry."""
