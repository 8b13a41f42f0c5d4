"""Choices that were not offered, in any shape: by the REST interface and by the form, at a real Hub."""

from __future__ import annotations

import json

import pytest

from tests.spawner.attacks.world import Person

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

# What is sent (with Ada's profile, and no home), and a part of the answer.
ATTEMPTS = {
    "an undeclared field": ({"privileged": True}, "there is no field 'privileged'"),
    "a trait of the spawner": ({"service_account": "default-editor"}, "there is no field 'service_account'"),
    "a part of the pod": ({"extra_pod_config": {"hostNetwork": True}}, "there is no field 'extra_pod_config'"),
    "labels": ({"extra_labels": {"hub.jupyter.org/network-access-hub": "true"}}, "there is no field"),
    "a node": ({"node_name": "cpu"}, "there is no field"),
    "a dunder": ({"__class__": "x"}, "there is no field"),
    "sixty-five fields": ({f"f{number}": 1 for number in range(65)}, "more than 64"),
    "a field of a megabyte": ({"image": "x" * 2**20}, "longer than 500"),
    "a name of a megabyte": ({"x" * 2**20: "x"}, "there is no field"),
    "a deep object": ({"image": json.loads("[" * 200 + "]" * 200)}, "must be"),
    "an image that is not listed": ({"image": "evil"}, "is not one of the images"),
    "an image by another field": ({"image": "lab", "image_other": "evil/x:1"}, "needs the choice 'other'"),
    "an image of elsewhere": ({"image": "other", "image_other": "evil.example/x:1"}, "is not an image"),
    "a prefix and then elsewhere": ({"image": "other", "image_other": "quay.io/jupyter/../../evil:1"}, "is not an image"),
    "an image with a second line": ({"image": "other", "image_other": "quay.io/jupyter/x:1\nevil"}, "cannot be seen"),
    "an image at the metadata address": ({"image": "other", "image_other": "169.254.169.254/x:1"}, "is not an image"),
    "an image that is a template": ({"image": "other", "image_other": "quay.io/jupyter/{username}"}, "is not an image"),
    "a template": ({"image": "{userid.__class__.__mro__}"}, "is not one of the images"),
    "a list for a text": ({"size": ["small", "small"]}, "must be one value"),
    "an object for a text": ({"size": {"key": "small"}}, "must be text"),
    "a truth for a text": ({"size": True}, "must be text"),
    "more than the bounds": ({"size": "other", "cpu": "64", "memory": "1Gi"}, "outside of"),
    "a negative amount": ({"size": "other", "cpu": "-1", "memory": "1Gi"}, "field cpu"),
    "an exponent": ({"size": "other", "cpu": "1e1", "memory": "1Gi"}, "field cpu"),
    "no number": ({"size": "other", "cpu": "1", "memory": "NaN"}, "field memory"),
    "a huge whole number": ({"size": "other", "cpu": 10**300, "memory": "1Gi"}, "must be text"),
    "amounts beside a size": ({"size": "small", "cpu": "2"}, "has its own cpu"),
    "a resource for an accelerator": ({"accelerator": "cpu"}, "is not one of the accelerators"),
    "more than one may have": ({"accelerator": "gpu", "count": 5}, "field count"),
    "a negative count": ({"accelerator": "gpu", "count": -1}, "field count"),
    "other digits": ({"accelerator": "gpu", "count": "\u0661"}, "field count"),
    "a disk of the node": ({"data": [{"hostPath": {"path": "/"}}]}, "must be text"),
    "a way out of the folder": ({"data": ["../../etc"]}, "is not one of the data volumes"),
    "the home of another": ({"data": ["claim-cam"]}, "is not one of the data volumes"),
    "a volume of another profile": ({"data": ["no-volume"]}, "is not one of the data volumes"),
    "a queue that is none": ({"queue": "fast"}, "is not one of the queues"),
    "a PodDefault that is none": ({"pod_defaults": ["root"]}, "is not one of the PodDefaults"),
    "a home that is a path": ({"home": "/etc"}, "cannot be chosen here"),
    "a home of any size": ({"home": "keep", "home_size": "900Ti"}, "is not one of the sizes"),
    "HTML": ({"size": "<img src=x onerror=alert(1)>"}, "is not one of the sizes"),
    "colours of a terminal": ({"size": "\u001b[31mred"}, "cannot be seen"),
    "text that runs backwards": ({"size": "small\u202e"}, "cannot be seen"),
    "an end of text": ({"size": "small\u0000"}, "cannot be seen"),
}  # fmt: skip


def test_by_the_rest_interface(unmoved):
    for name, (options, words) in ATTEMPTS.items():
        asked = {"namespace": unmoved.of_ada, **({} if "home" in options else {"home": "none"}), **options}
        answer = unmoved.start("ada", asked)
        try:
            message = unmoved.is_refused(answer, words)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
        assert "<img" not in message or "message" in answer.json(), name  # JSON, not a page
        assert answer.headers["Content-Type"].startswith("application/json")


def test_bodies_that_are_no_choices(unmoved):
    for body in ([], "small", 7, [{"size": "small"}], {"user_options": "small"}, {"user_options": [1]}):
        answer = unmoved.start("eve", body)
        assert 400 <= answer.status_code < 500, (body, answer.text)
    for raw in (
        b'{"home": "none", "size": "other", "memory": "1Gi", "cpu": NaN}',
        b'{"home": "none", "size": "other", "memory": "1Gi", "cpu": -Infinity}',
        b'{"home": "none", "size"',
        b"\xff\xfe",
        b'{"size": ' * 500,
        b'"' + b"x" * 2**20 + b'"',
    ):
        answer = unmoved.hub.call("POST", "/users/ada/server", raw=raw)
        assert 400 <= answer.status_code < 500, (raw[:80], answer.text[:300])


def test_by_the_form(unmoved):
    ada = Person(unmoved, "ada")
    for name, (options, words) in ATTEMPTS.items():
        if not all(isinstance(each, str) for each in options.values()):
            continue  # a form has only texts
        form = {"namespace": unmoved.of_ada, "home": "none", **options, "_xsrf": ada.xsrf}
        answer = ada.ask("POST", f"/spawn?_xsrf={ada.xsrf}", data=form)
        assert 400 <= answer.status_code < 500, (name, answer.status_code)
        assert "<img src=x" not in answer.text, name
        page = answer.text.replace("&#39;", "'").replace("&#34;", '"')
        assert words in page, name
    files = {"image": ("x.txt", b"evil")}
    answer = ada.ask("POST", f"/spawn?_xsrf={ada.xsrf}", data={"_xsrf": ada.xsrf}, files=files)
    assert answer.status_code == 400


def test_what_was_refused_is_not_remembered_as_a_choice(unmoved):
    """The next start without choices takes none of it, and the form opens."""
    unmoved.start("ada", {"namespace": unmoved.of_ada, "privileged": True, "size": "<b>huge</b>"})
    ada = Person(unmoved, "ada")
    page = ada.ask("GET", "/spawn")
    assert page.status_code == 200
    assert "<b>huge" not in page.text
    unmoved.is_refused(unmoved.start("ada", None), "there is no field")
