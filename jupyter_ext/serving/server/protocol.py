"""The messages of the Open Inference Protocol's gRPC service, described here, so that no generated file is kept.

Source: the protocol's ``grpc_predict_v2.proto``, package ``inference``. The descriptions live in a pool of their own: a
model may bring a client that registers the same names.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE: Final = "inference.GRPCInferenceService"
_TYPES: Final = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13,
}  # fmt: skip
_PARAMETERS: Final = "parameters map"
_MESSAGES: Final[dict[str, str]] = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live bool 1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready bool 1",
    "ModelReadyRequest": "name string 1; version string 2",
    "ModelReadyResponse": "ready bool 1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name string 1; version string 2; extensions string* 3",
    "ModelMetadataRequest": "name string 1; version string 2",
    "TensorMetadata": "name string 1; datatype string 2; shape int64* 3",
    "ModelMetadataResponse": "name string 1; versions string* 2; platform string 3; inputs TensorMetadata* 4; "
    "outputs TensorMetadata* 5",
    "InferParameter": "bool_param bool 1; int64_param int64 2; string_param string 3; double_param double 4; "
    "uint64_param uint64 5",
    "InferTensorContents": "bool_contents bool* 1; int_contents int32* 2; int64_contents int64* 3; "
    "uint_contents uint32* 4; uint64_contents uint64* 5; fp32_contents float* 6; fp64_contents double* 7; "
    "bytes_contents bytes* 8",
    "InferInputTensor": f"name string 1; datatype string 2; shape int64* 3; {_PARAMETERS} 4; "
    "contents InferTensorContents 5",
    "InferRequestedOutputTensor": f"name string 1; {_PARAMETERS} 2",
    "ModelInferRequest": f"model_name string 1; model_version string 2; id string 3; {_PARAMETERS} 4; "
    "inputs InferInputTensor* 5; outputs InferRequestedOutputTensor* 6; raw_input_contents bytes* 7",
    "InferOutputTensor": f"name string 1; datatype string 2; shape int64* 3; {_PARAMETERS} 4; "
    "contents InferTensorContents 5",
    "ModelInferResponse": f"model_name string 1; model_version string 2; id string 3; {_PARAMETERS} 4; "
    "outputs InferOutputTensor* 5; raw_output_contents bytes* 6",
    # KServe puts the model's name first, others the repository's: who reads takes what is there.
    "RepositoryModelLoadRequest": "first string 1; second string 2",
    "RepositoryModelLoadResponse": "model_name string 1; isLoaded bool 2",
    "RepositoryModelUnloadRequest": "first string 1; second string 2",
    "RepositoryModelUnloadResponse": "model_name string 1; isUnloaded bool 2",
    "RepositoryIndexRequest": "repository_name string 1; ready bool 2",
    "ModelIndex": "name string 1; version string 2; state string 3; reason string 4",
    "RepositoryIndexResponse": "models ModelIndex* 1",
}
METHODS: Final = (
    "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "RepositoryIndex",
    "RepositoryModelLoad", "RepositoryModelUnload",
)  # fmt: skip


def _file() -> Any:
    made = descriptor_pb2.FileDescriptorProto(name="inference.proto", package="inference", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = made.message_type.add(name=name)
        for field in filter(None, fields.split("; ")):
            word, kind, number = field.rsplit(" ", 2)
            _add(message, name, word, kind, int(number))
        if name == "InferParameter":
            message.oneof_decl.add(name="parameter_choice")
            for each in message.field:
                each.oneof_index = 0
    return made


def _add(message: Any, owner: str, word: str, kind: str, number: int) -> None:
    if kind == "map":
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=9, label=1)
        entry.field.add(name="value", number=2, type=11, label=1, type_name=".inference.InferParameter")
        message.field.add(
            name=word, number=number, type=11, label=3, type_name=f".inference.{owner}.ParametersEntry"
        )
        return
    label, plain = (3, kind[:-1]) if kind.endswith("*") else (1, kind)
    if plain in _TYPES:
        message.field.add(name=word, number=number, type=_TYPES[plain], label=label)
    else:
        message.field.add(name=word, number=number, type=11, label=label, type_name=f".inference.{plain}")


_pool: Final = descriptor_pool.DescriptorPool()
_pool.AddSerializedFile(_file().SerializeToString())


def message(name: str) -> Any:
    """The class of a message."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"inference.{name}"))
