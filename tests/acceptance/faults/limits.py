"""Limits of the shell and of control groups, and no network: one message that names the limit, then the same files."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..checks import Collector, Context, met
from ..interrupted import Ended
from ..marked import run_marked
from .chain import (
    Chain,
    Undisturbed,
    derivatives,
    group,
    last_line,
    place_of,
    problem_of,
    run,
    undisturbed,
)
from .record import Tally, record

CGROUP = Path('/sys/fs/cgroup')
STOPPED = 75


class Limit(NamedTuple):
    """A limit, the values it is tried with, and words one of which the message holds.

    ``shell`` sets it with ``{}`` as the value; ``files`` are those of a control group instead, of both versions.
    """

    what: str
    values: tuple[int, ...]
    says: tuple[str, ...]
    shell: str = ''
    files: tuple[str, ...] = ()


MEMORY = ('memory ran out', 'the program alone needs')
LIMITS = (
    Limit('memory, ulimit -v (MB)', (300, 500, 900, 1600, 2600), MEMORY, 'ulimit -v $(({} * 1024))'),
    Limit('open files, ulimit -n', (8, 12, 16, 24, 48), ('ulimit -n',), 'ulimit -n {}'),
    Limit('size of a file, ulimit -f (kB)', (8, 256, 4096), ('ulimit -f',), 'ulimit -f {}'),
    Limit('time of the processor, ulimit -t (s)', (2, 8), ('ulimit -t',), 'ulimit -t {}'),
    Limit(
        'memory, control group (MB)', (120, 240, 360, 480), MEMORY,
        files=('memory/memory.limit_in_bytes', 'memory.max'),
    ),
    Limit('processes, control group', (2, 4, 8), ('ulimit -u', 'pids'), files=('pids/pids.max', 'pids.max')),
)  # fmt: skip


def limits(context: Context) -> Collector:
    """Too little memory, too few files and processes, by the shell, control groups, Docker and Slurm; no network at all."""
    checks = met('limits')
    folder = context.out / 'limits'
    folder.mkdir(parents=True, exist_ok=True)
    chains = [derivatives(folder), group(folder)]
    whole = [undisturbed(chain, folder) for chain in chains]
    alone = Tally('no network: a namespace without interfaces')
    for chain, expected in zip(chains, whole, strict=True):
        place = place_of(folder / 'alone', chain)
        alone.note(problem_of(run(chain, place, 'unshare', '--net'), place, expected.results), chain.name)
    record(context, checks, [alone])
    tallies = {limit: Tally(f'limit of {limit.what}') for limit in LIMITS}
    # the steps of the group run in the same processes as those of a participant
    for tried in strikes(chains[0], whole[0], folder):
        tallies[tried.limit].note(tried.problem, str(tried.value))
    record(context, checks, [tally for tally in tallies.values() if tally.tries])
    for limit, tally in tallies.items():
        if not tally.tries:
            checks.note(tally.fault, f'cannot be set here ({limit.files[0]})', True)
    engines(context, checks)
    return checks


class Tried(NamedTuple):
    """A limit that a run met, and why it did not end in the right way."""

    limit: Limit
    value: int
    problem: str


def strikes(chain: Chain, expected: Undisturbed, folder: Path) -> Iterator[Tried]:
    """Run under one limit after the other, the least of each first until it is enough; then without.

    Each run resumes what those before it left, so a wrong end counts for all of them.
    """
    waiting, place = list[Tried](), place_of(folder / 'limited', chain)
    for limit in LIMITS:
        for value in limit.values:
            with set_to(limit, value) as before:
                ended = run(chain, place, *before) if before else None
            if ended is None:
                break
            waiting.append(Tried(limit, value, problem_of_message(ended, STOPPED, limit.says)))
            if ended.status == 0:  # what is complete cannot be struck: the next limit begins anew
                yield from _settled(waiting, problem_of(ended, place, expected.results))
                waiting, place = [], place_of(folder / 'limited', chain)
                break
    if waiting:
        yield from _settled(waiting, problem_of(run(chain, place), place, expected.results))


def _settled(waiting: list[Tried], at_last: str) -> Iterator[Tried]:
    for tried in waiting:
        yield tried._replace(problem=tried.problem or at_last)


def problem_of_message(ended: Ended, status: int, says: tuple[str, ...]) -> str:
    """Return why a run that was refused something does not say so as it should, or nothing; it may also need no more."""
    if 'Traceback' in ended.text:
        return f'a traceback: {last_line(ended.text)}'
    if ended.status == 0:
        return ''
    if ended.status != status:
        return f'status {ended.status}: {last_line(ended.text)}'
    said = [line for line in ended.text.splitlines() if line.startswith('clbpe: ')]
    return (
        ''
        if any(word in line for word in says for line in said)
        else f'does not name it: {last_line(ended.text)}'
    )


@contextmanager
def set_to(limit: Limit, value: int) -> Iterator[list[str]]:
    """Set a limit; yield the words of a shell before a command, none where it cannot be set."""
    if limit.shell:
        yield ['bash', '-c', f'{limit.shell.format(value)}; exec "$@"', '-']
        return
    name = f'clbpe-{uuid.uuid4().hex[:8]}'
    known = ((CGROUP / Path(file).parent / name, Path(file).name) for file in limit.files)
    folder, file = next(((f, n) for f, n in known if _is_made(f, n)), (None, ''))
    if folder is None:
        yield []
        return
    (folder / file).write_text(str(value * 2**20 if 'memory' in file else value))
    try:
        yield ['bash', '-c', f'echo $$ >{folder}/cgroup.procs && exec "$@"', '-']
    finally:
        _remove(folder)


def _is_made(folder: Path, file: str) -> bool:
    """Make a control group that has a file, if this machine lets us."""
    try:
        folder.mkdir()
    except OSError:
        return False
    # on another file system the folder is an ordinary one, without files
    if not (folder / file).exists() or not os.access(folder / file, os.W_OK):
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def _remove(folder: Path) -> None:
    """Remove a control group, which is busy until the kernel has buried the last process in it."""
    end = time.monotonic() + 10
    while folder.exists() and time.monotonic() < end:
        with suppress(OSError):
            folder.rmdir()
        time.sleep(0.05)


def engines(context: Context, checks: Collector) -> None:
    """Have the same tried by Docker and Slurm, where their tests find them."""
    for mark, name in (('container', 'Docker'), ('slurm', 'Slurm')):
        tally, skipped = Tally(f'limit of memory, {name}'), ''
        for case in run_marked(context, mark, '-k', 'memory'):
            if case.is_skipped:
                skipped = case.problem
            else:
                tally.note(case.problem, case.name)
        if tally.tries:
            record(context, checks, [tally])
        else:
            checks.note(tally.fault, f'not tried: {skipped}', True)
