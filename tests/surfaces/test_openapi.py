from __future__ import annotations

import json
import re

from jupyter_ext.openapi import VERBS, document, operations
from jupyter_ext.server.routes import BASE, routes

CONTRACT = """
GET status
GET doctor
GET cluster
POST cluster
GET home
POST home/contributors
POST home/contributors:remove
GET gpus
GET openapi.json
GET runs
POST runs
GET runs/{name}
DELETE runs/{name}
POST runs/{name}:stop
POST runs/{name}:resume
POST runs/{name}:rerun
POST runs/{name}:reproduce
POST runs/{name}:report
POST runs/{name}:open
POST runs/{name}:export
POST runs/{name}:executed
GET runs:compare
POST pipelines:check
POST pipelines:convert
POST pipelines:files
GET runs/{name}/values/{step}
GET runs/{name}/values/{step}/{value}
GET runs/{name}/outputs/{step}
GET runs/{name}/code/{step}
GET runs/{name}/logs
GET runs/{name}/logs:tail
GET recurringruns
POST recurringruns
GET recurringruns/{name}
DELETE recurringruns/{name}
POST recurringruns/{name}:pause
POST recurringruns/{name}:resume
POST recurringruns/{name}:run
GET trainjobs
POST trainjobs
GET trainjobs:runtimes
GET trainjobs/{name}
DELETE trainjobs/{name}
POST trainjobs/{name}:stop
POST trainjobs/{name}:suspend
POST trainjobs/{name}:resume
POST trainjobs/{name}:curves
POST trainjobs/{name}:code
GET trainjobs/{name}/logs
GET trainjobs/{name}/logs:tail
GET tfjobs
GET tfjobs/{name}
DELETE tfjobs/{name}
POST tfjobs/{name}:stop
POST tfjobs/{name}:suspend
POST tfjobs/{name}:resume
POST tfjobs/{name}:curves
POST tfjobs/{name}:code
GET tfjobs/{name}/logs
GET tfjobs/{name}/logs:tail
GET pytorchjobs
GET pytorchjobs/{name}
DELETE pytorchjobs/{name}
POST pytorchjobs/{name}:stop
POST pytorchjobs/{name}:suspend
POST pytorchjobs/{name}:resume
POST pytorchjobs/{name}:curves
POST pytorchjobs/{name}:code
GET pytorchjobs/{name}/logs
GET pytorchjobs/{name}/logs:tail
GET xgboostjobs
GET xgboostjobs/{name}
DELETE xgboostjobs/{name}
POST xgboostjobs/{name}:stop
POST xgboostjobs/{name}:suspend
POST xgboostjobs/{name}:resume
POST xgboostjobs/{name}:curves
POST xgboostjobs/{name}:code
GET xgboostjobs/{name}/logs
GET xgboostjobs/{name}/logs:tail
GET experiments
POST experiments
GET experiments:algorithms
GET experiments/{name}
DELETE experiments/{name}
POST experiments/{name}:stop
POST experiments/{name}:resume
POST experiments/{name}:trials
POST experiments/{name}:importance
POST experiments/{name}:curves
POST experiments/{name}:code
GET experiments/{name}/logs
GET experiments/{name}/logs:tail
GET trials
GET trials/{name}
GET trials/{name}/logs
GET trials/{name}/logs:tail
GET registeredmodels
POST registeredmodels
GET registeredmodels:search
GET registeredmodels:compare
GET registeredmodels:properties
POST registeredmodels/{name}:versions
POST registeredmodels/{name}:version
POST registeredmodels/{name}:lineage
POST registeredmodels/{name}:alias
POST registeredmodels/{name}:archive
POST registeredmodels/{name}:restore
POST registeredmodels/{name}:promote
POST registeredmodels/{name}:copy
POST registeredmodels/{name}:better
POST registeredmodels/{name}:describe
POST registeredmodels/{name}:card
POST registeredmodels/{name}:code
POST registeredmodels/{name}:remove
GET registeredmodels/{name}
DELETE registeredmodels/{name}
GET inferenceservices
POST inferenceservices
GET inferenceservices/{name}/logs:tail
GET inferenceservices/{name}/logs
POST inferenceservices/{name}:traffic
POST inferenceservices/{name}:mirror
POST inferenceservices/{name}:promote
POST inferenceservices/{name}:rollback
POST inferenceservices/{name}:remove
POST inferenceservices/{name}:rules
POST inferenceservices/{name}:log
POST inferenceservices/{name}:stop
POST inferenceservices/{name}:start
POST inferenceservices/{name}:revisions
POST inferenceservices/{name}:curves
POST inferenceservices/{name}:compare
POST inferenceservices/{name}:drift
POST inferenceservices/{name}:requests
POST inferenceservices/{name}:request
POST inferenceservices/{name}:example
POST inferenceservices/{name}:code
POST inferenceservices/{name}:predict
POST inferenceservices/{name}:explain
POST inferenceservices/{name}:feedback
POST inferenceservices/{name}:replay
GET inferenceservices/{name}
DELETE inferenceservices/{name}
GET inferencegraphs
POST inferencegraphs/{name}:predict
GET inferencegraphs/{name}
DELETE inferencegraphs/{name}
POST apply
GET sparkapplications
POST sparkapplications
POST sparkapplications/{name}:code
POST sparkapplications/{name}:events
GET sparkapplications/{name}/ui/{path}
GET scheduledsparkapplications
POST scheduledsparkapplications
GET scheduledsparkapplications/{name}
DELETE scheduledsparkapplications/{name}
POST scheduledsparkapplications/{name}:suspend
POST scheduledsparkapplications/{name}:resume
POST scheduledsparkapplications/{name}:run
POST scheduledsparkapplications/{name}:code
POST scheduledsparkapplications/{name}:events
GET sparkapplications/{name}
DELETE sparkapplications/{name}
POST sparkapplications/{name}:stop
GET sparkapplications/{name}/logs
GET sparkapplications/{name}/logs:tail
GET sparkconnects
POST sparkconnects
POST sparkconnects/{name}:code
POST sparkconnects/{name}:events
GET sparkconnects/{name}/ui/{path}
GET sparkconnects/{name}
DELETE sparkconnects/{name}
POST sparkconnects/{name}:stop
GET sparkconnects/{name}/logs
GET sparkconnects/{name}/logs:tail
GET servers
POST servers:form
POST servers:start
POST servers:stop
POST servers:resize
POST servers:keep
POST notebooks:check
POST notebooks:compile
POST notebooks:code
GET blobs/{digest}
"""


