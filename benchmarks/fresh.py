"""Call a function in a process of its own: cold caches, and a peak of memory that is its own."""

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def call(function: str, **arguments: Any) -> Any:
    """Return what ``module.function`` of this folder returns when called in a fresh process."""
    command = [sys.executable, '-m', 'benchmarks.fresh', function, json.dumps(arguments, default=str)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_gb() -> float:
    """Return the largest resident memory of this process so far, in GB of 1e9 bytes.

    Not ``getrusage``, whose peak a child inherits from the process that started it.
    """
    status = Path('/proc/self/status').read_text()
    return int(status.partition('VmHWM:')[2].split()[0]) * 1024 / 1e9


def seconds(function: Callable[[], Any], repeats: int = 1) -> float:
    """Return the best wall time of ``repeats`` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == '__main__':
    module, _, name = sys.argv[1].partition('.')
    function = getattr(importlib.import_module(f'benchmarks.{module}'), name)
    print(json.dumps(function(**json.loads(sys.argv[2]))))
