"""Make a cached environment, or wait for who makes it: ``python -P make_environment.py REQUEST.json``.

A process of its own, so that its output goes into the log of the step that needs it and a kill leaves nothing that
passes for an environment: the stamp is written last. What it started holds its lock as well, so that nobody begins anew while
something is still written there.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys


def main(path: str) -> int:
    """Returns the exit status."""
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    folder, stamp = request["folder"], request["stamp"]
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    with open(folder + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(stamp):
            return 0
        shutil.rmtree(folder, ignore_errors=True)
        for command in request["commands"]:
            print("$ " + " ".join(command), flush=True)
            done = subprocess.run(command, check=False, pass_fds=[lock.fileno()])
            if done.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                return 1
        with open(stamp, "w", encoding="utf-8") as file:
            json.dump(request, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
