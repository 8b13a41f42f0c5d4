"""Upstream's own controllers, installed from their own manifests: what is well there is not called ill."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]


def test_jobset_trainer_and_kserve_as_upstream_installs_them(cluster, trainer, kserve, doctor):
    report = doctor()
    mine = ("trainer", "jobset", "kserve")
    ill = [
        each
        for each in report.checks
        if each.check in {"webhooks", "controllers", "definitions", "components"}
        and each.severity != "ok"
        and any(word in f"{each.where} {each.what}".lower() for word in mine)
    ]
    assert [each.detail for each in ill if "ClusterServingRuntimes" not in each.what] == []
    well = " ".join(each.what for each in report.of("ok"))
    for words in (
        "Kubeflow Trainer runs",
        "JobSet runs",
        "KServe runs",
        "Training jobs have runtimes",
        "KServe is there",
    ):
        assert words in well
