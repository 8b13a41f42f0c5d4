"""In kfp's environment: the fields and values that the specification has, and those that pipelines use.

usage: ir_fields_with_kfp.py FILE.yaml…
"""

import json
import sys
from pathlib import Path

import yaml
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

ROOTS = (pb.PipelineSpec, pb.PipelineDeploymentConfig, pb.PlatformSpec)


def offered(descriptor, found):
    """Every field below a message, and every value of its enumerations, as ``Message.field``."""
    if not descriptor.full_name.startswith("ml_pipelines.") or descriptor in found[1]:
        return
    found[1].append(descriptor)
    for field in descriptor.fields:
        if not descriptor.GetOptions().map_entry:
            found[0].add(f"{descriptor.name}.{field.name}")
        if field.type == FieldDescriptor.TYPE_ENUM:
            found[0].update(f"{field.enum_type.name}.{value.name}" for value in field.enum_type.values)
        if field.message_type is not None:
            offered(field.message_type, found)


def used(message, found):
    """The same of what a message sets."""
    for field, value in message.ListFields():
        found.add(f"{message.DESCRIPTOR.name}.{field.name}")
        kind = field.message_type
        repeated = isinstance(field.default_value, list)
        listed = list(value) if repeated and not (kind and kind.GetOptions().map_entry) else [value]
        if kind is not None and kind.GetOptions().map_entry:
            if kind.fields_by_name["value"].message_type is None:
                continue
            listed = list(value.values())
        for each in listed:
            if field.type == FieldDescriptor.TYPE_ENUM:
                found.add(f"{field.enum_type.name}.{field.enum_type.values_by_number[each].name}")
            elif hasattr(each, "DESCRIPTOR") and each.DESCRIPTOR.full_name.startswith("ml_pipelines."):
                used(each, found)


def of_file(path):
    found = set()
    with Path(path).open(encoding="utf-8") as file:
        for document in yaml.safe_load_all(file):
            if set(document) == {"platforms"}:
                used(json_format.ParseDict(document, pb.PlatformSpec()), found)
                continue
            spec = json_format.ParseDict(document, pb.PipelineSpec())
            used(spec, found)
            deployment = document.get("deploymentSpec", {})
            used(json_format.ParseDict(deployment, pb.PipelineDeploymentConfig()), found)
    return sorted(found)


everything = (set(), [])
for root in ROOTS:
    offered(root.DESCRIPTOR, everything)
print(json.dumps({"offered": sorted(everything[0]), "used": {path: of_file(path) for path in sys.argv[1:]}}))
