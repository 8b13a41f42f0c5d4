"""What a component's signature says about its arguments."""

from typing import Any, NamedTuple


class InputAnnotation:
    """Marks an input artifact."""


class OutputAnnotation:
    """Marks an output artifact."""


class EmbeddedAnnotation:
    """Marks a file that travels inside the component."""


class InputPath:
    """The argument is the path of an input artifact."""

    def __init__(self, type: Any = None) -> None:  # noqa: A002 - the SDK's name
        self.type = type


class OutputPath:
    """The argument is the path to write an output to: a parameter as text, or an artifact."""

    def __init__(self, type: Any = None) -> None:  # noqa: A002 - the SDK's name
        self.type = type


class PipelineTaskFinalStatus(NamedTuple):
    """How the tasks that an exit task waited for have ended."""

    state: str
    pipeline_job_resource_name: str
    pipeline_task_name: str
    error_code: int | None = None
    error_message: str | None = None


class TaskConfig:
    """The configuration of a task's pod that is for a workload which the task starts."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(dict.fromkeys(
            ("affinity", "tolerations", "node_selector", "env", "volumes", "volume_mounts", "resources")
        ) | fields)  # fmt: skip
