"""TF_CONFIG as a job's pods write it, from what Kubeflow Trainer's torch policy tells them."""

from __future__ import annotations

import json

import pytest

from jupyter_ext.training.frameworks import tf_config

TOLD = {"WORLD_SIZE": "3", "RANK": "2", "MASTER_ADDR": "fit-node-0-0.fit", "MASTER_PORT": "29400"}


def test_all_pods_are_workers_that_know_each_other():
    environment = dict(TOLD)
    tf_config.install(environment)
    assert json.loads(environment["TF_CONFIG"]) == {
        "cluster": {"worker": ["fit-node-0-0.fit:29400", "fit-node-0-1.fit:29400", "fit-node-0-2.fit:29400"]},
        "task": {"type": "worker", "index": 2},
    }


@pytest.mark.parametrize("given", [{}, {"WORLD_SIZE": "1"}, {"TF_CONFIG": "{}", "WORLD_SIZE": "1"}])
def test_one_alone_is_no_cluster(given):
    environment = {**TOLD, "WORLD_SIZE": "", **given}
    before = dict(environment)
    tf_config.install(environment)
    assert environment == before


def test_what_somebody_said_stays():
    environment = {**TOLD, "TF_CONFIG": "{}"}
    tf_config.install(environment)
    assert environment["TF_CONFIG"] == "{}"


def test_an_address_without_a_number_is_an_error():
    with pytest.raises(ValueError, match="no address of a first pod"):
        tf_config.install({**TOLD, "MASTER_ADDR": "somewhere.example"})
