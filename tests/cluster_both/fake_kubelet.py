"""A node's kubelet in small: it runs what pods of one namespace say as processes of this machine.

Everything else is real: the API server, the controller of Jobs, the store. Its pods ask for more CPU than any node
has, so that the real scheduler leaves them alone. What a kubelet does with images, volumes and logs is tested with
the real one.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from jupyter_ext.cluster.kube.transport import MERGE
from jupyter_ext.errors import KubeflowError, NotFound

NO_NODE_HAS = "900"
"""Cores that a pod asks for to be left to this kubelet."""
_LOOK = 0.1


class FakeKubelet(threading.Thread):
    """Follows the pods of one namespace until it is ended."""

    def __init__(self, cluster: Any, folder: Path) -> None:
        super().__init__(daemon=True)
        self._transport, self._folder = cluster.transport, folder
        self._pods = f"/api/v1/namespaces/{cluster.namespace}/pods"
        self._secrets = f"/api/v1/namespaces/{cluster.namespace}/secrets"
        self._over = threading.Event()
        self.running: dict[str, tuple[str, subprocess.Popen]] = {}
        """By the pod's UID, its name and process."""
        self._ended: set[str] = set()
        self.started: list[str] = []
        """The Job of every process that was started, in their order."""

    def end(self) -> None:
        """End it, and every process that it started."""
        self._over.set()
        self.join()
        for _, process in self.running.values():
            process.kill()
            process.wait()

    def run(self) -> None:
        """Look at the pods again and again."""
        while not self._over.wait(_LOOK):
            try:
                self._look()
            except KubeflowError:
                continue  # the API server is away

    def _look(self) -> None:
        pods = {pod["metadata"]["uid"]: pod for pod in self._transport.ask("GET", self._pods)["items"]}
        for uid, pod in pods.items():
            if uid not in self.running and uid not in self._ended:
                self._start(uid, pod)
        for uid, (name, process) in list(self.running.items()):
            if uid not in pods and process.poll() is None:
                process.terminate()
            elif (code := process.poll()) is not None:
                del self.running[uid]
                self._ended.add(uid)
                if uid in pods:
                    ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
                    self._tell(name, "Failed" if code else "Succeeded", ended, pods[uid])

    def _start(self, uid: str, pod: dict[str, Any]) -> None:
        container = pod["spec"]["containers"][0]
        name, folder = pod["metadata"]["name"], self._folder / uid
        folder.mkdir(parents=True)
        environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        environment |= {each["name"]: self._value(each) for each in container["env"]}
        command = [sys.executable, *container["command"][1:], str(folder)]
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
        self.started.append(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"])
        self.running[uid] = (name, process)
        self._tell(name, "Running", {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}}, pod)

    def _value(self, variable: dict[str, Any]) -> str:
        if "value" in variable or "valueFrom" not in variable:
            return variable.get("value", "")
        reference = variable["valueFrom"]["secretKeyRef"]
        data = self._transport.ask("GET", f"{self._secrets}/{reference['name']}")["data"]
        return base64.b64decode(data[reference["key"]]).decode()

    def _tell(self, name: str, phase: str, state: dict[str, Any], pod: dict[str, Any]) -> None:
        container = pod["spec"]["containers"][0]
        row = {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0}
        status = {"phase": phase, "containerStatuses": [{**row, "ready": "running" in state, "state": state}]}
        try:
            self._transport.ask(
                "PATCH", f"{self._pods}/{name}/status", {"status": status}, content_type=MERGE
            )
        except NotFound:
            return  # it was removed meanwhile
