"""The command line: ``clbpe BIDS_DIR OUTPUT_DIR {participant,group} [options]``."""

import argparse
import dataclasses
import os
import re
import shlex
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from pipelines.errors import ClbpeError, LevelError, ParameterError, StoppedError
from pipelines.params import Parameters, option_name

from . import __version__
from .folders import check_folders
from .option_files import labels, read_filters, read_plugin
from .option_values import memory_gb, whole_number
from .running.resources import available_cores, available_memory_gb, check_memory
from .settings import Settings

LEVELS = ('participant', 'group')
OPTION_GROUPS: tuple[tuple[str, type[Parameters]], ...] = tuple(
    (field.name, field.default_factory)  # type: ignore[misc]
    for field in dataclasses.fields(Settings)
    if isinstance(field.default_factory, type) and issubclass(field.default_factory, Parameters)
)
"""Parameter classes whose fields become options, with the title of their group: those of the settings."""

_EPILOG = """\
exit status: 0 done; 1 a step failed; 2 usage; 16 invalid dataset; 17 unknown level; 18 nothing selected;
65 bad data; 66 input missing; 73 output cannot be written; 75 stopped by a limit, run again to resume
"""


class _Parser(argparse.ArgumentParser):
    """Argument parser that takes ``--a_b`` for ``--a-b`` and reports errors as exceptions."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(f'{message}. See clbpe --help.')

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        words = sys.argv[1:] if args is None else list(args)
        return super().parse_args([dashed(word) for word in words], namespace)


def dashed(word: str) -> str:
    """Return ``--a_b=c_d`` as ``--a-b=c_d``; other words as they are."""
    if not word.startswith('--'):
        return word
    name, equals, value = word.partition('=')
    return name.replace('_', '-') + equals + value


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; analysis options come from the parameter classes."""
    parser = _Parser(
        prog='clbpe',
        description='Connectivity of nucleus accumbens and medial prefrontal cortex in clinical trials (BIDS App).',
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('bids_dir', type=Path, help='root of the BIDS dataset')
    parser.add_argument('output_dir', type=Path, help='folder of the derivatives; made if absent')
    parser.add_argument('analysis_level', help='participant or group')
    parser.add_argument('--version', action='version', version=f'clbpe {__version__}')
    _add_selection(parser.add_argument_group('selection'))
    _add_execution(parser.add_argument_group('execution'))
    for title, parameters in OPTION_GROUPS:
        _add_parameters(parser.add_argument_group(title), parameters)
    return parser


def _add_selection(group: Any) -> None:
    datasets = 'preprocessed datasets (fMRIPrep, QSIPrep), or freesurfer=SUBJECTS_DIR; a bare path is named after its folder'
    exclusions = 'people and scans to leave out: a table, labels or JSON, or scans:COLUMN=VALUE of scans.tsv'
    for names, value, text in (
        (('--participant-label',), 'LABEL', 'participants, with or without sub-, or a text file of labels'),
        (('--session-label', '--session-id'), 'LABEL', 'sessions, with or without ses-'),
        (('--task-id',), 'LABEL', 'tasks of the BOLD runs (default: rest)'),
        (('--run',), 'LABEL', 'run numbers'),
        (('--exclude',), 'FILE', exclusions),
        (('-d', '--derivatives', '--datasets'), 'NAME=PATH', datasets),
    ):
        group.add_argument(*names, action='extend', nargs='+', default=[], metavar=value, help=text)
    group.add_argument('--bids-filter-file', type=Path, metavar='JSON', help="filters in fMRIPrep's form")
    group.add_argument('--bids-database-dir', type=Path, metavar='DIR', help='accepted; none is needed')
    group.add_argument(
        '--skip-bids-validation', action='store_true', help='accepted; the input is not validated'
    )


def _add_execution(group: Any) -> None:
    group.add_argument(
        '--nprocs', '--nthreads', '--n-cpus', type=whole_number, metavar='N', help='processes at a time'
    )
    group.add_argument(
        '--omp-nthreads', type=whole_number, default=1, metavar='N', help='threads of one process'
    )
    group.add_argument(
        '--mem', '--mem-mb', type=memory_gb, metavar='SIZE', help='memory, e.g. 16G (bare: MB)'
    )
    group.add_argument('--low-mem', action='store_true', help='run one step at a time')
    group.add_argument(
        '--use-plugin', '--nipype-plugin-file', type=Path, metavar='YAML', help='Nipype plugin'
    )
    group.add_argument(
        '-w', '--work-dir', type=Path, metavar='DIR', help='intermediate files (default: ./work)'
    )
    group.add_argument(
        '--random-seed', type=int, default=20260101, metavar='N', help='seed of all random steps'
    )
    for name, text in (
        ('--clean-workdir', 'remove the work folder of a participant when it is done'),
        ('--reports-only', 'rebuild the reports from the derivatives on disk'),
        ('--boilerplate-only', 'write the methods text and stop'),
        ('--write-graph', 'write the graph of the workflow'),
        ('--resource-monitor', "switch on Nipype's resource monitor"),
        ('--stop-on-first-crash', 'stop when the first step fails'),
        ('--sloppy', 'fast and rough; for tests only'),
        ('--dry-run', 'say what would be done and stop'),
        ('--overwrite', 'replace outputs that were made with other parameters'),
        ('--notrack', 'accepted; nothing is ever sent anywhere'),
    ):
        group.add_argument(name, action='store_true', help=text)
    group.add_argument('-v', '--verbose', action='count', default=0, help='more messages (twice: even more)')
    group.add_argument(
        '--skip', action='extend', nargs='+', default=[], metavar='PART',
        choices=['functional', 'diffusion', 'voxelwise', 'expression', 'mediation'], help='parts to leave out',
    )  # fmt: skip


def _add_parameters(group: Any, parameters: type[Parameters]) -> None:
    hints = get_type_hints(parameters)
    for field in dataclasses.fields(parameters):  # type: ignore[arg-type]
        meta, name = field.metadata, option_name(field.name)
        unit = f' [{meta["unit"]}]' if meta['unit'] else ''
        shown = '' if field.default in (None, (), False) else f' (default: {field.default})'
        text = f'{meta["help"]}{unit}{shown}'.replace('%', '%%')
        if hints[field.name] is bool:
            group.add_argument(name, action='store_true', help=text)
            continue
        group.add_argument(name, default=field.default, help=text, **_type_of(hints[field.name], meta))


def _type_of(hint: Any, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return argparse keywords for a type hint of a parameter class."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _type_of(next(a for a in arguments if a is not type(None)), meta)
    if origin is tuple:
        return {**_type_of(arguments[0], meta), 'nargs': '+'}
    if origin is Literal:
        return {'choices': arguments}
    if meta['choices']:
        return {'choices': meta['choices']}
    return {'type': hint, 'metavar': meta['metavar'] or {int: 'N', float: 'X'}.get(hint, 'CHOICE')}


def make_settings(argv: Sequence[str] | None = None) -> Settings:
    """Parse the command line.

    Raises
    ------
    ParameterError
        Wrong usage.
    LevelError
        Unknown analysis level.

    """
    options = build_parser().parse_args(argv)
    if options.analysis_level not in LEVELS:
        raise LevelError(
            f'analysis level {options.analysis_level!r} is unknown. Offered: {", ".join(LEVELS)}'
        )
    analysis = {title: _parameters(options, parameters) for title, parameters in OPTION_GROUPS}
    command = ['clbpe', *(sys.argv[1:] if argv is None else argv)]
    # what is the same in options and settings, then what has to be read, looked up or renamed
    same = {
        f.name: getattr(options, f.name) for f in dataclasses.fields(Settings) if hasattr(options, f.name)
    }
    return Settings(**{
        **same,
        # nodes run in folders of their own, so no path may stay relative
        'bids_dir': _full(options.bids_dir),
        'output_dir': _full(options.output_dir),
        'work_dir': _full(options.work_dir or Path('work')),
        'level': options.analysis_level,
        'participant_label': labels(options.participant_label, 'sub-'),
        'session_label': labels(options.session_label, 'ses-'),
        'task_id': labels(options.task_id, 'task-'),
        'run': labels(options.run, 'run-'),
        'exclude': tuple(w if w.startswith('scans:') else str(_full(Path(w))) for w in options.exclude),
        'derivatives': tuple(_named_path(word) for word in options.derivatives),
        'bids_filters': read_filters(options.bids_filter_file),
        'nprocs': 1 if options.low_mem else options.nprocs or available_cores(),
        'memory_gb': options.mem or available_memory_gb(),
        'plugin': read_plugin(options.use_plugin),
        'skip': tuple(options.skip),
        'verbosity': options.verbose,
        'command': shlex.join(str(word) for word in command),
        **analysis,
        **_regions(analysis['regions'], analysis['group']),
    })  # fmt: skip


def _regions(regions: Any, group: Any) -> dict[str, Any]:
    """Return the list of regions where a table or the trial file has one; the default's stays with the options."""
    if not regions.regions and not group.trial:
        return {}
    from pipelines.terms import default_circuit

    from .phenotype.regions import chosen_circuit

    listed = chosen_circuit(regions, Path(group.trial) if group.trial else None)
    choices = [own.choice for own in listed.structures] if listed else []
    if len(choices) == 2 and listed == default_circuit(*choices):
        return {'regions': dataclasses.replace(regions, nac=choices[0], mpfc=choices[1])}
    return {'listed': listed}


def _parameters(options: argparse.Namespace, parameters: type[Parameters]) -> Parameters:
    values = {f.name: getattr(options, f.name) for f in dataclasses.fields(parameters)}  # type: ignore[arg-type]
    return parameters(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _full(path: Path) -> Path:
    """Return an absolute path without ``..``; links stay, for the names behind them may say nothing."""
    return Path(os.path.abspath(path))


def _named_path(word: str) -> tuple[str, Path]:
    name, equals, path = word.partition('=')
    folder = _full(Path(path if equals else word))
    # the name is a part of addresses, which hold no spaces
    return re.sub(r'[^\w.-]+', '-', name if equals else folder.name), folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status; nothing leaves it but that and words."""
    from .running.home import settle_home

    settle_home()
    os.environ.setdefault('NO_ET', '1')
    os.environ.setdefault('TEMPLATEFLOW_AUTOUPDATE', 'off')
    os.environ.setdefault('MPLBACKEND', 'Agg')
    settings = None
    try:
        settings = make_settings(argv)
        # ITK reads its number of threads once per process, before SimpleITK is imported
        os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] = str(settings.omp_nthreads)
        check_memory()
        check_folders(settings)
        from .running.engine import stopped_by_signal

        with stopped_by_signal():
            return _run(settings)
    except KeyboardInterrupt:
        print('clbpe: stopped; run the same command again to resume.', file=sys.stderr)
        return StoppedError.exit_code
    except Exception as error:
        return _tell(error, settings)


def _tell(error: Exception, settings: Settings | None) -> int:
    """Say what an error means and return its status; a mistake of the program leaves a crash file."""
    from .running.faults import chain_of, judge, write_crash

    if isinstance(
        error, BrokenPipeError
    ):  # who read the output went away; Python flushes it once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return StoppedError.exit_code
    fault = judge(chain_of(error), settings)
    said = fault.message
    if not isinstance(error, ClbpeError) and fault.exit_code == ClbpeError.exit_code:
        crash = write_crash(error, settings.command if settings else shlex.join(sys.argv), settings)
        said = f'a mistake of the program: {said}. ' + (f'Please report it with {crash}.' if crash else '')
    print(f'clbpe: {said}', file=sys.stderr)
    return fault.exit_code


def _run(settings: Settings) -> int:
    if settings.level == 'group':
        from .group.run import run_group

        return run_group(settings)
    from .participant.run import run_participants

    return run_participants(settings)
