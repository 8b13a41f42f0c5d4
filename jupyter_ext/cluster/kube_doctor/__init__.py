"""What a Kubernetes cluster needs for this project, looked at without writing anything: ``doctor --cluster``."""
