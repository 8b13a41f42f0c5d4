"""Pipelines with settings for Kubernetes as their author wrote them: ``python sources.py FOLDER`` compiles each.

That takes the KFP SDK with its extension, kfp-kubernetes. The YAML beside this file is what it makes.
"""

import sys
from pathlib import Path

from kfp import compiler, dsl, kubernetes


@dsl.component(base_image="python:3.11")
def look(marker: str) -> str:
    """Says what it finds, and of secrets only how long they are."""
    import json
    import os

    found = {
        "password": len(os.environ.get("PASSWORD", "")),
        "missing": os.environ.get("MISSING"),
        "mode": os.environ.get("MODE"),
        "pod": os.environ["POD_NAMESPACE"] + "/" + os.environ["TEAM"] + "/" + os.environ["NODE"],
        "files": sorted(os.listdir("/etc/credentials")),
        "token": len(open("/etc/credentials/password").read()),
        "optional": os.listdir("/opt/nothing"),
        "plain": open("/etc/app/mode").read(),
        "marker": marker,
    }
    try:
        open("/etc/credentials/password", "w")
    except OSError as error:
        found["writable"] = type(error).__name__
    return json.dumps(found)


@dsl.pipeline(name="secrets")
def secrets(secret: str = "database") -> str:
    task = look(marker="x")
    kubernetes.use_secret_as_env(task, secret, {"password": "PASSWORD"})
    kubernetes.use_secret_as_env(task, "nowhere", {"x": "MISSING"}, optional=True)
    kubernetes.use_secret_as_volume(task, secret, "/etc/credentials")
    kubernetes.use_secret_as_volume(task, "nowhere", "/opt/nothing", optional=True)
    kubernetes.use_config_map_as_env(task, "settings", {"mode": "MODE"})
    kubernetes.use_config_map_as_volume(task, "settings", "/etc/app")
    kubernetes.use_field_path_as_env(task, "POD_NAMESPACE", "metadata.namespace")
    kubernetes.use_field_path_as_env(task, "NODE", "spec.nodeName")
    kubernetes.use_field_path_as_env(task, "TEAM", "metadata.labels['team']")
    kubernetes.add_pod_label(task, "team", "blue")
    kubernetes.set_image_pull_secrets(task, ["registry"])
    return task.output


@dsl.component(base_image="python:3.11")
def put(text: str) -> None:
    import os

    os.makedirs("/data/in", exist_ok=True)
    with open("/data/in/text", "w") as file:
        file.write(text)


@dsl.container_component
def copy(said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="alpine", command=["cp", "/input/text", said])


@dsl.pipeline(name="volumes")
def volumes(text: str = "kept", suffix: str = "-of-run") -> str:
    made = kubernetes.CreatePVC(access_modes=["ReadWriteOnce"], size="5Gi", pvc_name_suffix=suffix)
    one = put(text=text)
    one.set_caching_options(False)
    kubernetes.mount_pvc(one, made.outputs["name"], "/data")
    two = copy().after(one)
    kubernetes.mount_pvc(two, made.outputs["name"], "/input", sub_path="in")
    kubernetes.DeletePVC(pvc_name=made.outputs["name"]).after(two)
    return two.outputs["said"]


@dsl.component(base_image="python:3.11")
def tally() -> int:
    with open("/data/tally", "a") as file:
        file.write(".")
    return len(open("/data/tally").read())


@dsl.pipeline(name="existing")
def existing(volume: str = "shared") -> int:
    task = tally()
    kubernetes.mount_pvc(task, volume, "/data")
    return task.output


@dsl.component(base_image="python:3.11")
def linger(seconds: int):
    import time

    print("lingering", flush=True)
    time.sleep(seconds)


@dsl.pipeline(name="deadline")
def deadline(seconds: int = 600):
    kubernetes.set_timeout(linger(seconds=seconds), 1)


@dsl.pipeline(name="whole", pipeline_config=dsl.PipelineConfig(active_deadline_seconds=1))
def whole(seconds: int = 600):
    linger(seconds=seconds)


@dsl.component(base_image="python:3.11")
def inside() -> str:
    import json
    import os

    facts = [os.getuid(), os.getgid(), os.listdir("/scratch/fast"), os.listdir("/scratch/disk"), os.listdir("/claim")]
    for place in ("/scratch/fast", "/scratch/disk", "/claim"):
        with open(place + "/x", "w") as file:
            file.write("x")
    facts.append(os.statvfs("/scratch/fast").f_blocks * os.statvfs("/scratch/fast").f_frsize)
    return json.dumps(facts)


@dsl.pipeline(name="pods")
def pods() -> str:
    task = inside()
    task.set_caching_options(False)
    kubernetes.empty_dir_mount(task, "fast", "/scratch/fast", "Memory", "1Mi")
    kubernetes.empty_dir_mount(task, "disk", "/scratch/disk")
    kubernetes.add_ephemeral_volume(task, "claim", "/claim", ["ReadWriteOnce"], "1Gi")
    kubernetes.set_security_context(task, run_as_user=4242, run_as_group=4343, run_as_non_root=True)
    kubernetes.add_node_selector(task, "disktype", "ssd")
    kubernetes.add_toleration(task, "gpu", "Exists", "", "NoSchedule")
    kubernetes.add_node_affinity(task, match_expressions=[{"key": "zone", "operator": "In", "values": ["a"]}])
    kubernetes.add_pod_annotation(task, "note", "y")
    kubernetes.set_image_pull_policy(task, "Always")
    return task.output


@dsl.component(
    base_image="python:3.11",
    task_config_passthroughs=[
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
        dsl.TaskConfigField.RESOURCES,
        dsl.TaskConfigField.KUBERNETES_VOLUMES,
        dsl.TaskConfigField.KUBERNETES_TOLERATIONS,
        dsl.TaskConfigField.KUBERNETES_NODE_SELECTOR,
    ],
)
def hand_on(number: int, config: dsl.TaskConfig) -> str:
    import json
    import os

    told = {"env": config.env, "volumes": config.volumes, "mounts": config.volume_mounts, "resources": config.resources}
    told |= {"tolerations": config.tolerations, "selector": config.node_selector}
    return json.dumps({**told, "own": [os.environ.get("COLOR"), os.path.exists("/far")]})


@dsl.pipeline(name="passed")
def passed(volume: str = "far-away") -> str:
    task = hand_on(number=1)
    task.set_cpu_limit("4000").set_env_variable("COLOR", "red")
    kubernetes.use_secret_as_env(task, "database", {"password": "PASSWORD"})
    kubernetes.mount_pvc(task, volume, "/far")
    kubernetes.add_toleration(task, "gpu", "Exists")
    kubernetes.add_node_selector(task, "disktype", "ssd")
    return task.output


if __name__ == "__main__":
    for made in (secrets, volumes, existing, deadline, whole, pods, passed):
        compiler.Compiler().compile(made, str(Path(sys.argv[1]) / f"{made.name}.yaml"))
