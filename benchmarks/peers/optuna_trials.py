"""Trials of a trivial function by Optuna itself: ``optuna_trials.py SAMPLER TRIALS PROCESSES [FILE]``.

With a file the study is on Optuna's own SQLite storage, and each process takes trials from it; without one it is in
memory. Imports, and with a file the making of the storage, are not counted.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")


def objective(trial: optuna.Trial) -> float:
    x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
    return (x - 0.3) ** 2 + y


def sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    kinds = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
    return kinds[name](seed=seed)


def work(name: str, trials: int, url: str, seed: int, begin: object, ended: object) -> None:
    study = optuna.load_study(study_name="study", storage=url, sampler=sampler(name, seed))
    begin.wait()
    study.optimize(objective, n_trials=trials)
    ended.put(time.time())


def main(name: str, trials: int, processes: int, file: str | None) -> float:
    if file is None:
        study = optuna.create_study(sampler=sampler(name, 1))
        start = time.perf_counter()
        study.optimize(objective, n_trials=trials)
        return time.perf_counter() - start
    url = f"sqlite:///{file}"
    optuna.create_study(study_name="study", storage=url)
    context = multiprocessing.get_context("spawn")
    begin, ended = context.Barrier(processes + 1), context.Queue()
    arguments = [(name, trials // processes, url, seed, begin, ended) for seed in range(processes)]
    workers = [context.Process(target=work, args=each) for each in arguments]
    for worker in workers:
        worker.start()
    begin.wait()
    start = time.time()
    last = max(ended.get() for _ in workers)
    for worker in workers:
        worker.join()
    return last - start


if __name__ == "__main__":
    given = sys.argv[1:]
    print(
        json.dumps({"seconds": main(given[0], int(given[1]), int(given[2]), given[3] if given[3:] else None)})
    )
