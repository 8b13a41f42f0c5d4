"""The chart's schema, values and roles say what the Python beside them says. No cluster, and no Helm."""

from __future__ import annotations

import copy
import json
import re
import tomllib

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spawner.form.configuration import Reader
from spawner.form.settings import configure
from spawner.form.traits import FormSettings
from spawner.profiles.declared import Wanted
from spawner.quantities import typed
from spawner.starts.identity import cluster_role
from tests.cluster.place import REPOSITORY

CHART = REPOSITORY / "spawner/chart"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
CHECK = jsonschema.Draft202012Validator(SCHEMA)
NODES = {"node_selector": {"pool": "a"}, "tolerations": [{"key": "a", "operator": "Exists"}]}
ALL_OF_THE_FORM = {
    "images": [
        {
            "key": "lab",
            "reference": "example.org/lab:1",
            "title": "Lab",
            "description": "For work",
            "contains": ["Python"],
            "prepulled": True,
            "vendors": ["NVIDIA"],
            "default": True,
        }
    ],
    "image_other": {"pattern": "example\\.org/.+", "help": "ours"},
    "sizes": [
        {
            "key": "small",
            "title": "Small",
            "description": "For reading",
            "cpu": "500m",
            "memory": "1Gi",
            "cpu_limit": "none",
            "memory_limit": "2Gi",
            "idle_minutes": 60,
            "default": True,
            **NODES,
        }
    ],
    "size_other": {"least_cpu": "100m", "most_cpu": "4", "least_memory": "1Gi", "most_memory": "8Gi"},
    "accelerators": [
        {"match": "nvidia-*", "title": "GPU", "most": 2, "hidden": False, "idle_minutes": 30},
        {
            "key": "fpga",
            "resource": "example.com/fpga",
            "title": "FPGA",
            "vendor": "Example",
            "product": "F1",
            "memory": "8Gi",
            "counts": [1, 2],
            "note": "slow",
            "idle_minutes": 30,
            **NODES,
        },
    ],
    "home": {
        "size": "10Gi",
        "sizes": ["10Gi"],
        "storage_class": "fast",
        "mount": "/home/me",
        "optional": True,
    },
    "data_mount": "/data",
    "queue_needed": True,
    "prices": {"currency": "€", "cpu": "0.03", "memory": 0.004, "accelerators": {"example.com/fpga": "2"}},
    "when_busy": "wait",
    "sharing": True,
}


def faults(values: dict) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in CHECK.iter_errors(values)]


def over(base: dict, more: dict) -> dict:
    """As Helm lays one file of values over another."""
    made = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = over(made[key], value) if both else value
    return made


def places(schema: dict, path: tuple[str, ...] = ()):
    """Every object of the schema with its path, by its properties."""
    if "properties" in schema:
        yield path, schema
        for name, part in schema["properties"].items():
            yield from places(part, (*path, name))


def test_values_are_what_their_schema_says():
    CHECK.check_schema(SCHEMA)
    assert faults(VALUES) == []
    assert faults(over(VALUES, yaml.safe_load((CHART / "values-kubeflow.yaml").read_text()))) == []


def test_every_value_has_a_default_and_the_schema_has_no_other():
    for path, part in places(SCHEMA):
        found = VALUES
        for name in path:
            found = found[name]
        if isinstance(found, dict) and path != ("profiles", "defaults"):
            assert set(part["properties"]) - {"global"} == set(found), path


def test_objects_of_the_schema_know_their_keys():
    def look(part):
        if isinstance(part, dict):
            if part.get("type") == "object" and "properties" in part:
                assert part["additionalProperties"] is False, part
            for each in part.values():
                look(each)
        elif isinstance(part, list):
            for each in part:
                look(each)

    look(SCHEMA)


def test_servers_have_the_settings_of_the_form_and_each_is_known_to_both(monkeypatch):
    known: dict[str, set[str]] = {}
    done = Reader.done

    def noting(reader):
        if place := re.fullmatch(r"(\w+)(\[\d+\])?", reader.path):
            known.setdefault(place[1], set()).update(reader._known)
        return done(reader)

    monkeypatch.setattr(Reader, "done", noting)
    configure(**ALL_OF_THE_FORM)
    assert faults({"servers": ALL_OF_THE_FORM}) == []
    servers = SCHEMA["properties"]["servers"]["properties"]
    assert set(FormSettings.class_traits(config=True)) == set(ALL_OF_THE_FORM) <= set(servers)
    for name, value in ALL_OF_THE_FORM.items():
        if isinstance(value, str | bool):
            continue
        given = {key for each in (value if isinstance(value, list) else [value]) for key in each}
        assert given == known[name], name
        unknown = copy.deepcopy(value)
        (unknown[0] if isinstance(unknown, list) else unknown)["mystery"] = 1
        assert faults({"servers": {name: unknown}}), name


def test_what_profiles_are_made_with_is_what_the_provisioner_reads():
    fields = {field.alias or name for name, field in Wanted.model_fields.items()}
    assert set(SCHEMA["properties"]["profiles"]["properties"]["defaults"]["properties"]) == fields


def test_the_role_of_servers_is_the_spawners():
    lines = (CHART / "templates/server-role.yaml").read_text().splitlines()
    written = yaml.safe_load("\n".join(line for line in lines if "{{" not in line))
    assert written["rules"] == cluster_role()["rules"]
    assert VALUES["rbac"]["serverRole"] == cluster_role()["metadata"]["name"]


def test_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"imgae": "x"}, "'imgae' was unexpected"),
        ({"hub": {"baseUrl": "jupyter"}}, "$.hub.baseUrl"),
        ({"hub": {"baseUrl": "/a b/"}}, "$.hub.baseUrl"),
        ({"hub": {"publicUrl": "https://hub.example.org/path"}}, "$.hub.publicUrl"),
        ({"hub": {"config": {"spawner": {"cmd": "x"}}}}, "$.hub.config"),
        (
            {"hub": {"secrets": [{"setting": "password", "name": "a", "key": "b"}]}},
            "$.hub.secrets[0].setting",
        ),
        ({"hub": {"secrets": [{"setting": "A.b", "name": "a", "value": "secret"}]}}, "$.hub.secrets[0]"),
        ({"hub": {"extraConfig": {"../x": "1"}}}, "$.hub.extraConfig"),
        ({"servers": {"images": [{"key": "lab"}]}}, "'reference' is a required property"),
        ({"servers": {"images": [{"key": "lab", "reference": "a b"}]}}, "$.servers.images[0].reference"),
        ({"servers": {"sizes": [{"key": "s", "cpu": "many", "memory": "1Gi"}]}}, "$.servers.sizes[0].cpu"),
        ({"servers": {"namespace": "kube-system"}}, "'namespace' was unexpected"),
        ({"servers": {"when_busy": "maybe"}}, "$.servers.when_busy"),
        ({"idle": {"minutes": -1}}, "$.idle.minutes"),
        ({"security": {"uid": 0}}, "$.security.uid"),
        ({"rbac": {"profileLabel": {"key": "a' || true || '", "value": "x"}}}, "$.rbac.profileLabel.key"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(wrong, place):
    assert any(place in fault for fault in faults(over(VALUES, wrong))), faults(over(VALUES, wrong))


@given(
    st.from_regex(SCHEMA["$defs"]["quantity"]["anyOf"][0]["pattern"], fullmatch=True, alphabet="0159.mkMGiT")
)
def test_a_quantity_that_the_schema_lets_through_is_one_for_the_hub(text):
    if len(text) < 8:  # beyond that it may be more than a machine has bytes
        assert typed(text) >= 0
