"""``clbpe-plan``: power and number of people for the primary contrast of a trial, and for a mediator."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pipelines.errors import ClbpeError, OutputError, ParameterError
from pipelines.stats.power import TEST_LEVEL

from ..cli import dashed
from ..running.files import replace_text
from .assumptions import CORRELATION, DROPOUT, N_PLANNED, PLAN_SEED, WANTED_POWER, Numbers, assume

PLAN_FOLDER = Path('plan')
_QUARTERS = ('none', 'a quarter', 'half', 'three quarters', 'all')


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        _plan(plan_parser().parse_args([dashed(a) for a in arguments]))
    except ClbpeError as error:
        print(f'clbpe-plan: {error}', file=sys.stderr)
        return error.exit_code
    return 0


def _plan(options: argparse.Namespace) -> None:
    # heavy imports wait until the command line is known to be right
    from pipelines.simulated.plan_files import simulate_sizes, write_plan
    from pipelines.simulated.sizes import SizeQuestion

    from ..phenotype.trial import read_trial
    from .text import assumption_lines, protocol, table_lines

    names = ('sd', 'effect', 'correlation', 'dropout', 'allocation')
    given = {name: tuple(getattr(options, name)) for name in names if getattr(options, name)}
    assumed = assume(
        read_trial(options.trial), Numbers(**given, alpha=options.alpha, outcome=options.outcome)
    )
    paths = tuple(options.paths) if options.paths else None
    question = SizeQuestion(options.n, options.power, paths, options.trials)
    said = list(assumption_lines(assumed))
    print('\n'.join(said), flush=True)
    with _bar(question.n_ticks) as tick:
        sizes = simulate_sizes(assumed.plan, question, options.seed, tick)
    words = [*said, '', *table_lines(sizes), '', protocol(assumed, sizes, question)]
    print('\n'.join(words[len(said) :]))
    folder = options.output_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = write_plan(
            sizes, assumed.outcome.title, None if options.n else options.power, out_dir=folder
        )
        replace_text('\n'.join(words) + '\n', folder / 'plan.txt')
    except OSError as error:
        raise OutputError(f'{folder}: {error.strerror or error}. Choose another --output-dir.') from error
    print(f'Written: {", ".join(str(path) for path in (*written, folder / "plan.txt"))}')


@contextmanager
def _bar(total: int) -> Iterator[Callable[[], None]]:
    """Show how far the simulation is: a bar on a terminal, a line for each quarter in a log."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn('simulating'),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task, shown = bar.add_task('', total=total), [0]

        def tick() -> None:
            bar.advance(task)
            quarters = int(bar.tasks[0].percentage) // 25
            if not console.is_terminal and quarters > shown[0]:
                shown[0] = quarters
                print(f'{_QUARTERS[quarters]} of the trials are simulated', file=sys.stderr, flush=True)

        yield tick


class _Parser(argparse.ArgumentParser):
    """Argument parser that reports errors as exceptions."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(f'{message}. See clbpe-plan --help.')


def plan_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    command = _Parser(prog='clbpe-plan', description=__doc__, allow_abbrev=False)
    add = command.add_argument
    add('trial', type=Path, metavar='TRIAL.json', help='trial file: arms, visits and outcomes')
    many: dict[str, Any] = {'nargs': '+', 'default': ()}
    add('--sd', type=_above_0, required=True, metavar='SD', **{**many, 'default': None},
        help='standard deviation of the outcome: one, or one for each of its visits')  # fmt: skip
    add('--effect', type=float, metavar='D', **many,
        help='difference from control in units of the outcome: one, or one for each treated arm (default: '
        'MinimalImportantChange, towards better)')  # fmt: skip
    add('--correlation', type=_correlation, metavar='R', **many,
        help=f'between visits: one, or one for each pair, the first with all others first (default {CORRELATION:g})')  # fmt: skip
    add('--dropout', type=_share, metavar='SHARE', **many,
        help='share without a value at the primary visit, reached evenly; or one for each visit after the baseline '
        f'(default {DROPOUT:g})')  # fmt: skip
    add('--allocation', type=_above_0, metavar='PARTS', **many,
        help='parts of the arms: treated ones as in the trial file, the control last (default: equal)')  # fmt: skip
    _add_question(command)
    return command


def _add_question(command: argparse.ArgumentParser) -> None:
    add, asked = command.add_argument, command.add_mutually_exclusive_group()
    asked.add_argument('--n', type=_whole, metavar='N', help='people in all arms: what is their power?')
    asked.add_argument(
        '--power',
        type=_inside,
        default=WANTED_POWER,
        metavar='P',
        help=f'how many people reach it? (default {WANTED_POWER:g})',
    )
    add('--paths', type=_correlation, nargs=2, metavar=('A', 'B'),
        help='of a mediator: standardised path of treatment on it, and of it on the outcome (.14 small, .39 medium, .59 large)')  # fmt: skip
    add('--outcome', metavar='NAME', help='of the trial file (default: the first primary one)')
    add('--alpha', type=_inside, default=TEST_LEVEL, help=f'two-sided level (default {TEST_LEVEL:g})')
    add(
        '--trials',
        type=_whole,
        default=N_PLANNED,
        metavar='K',
        help=f'simulated at the planned size (default {N_PLANNED:,})',
    )
    add(
        '--seed',
        type=_seed,
        default=PLAN_SEED,
        help=f'the same seed gives the same plan (default {PLAN_SEED})',
    )
    add('--output-dir', type=Path, default=PLAN_FOLDER, metavar='DIR',
        help=f'of plan.tsv, plan.svg and plan.txt (default: {PLAN_FOLDER} in this folder)')  # fmt: skip


def _number(text: str, low: float, high: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float('nan')
    if not low < number < high:
        raise argparse.ArgumentTypeError(f'{text}: {what}')
    return number


def _above_0(text: str) -> float:
    return _number(text, 0, 1e12, 'a number above 0 is needed')


def _correlation(text: str) -> float:
    return _number(text, -1, 1, 'a number between -1 and 1 is needed')


def _inside(text: str) -> float:
    return _number(text, 0, 1, 'a number between 0 and 1 is needed')


def _share(text: str) -> float:
    return (
        0.0 if text == '0' else _number(text, -1e-12, 1, 'a share from 0 to below 1 is needed, such as 0.15')
    )


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 10 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f'{text}: a whole number from 10 to 100000 is needed')
    return int(text)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f'{text}: a whole number is needed')
    return int(text)


if __name__ == '__main__':
    sys.exit(main())
