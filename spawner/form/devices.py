"""Devices of DRA: what a DeviceClass's devices are, and how many of them nobody holds. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spawner.form.vendors import VENDORS
from spawner.quantities import stored

Json = Mapping[str, Any]


def free_devices(
    device_classes: Iterable[Json], resource_slices: Iterable[Json], claims: Iterable[Json]
) -> dict[str, int]:
    """How many devices of each class no ResourceClaim holds, for the classes that name one driver.

    An upper bound: a class may take only some of its driver's devices, which only the scheduler can say (CEL).
    """
    devices: dict[str, set[tuple[str, str]]] = {}
    for part in resource_slices:
        spec = part.get("spec") or {}
        pool = str((spec.get("pool") or {}).get("name", ""))
        names = {(pool, str(each.get("name", ""))) for each in spec.get("devices") or ()}
        devices.setdefault(str(spec.get("driver", "")), set()).update(names)
    for claim in claims:
        allocation = (claim.get("status") or {}).get("allocation") or {}
        for each in (allocation.get("devices") or {}).get("results") or ():
            held = (str(each.get("pool", "")), str(each.get("device", "")))
            devices.get(str(each.get("driver", "")), set()).discard(held)
    classes = {str((each.get("metadata") or {}).get("name", "")): driver_of(each) for each in device_classes}
    return {name: len(devices.get(driver, ())) for name, driver in classes.items() if name and driver}


def driver_of(device_class: Json) -> str:
    """The driver that a DeviceClass's CEL selector names, when it names exactly one."""
    expressions = [
        str((selector.get("cel") or {}).get("expression", ""))
        for selector in (device_class.get("spec") or {}).get("selectors") or ()
    ]
    names = {
        name
        for text in expressions
        for name in re.findall(r"device\.driver\s*==\s*['\"]([^'\"]{1,253})['\"]", text)
    }
    return names.pop() if len(names) == 1 else ""


def device_words(devices: Sequence[Json]) -> tuple[str, int]:
    """What all devices agree on."""
    products, sizes = set(), set()
    for device in devices:
        body = device.get("basic") or device  # v1beta1 nests what v1 has flat
        attributes, capacity = body.get("attributes") or {}, body.get("capacity") or {}
        products.add(str((attributes.get("productName") or {}).get("string", "")))
        try:
            sizes.add(int(stored(str((capacity.get("memory") or {}).get("value", "0")))))
        except ValueError:
            sizes.add(0)
    return products.pop() if len(products) == 1 else "", sizes.pop() if len(sizes) == 1 else 0


def vendor_of(driver: str) -> str:
    """Whose a driver is, by its domain; empty for one that is not known."""
    return next(
        (vendor for domain, vendor in VENDORS.items() if driver == domain or driver.endswith(f".{domain}")),
        "",
    )
