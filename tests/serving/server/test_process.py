"""How a server begins and ends, and that it answers while a model works."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle

from tests.serving.server.conftest import SIGNATURE, Linear, Unix, running
from tests.waiting import until

cloudpickle.register_pickle_by_value(sys.modules[__name__])

ROW = [1.0, 2.0, 3.0, 4.0]


class Waits:
    """Predicts when a file is there."""

    def __init__(self, path):
        self.path = path

    def predict(self, rows):
        from pathlib import Path

        while rows[0][0] and not Path(self.path).exists():
            time.sleep(0.01)
        return rows


def later(server, body, found):
    def ask():
        connection = Unix(server.socket)
        connection.request("POST", "/v1/models/m:predict", json.dumps(body).encode())
        response = connection.getresponse()
        found.append((response.status, json.loads(response.read()), response.getheader("connection")))
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def metric(server, name):
    lines = server.ask("/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[-1])


def test_others_are_answered_during_a_long_prediction_which_a_drain_lets_end(tmp_path):
    found = []
    with running({"model": Waits(str(tmp_path / "go"))}) as server:
        thread = later(server, {"instances": [[1, 2]]}, found)
        until(lambda: metric(server, "http_connections") == 2)
        assert server.ask("/v2/health/ready").json() == {"ready": True}
        assert server.ask("/v1/models/m").status == 200
        server.process.send_signal(signal.SIGTERM)
        server.wait("draining")
        (tmp_path / "go").touch()
        thread.join()
        assert found == [(200, {"predictions": [[1, 2]]}, "close")]
        assert server.process.wait(20) == 0
        assert not Path(server.socket).exists()


def test_a_model_that_was_quick_and_hangs_is_given_up_in_time(tmp_path):
    with running({"model": Waits(str(tmp_path / "never"))}, timeout=0.3) as server:
        late = server.predict([[1]])
        assert (late.status, "0.3 s" in late.json()["error"]) == (504, True)
        assert server.ask("/").status == 200
        # The thread that hangs is lost; who comes after waits for it in vain and is told so.
        assert server.predict([[0]]).status == 504
        assert server.end() == 0


def test_only_so_many_wait(tmp_path):
    found = []
    with running({"model": Waits(str(tmp_path / "go"))}, concurrency=1, queue=4) as server:
        threads = [later(server, {"instances": [[1]]}, found) for _ in range(20)]
        until(lambda: len(found) == 15)
        assert {status for status, _, _ in found} == {503}
        assert "wait already" in found[0][1]["error"]
        (tmp_path / "go").touch()
        for thread in threads:
            thread.join()
        assert sum(status == 200 for status, _, _ in found) == 5


def test_a_model_that_does_not_load(tmp_path):
    class Broken:
        def __init__(self):
            self.fine = True

        def __setstate__(self, state):
            raise RuntimeError("the weights are gone")

    with running({"model": Broken()}, wait=("failed",)) as server:
        assert server.process.wait(20) == 3
        state = server.state
        assert state["error"]["type"] == "RuntimeError"
        assert state["error"]["message"] == "the weights are gone"
        assert "__setstate__" in state["error"]["traceback"]
        assert "the weights are gone" in state["reason"]
        assert oct((server.folder / "state").stat().st_mode & 0o777) == "0o600"


def test_what_may_not_be_loaded_and_what_cannot(tmp_path):
    (tmp_path / "odd.xyz").write_text("nothing")
    for entry, word in [
        ({"model": Linear(), "trusted": False}, "trust"),
        ({"path": str(tmp_path / "none.pkl")}, "not there"),
        ({"path": str(tmp_path / "odd.xyz"), "format": None}, "format"),
        ({"path": str(tmp_path / "odd.xyz"), "format": "java"}, "java"),
    ]:
        with running(entry, wait=("failed",)) as server:
            assert server.process.wait(20) == 3
            assert word in server.state["reason"]


def test_told_to_end_while_it_loads(tmp_path):
    class Slow(Linear):
        def __init__(self):
            self.it = 1

        def __setstate__(self, state):

            time.sleep(60)

    with running({"model": Slow()}, wait=("loading",)) as server:
        until(Path(server.socket).exists)
        until(lambda: server.ask("/v2/health/live").status == 200)
        assert server.ask("/v2/health/ready").status == 503
        assert "loading" in server.predict([ROW]).json()["error"]
        assert server.end() == 0


def test_faults_of_a_model_are_told_and_the_server_goes_on():
    class Fails:
        def predict(self, rows):
            if rows[0][0]:
                raise ZeroDivisionError("no rows like these")
            return rows

    with running({"model": Fails()}) as server:
        answer = server.predict([[1]])
        assert (answer.status, answer.json()) == (500, {"error": "ZeroDivisionError: no rows like these"})
        assert server.predict([[0]]).json() == {"predictions": [[0]]}
        assert "ZeroDivisionError" in server.log()


def test_flags_as_a_container_gets_them(tmp_path):
    (tmp_path / "model.py").write_text(
        "class Model:\n    def __init__(self, name):\n        self.name = name\n"
        "    def predict(self, payload, headers=None):\n        return {'predictions': [self.name]}\n"
    )
    words = ["--model_name", "mine", "--model_dir", str(tmp_path), "--http_port", "0", "--trust"]
    command = [sys.executable, "-P", "-m", "jupyter_ext.serving.server", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        address = process.stderr.readline().strip()
        import urllib.request

        until(lambda: _ready(address))
        request = urllib.request.Request(f"{address}/v1/models/mine:predict", b'{"instances": [1]}')
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.loads(answer.read()) == {"predictions": ["mine"]}
        process.terminate()
        assert process.wait(20) == 0


def _ready(address):
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{address}/v2/health/ready", timeout=5):
            return True
    except urllib.error.URLError:
        return False


def test_a_configuration_that_is_none(tmp_path):
    (tmp_path / "bad").write_text('{"models": 3}')
    for argument in (str(tmp_path / "bad"), str(tmp_path / "none")):
        command = [sys.executable, "-P", "-m", "jupyter_ext.serving.server", argument]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "configuration" in done.stderr) == (2, True)


def test_a_server_imports_little():
    code = (
        "import sys, jupyter_ext.serving.server.process\n"
        "heavy = {'numpy', 'pandas', 'sqlite3', 'grpc', 'tornado', 'cloudpickle', 'pydantic', 'yaml', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"[]", "['ssl']"}


def test_modules_of_the_user(tmp_path):
    (tmp_path / "my_own.py").write_text(
        "class Mine:\n    def predict(self, rows):\n        return rows * 2\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        import my_own

        model = my_own.Mine()
        with running({"model": model}, env={"JUPYTER_KUBEFLOW_PATHS": json.dumps([str(tmp_path)])}) as server:
            assert server.predict([[1]]).json() == {"predictions": [[2]]}
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("my_own", None)
    assert SIGNATURE
