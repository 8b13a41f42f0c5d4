"""Torch tensors inside a pickled graph: tensors that share memory still share it afterwards.

Torch's own reducers copy the storage of each tensor into the stream. Here a storage is one buffer beside the
pickle, mapped on load, and every tensor on it is a view. Torch is never imported for this; it is there if a
tensor is.
"""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Mapping
from typing import Any


def reduce_tensor(tensor: Any, shared: Mapping[Hashable, Any], storages: dict[Any, Any]) -> Any:
    """A reduce tuple for a plain strided tensor or parameter; NotImplemented leaves it to torch.

    ``shared`` maps the memory of tensors in other graphs to a tensor there. ``storages`` is filled with one
    holder per storage of this graph. Raises PicklingError for a tensor whose gradient history would be lost.
    """
    import torch

    if tensor.grad_fn is not None:
        raise pickle.PicklingError("cannot pickle a tensor that belongs to an autograd graph")
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.layout != torch.strided:
        return NotImplemented
    if (
        tensor.is_quantized
        or tensor.device.type not in ("cpu", "cuda")
        or tensor.is_conj()
        or tensor.is_neg()
    ):
        return NotImplemented
    key = ("torch", tensor.untyped_storage()._cdata)  # noqa: SLF001 - the only identity a storage has
    owner = shared.get(key)
    if owner is None or owner is tensor or key in storages:
        owner = storages.setdefault(key, StorageHolder(tensor.untyped_storage()))
    layout = (
        str(tensor.dtype).removeprefix("torch."),
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
    )
    state = (tensor.grad, dict(tensor.__dict__))
    kind = "Parameter" if isinstance(tensor, torch.nn.Parameter) else "Tensor"
    return rebuild_tensor, (owner, kind, tensor.requires_grad, *layout), state, None, None, restore_tensor


class StorageHolder:
    """One storage on its way through the pickle; the unpickled one keeps the storage for all its tensors."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage

    def __reduce__(self) -> tuple[Any, ...]:
        import torch

        device = str(self.storage.device)
        flat = torch.empty(0, dtype=torch.uint8, device=device).set_(self.storage)
        return rebuild_storage, (pickle.PickleBuffer(flat.cpu().numpy()), device)


def rebuild_storage(buffer: Any, device: str) -> StorageHolder:
    """A storage over the buffer, or a copy of it on its device."""
    import torch

    view = memoryview(buffer)
    if not view.nbytes:
        return StorageHolder(torch.empty(0, dtype=torch.uint8, device=device).untyped_storage())
    flat = torch.frombuffer(bytearray(view) if view.readonly else view, dtype=torch.uint8)
    return StorageHolder(flat.to(device).untyped_storage())


def rebuild_tensor(
    owner: Any,
    kind: str,
    requires_grad: bool,
    dtype: str,
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
) -> Any:
    """A tensor on the owner's storage."""
    import torch

    storage = owner.storage if isinstance(owner, StorageHolder) else owner.untyped_storage()
    tensor = torch.empty(0, dtype=getattr(torch, dtype), device=storage.device)
    tensor.set_(storage, offset, shape, stride)
    if kind == "Parameter":
        return torch.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


def restore_tensor(tensor: Any, state: tuple[Any, dict[str, Any]]) -> None:
    """Gradient and attributes."""
    gradient, attributes = state
    tensor.grad = gradient
    tensor.__dict__.update(attributes)
