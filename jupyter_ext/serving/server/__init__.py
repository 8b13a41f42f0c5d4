"""The model server: a process that loads models and answers for them in KServe's protocols.

    python -P -m jupyter_ext.serving.server CONFIG.json

V1 and Open Inference Protocol V2 over HTTP, and V2 over gRPC where it is asked for. It imports what a model needs and
little else.
"""