def described() -> set[str]:
    paths = document("0")["paths"]
    return {
        f"{verb.upper()} {path.removeprefix(f'/{BASE}/')}" for path, item in paths.items() for verb in item
    }


def test_the_interface_is_the_one_that_was_agreed_on():
    assert described() == set(CONTRACT.split("\n")) - {""}


def test_every_verb_of_every_handler_is_described():
    """A verb without its description would be one that nobody reviewed."""
    for route in routes():
        for verb in VERBS:
            method = getattr(route.handler, verb)
            if method.__qualname__.startswith(("RequestHandler.", "_unimplemented")):
                continue
            if "_unimplemented_method" in repr(method):
                continue
            assert verb in operations(route), (route.path, verb)


def test_every_described_route_is_answered_by_its_own_handler():
    table = routes()
    for route in table:
        if not route.described:
            continue
        path = f"/{BASE}/" + route.path.replace("{digest}", "b3:" + "0" * 64).replace("{", "").replace(
            "}", ""
        )
        first = next(other for other in table if re.fullmatch(other.pattern, path))
        assert first.handler is route.handler, route.path
        quoted = path.replace(":", "%3A")
        assert next(other for other in table if re.fullmatch(other.pattern, quoted)).handler is route.handler


def test_the_document_holds_together():
    whole = document("1.2.3")
    assert json.loads(json.dumps(whole)) == whole
    assert whole["info"]["version"] == "1.2.3"
    names = [item[verb]["operationId"] for item in whole["paths"].values() for verb in item]
    assert len(names) == len(set(names))
    for path, item in whole["paths"].items():
        places = set(re.findall(r"\{(\w+)\}", path))
        for operation in item.values():
            assert {p["name"] for p in operation["parameters"] if p["in"] == "path"} == places
            assert operation["summary"].endswith(".")


async def test_the_server_serves_it(api):
    status, found = await api("openapi.json")
    assert status == 200
    assert found["openapi"] == "3.1.0"
    assert f"/{BASE}/runs" in found["paths"]
