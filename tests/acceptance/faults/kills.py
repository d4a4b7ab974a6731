"""Kills at random moments, and just before a file takes its place: the same command ends with the same files."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from ..checks import Collector, Context, met
from ..interrupted import DIE_AT_RENAME, Ended, start, wait
from .chain import (
    CHAINS,
    Chain,
    Place,
    Undisturbed,
    begin,
    command_of,
    fill,
    place_of,
    problem_of,
    run,
    strike,
    undisturbed,
)
from .record import Tally, record

N_KILLS, N_RENAMES = 30, 5
_LEG = 0.5
"""Longest time between two kills, of the time that the whole run takes: most rounds are struck several times, and late too."""


def kills(context: Context) -> Collector:
    """30 kills at random moments of each of participant from derivatives, from raw scans, and group; 5 of each at a rename."""
    checks = met('kills')
    for number, make in enumerate(CHAINS):
        folder = context.out / 'kills' / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        chain = make(folder)
        expected = undisturbed(chain, folder)
        rng = random.Random(number)
        for struck, n in ((at_random, N_KILLS), (at_renames, N_RENAMES)):
            drawn = (3 if context.sloppy else n, rng)
            record(context, checks, [struck(chain, expected, folder, drawn)])
    return checks


def at_random(chain: Chain, expected: Undisturbed, folder: Path, drawn: tuple[int, random.Random]) -> Tally:
    """Kill a run and each that resumes it until one comes to its end; then from the beginning.

    Every second time the workers die with the program, as in a power cut; else they are left behind.
    """
    n, rng = drawn
    tally = Tally(f'killed at a random moment: {chain.name}')
    while tally.tries < n:
        place, struck = place_of(folder / 'killed', chain), 0
        ended = _leg(chain, place, rng, expected.seconds)
        while ended is None:
            struck += 1
            is_last = tally.tries + struck == n
            ended = run(chain, place) if is_last else _leg(chain, place, rng, expected.seconds)
        if struck:
            # a round that ends wrongly may owe it to any of its kills: all of them count
            tally.note(problem_of(ended, place, expected.results), f'after {struck} kills', struck)
    return tally


def _leg(chain: Chain, place: Place, rng: random.Random, seconds: float) -> Ended | None:
    """Run until a random moment; return nothing when it was killed there."""
    moment, is_whole = rng.uniform(0, _LEG * seconds), rng.random() < 0.5
    process = begin(command_of(chain, place))
    try:
        text, _ = process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        strike(process, is_whole=is_whole)
        return None
    return Ended(process.returncode, text)


def at_renames(chain: Chain, expected: Undisturbed, folder: Path, drawn: tuple[int, random.Random]) -> Tally:
    """Die just before one of the files takes its place; what was computed is kept, so all of it are late moments."""
    n, rng = drawn
    tally = Tally(f'killed just before a file takes its place: {chain.name}')
    place = place_of(folder / 'renamed', chain)
    run(chain, place)
    last = 30
    while tally.tries < n:
        shutil.rmtree(place.out)
        fill(place, chain)
        count = folder / 'renames'
        count.unlink(missing_ok=True)
        number = rng.randint(1, last)
        program = [sys.executable, '-c', DIE_AT_RENAME, str(number), *command_of(chain, place)[3:]]
        ended = wait(start(program, CLBPE_RENAMES=str(count)))
        if ended.status == 0 and last > 1:  # there are fewer files than this
            last = max(number - 1, 1)
            continue
        for draft in place.out.rglob('.*.draft'):  # those in folders that jobs share go after an hour
            os.utime(draft, (0, 0))
        tally.note(problem_of(run(chain, place), place, expected.results), f'before file {number}')
    return tally
