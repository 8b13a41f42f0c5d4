"""A notebook's pipeline on a Kubernetes cluster without Kubeflow Pipelines: each step is a Job with one pod.

The run stays a resource of the notebook's own cluster, with the same controller process (``controller.py``); what a
step is told and what it leaves travel through the store of artifacts (``jupyter_ext.store``), which its pod
(``pod.py``) and this machine both reach.
"""
