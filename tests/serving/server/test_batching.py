"""Rows of requests that come together are predicted together, and each gets its own answer or its own fault."""

from __future__ import annotations

import sys
import threading

import cloudpickle
import pytest

from tests.serving.server.conftest import Unix, running

cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Sizes:
    """Gives for each row how many it was predicted with; a negative one fails."""

    def predict(self, rows):
        import time

        time.sleep(0.02)
        if (rows < 0).any():
            raise ValueError("negative")
        import numpy as np

        return np.concatenate([rows[:, :1], np.full((len(rows), 1), len(rows))], axis=1)


def crowd(server, bodies):
    import json

    found = [None] * len(bodies)

    def ask(at):
        connection = Unix(server.socket)
        connection.request("POST", "/v1/models/m:predict", json.dumps({"instances": bodies[at]}).encode())
        response = connection.getresponse()
        found[at] = (response.status, json.loads(response.read()))
        connection.close()

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.fixture(scope="module")
def server():
    with running({"model": Sizes()}, batch={"size": 8, "wait_ms": 1000}) as found:
        yield found


def test_rows_are_joined_and_each_gets_its_own_back(server):
    found = crowd(server, [[[at, 0]] * (1 + at % 3) for at in range(40)])
    sizes = set()
    for at, (status, answer) in enumerate(found):
        assert status == 200
        assert [row[0] for row in answer["predictions"]] == [at] * (1 + at % 3)
        sizes |= {row[1] for row in answer["predictions"]}
    assert max(sizes) > 3
    assert max(sizes) <= 8
    text = server.ask("/metrics").body.decode()
    assert 'model_batch_rows_count{model_name="m"' in text


def test_the_fault_of_one_is_not_that_of_another(server):
    found = crowd(server, [[[at if at % 4 else -1, 0]] for at in range(20)])
    for at, (status, answer) in enumerate(found):
        if at % 4:
            assert (status, answer["predictions"][0][0]) == (200, at)
        else:
            assert (status, answer) == (500, {"error": "ValueError: negative"})


def test_what_does_not_go_together_goes_alone(server):
    found = crowd(server, [[[at] * (2 + at % 3)] for at in range(12)] + [[["a", "b"]]])
    assert [status for status, _ in found] == [200] * 12 + [500]
    assert [answer["predictions"][0][0] for _, answer in found[:12]] == list(range(12))


def test_a_request_alone_does_not_wait(server):
    many = server.predict([[at, 0] for at in range(20)])
    assert many.json()["predictions"][0][1] == 20


def test_a_model_that_does_not_give_a_row_for_a_row():
    class Mean:
        def predict(self, rows):
            import time

            time.sleep(0.01)
            return rows.mean(axis=0)

    with running({"model": Mean()}, batch={"size": 8, "wait_ms": 50}) as one:
        found = crowd(one, [[[at, at]] for at in range(10)])
        assert [answer["predictions"] for _, answer in found] == [[at, at] for at in range(10)]
