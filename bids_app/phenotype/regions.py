"""Read which regions are meant: from a table, or from the part Regions of a trial file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import DataError, MissingInputError, ParameterError
from pipelines.interfaces.choices import ATLASES, FREESURFER, OWN_SPACES
from pipelines.params import SPACES, RegionParams
from pipelines.terms import COLUMNS, Circuit, circuit_of_rows, default_circuit

from ..scans.query import entities_of
from ..tables.problems import Problems, Severity, nearest
from ..tables.text import read_text_table
from .trial_json import load_json

SUBJECT = '{subject}'
_NEEDED = COLUMNS[:3]


def chosen_circuit(regions: RegionParams, trial: Path | None) -> Circuit | None:
    """Return the circuit of a table or of the trial file; None where neither names regions.

    Parameters
    ----------
    regions
        Options; nucleus accumbens and medial prefrontal cortex are those that they choose, where a list names them in
        its pairs alone.
    trial
        Trial file.

    Raises
    ------
    ParameterError
        The list cannot be used, table and trial file differ, or an option has no effect beside it.
    MissingInputError
        A file is not there.
    DataError
        The trial file is no JSON.

    """
    default = regions.circuit()
    table = read_regions(Path(regions.regions), default) if regions.regions else None
    content = load_json(trial) if trial else {}
    given = content.get('Regions') if isinstance(content, Mapping) else None
    listed = circuit_of_trial(given, trial, default) if given is not None and trial else None
    if table and listed and table != listed:
        raise ParameterError(f'--regions {regions.regions} and Regions of {trial} differ. Keep one of them.')
    found = table or listed
    if found:
        _check_options(regions, found)
    return found


def _check_options(regions: RegionParams, found: Circuit) -> None:
    """Refuse options of regions that a list replaces."""
    own = {s.name: s for s in found.structures}
    for name, ours in regions.circuit().by_name.items():
        if ours != default_circuit().by_name[name] and own.get(name) != ours:
            raise ParameterError(
                f'--{name.lower()} {ours.choice} has no effect beside a list of regions that does not take {name} from '
                'it. Leave the option out, or name the source in the list.'
            )


def read_regions(path: Path, default: Circuit) -> Circuit:
    """Read a table of regions; paths in it start from its folder.

    Raises
    ------
    MissingInputError
        The table is not there.
    ParameterError
        It cannot be used; names the row and what is wrong with it.

    """
    if not path.is_file():
        raise MissingInputError(f'--regions {path}: there is no such file. Correct the path.')
    problems = Problems()
    table = read_text_table(path.parent, path.name, problems)
    if table is None:
        raise ParameterError(
            f'--regions {path}: ' + ' '.join(problems.messages(Severity.STOP, Severity.ABSENT))
        )
    columns = {column.strip().lower(): column for column in table.columns}
    lacking = [column for column in _NEEDED if column not in columns]
    unknown = [column for column in columns if column not in COLUMNS]
    if lacking:
        raise ParameterError(
            f'--regions {path} has no column {" and no ".join(lacking)}. Columns are {", ".join(COLUMNS)}; the last two '
            'may be left out.'
        )
    if unknown:
        raise ParameterError(
            f'--regions {path}: the column {unknown[0]} is unknown. {nearest(unknown[0], COLUMNS)}'
        )
    rows = [{key: row.cells.get(columns.get(key, ''), '') for key in COLUMNS} for row in table.rows]
    return _circuit(rows, path, default, f'--regions {path}')


def circuit_of_trial(given: Any, source: Path, default: Circuit) -> Circuit:
    """Return the circuit of the part Regions of a trial file; paths in it start from its folder.

    Raises
    ------
    DataError
        It is no list of objects of text.
    ParameterError
        As :func:`read_regions`.

    """
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    if not is_list or not all(isinstance(row, Mapping) for row in given):
        raise DataError(
            f'{source}: Regions is no list of objects. Write [{{"Name": ..., "Hemisphere": ..., "Source": ...}}].'
        )
    rows = [{key: _text(row.get(key.capitalize())) for key in COLUMNS} for row in given]
    return _circuit(rows, source, default, f'{source}, Regions')


def _text(value: Any) -> str:
    return ' '.join(map(str, value)) if isinstance(value, list) else '' if value is None else str(value)


def _circuit(rows: Sequence[dict[str, str]], path: Path, default: Circuit, what: str) -> Circuit:
    """Return the circuit of rows, their files found from the folder of the list."""
    try:
        return circuit_of_rows(
            [{**row, 'source': _settled(row['source'], path.parent)} for row in rows], default
        )
    except ParameterError as error:
        raise ParameterError(f'{what}: {error}') from None


def _settled(source: str, folder: Path) -> str:
    """Return a source whose file has its full path, a number for its label, and its space behind it."""
    head = source.partition(':')[0]
    if head in ('sphere', *ATLASES, FREESURFER) or '.nii' not in source:
        return source
    name, _, label = source.rpartition(':') if source.rfind(':') > source.rfind('.nii') else (source, '', '')
    path = Path(name) if Path(name).is_absolute() else folder / name
    space = _space_of(path)
    label = _number_of(path, label) if label else ''
    return f'{path}{":" if label else ""}{label}{"@" if space else ""}{space}'


def _space_of(path: Path) -> str:
    """Return the space that the name of a file tells; a person's own where only that can be, else empty."""
    entities = entities_of(path)
    space = entities.get('space', entities.get('tpl', ''))
    if space in (*SPACES, *OWN_SPACES):
        return space
    if space:
        raise ParameterError(
            f'{path.name} is in space {space}; {", ".join((*SPACES, *OWN_SPACES))} are known. Give it in one of them.'
        )
    return OWN_SPACES[0] if SUBJECT in str(path) else ''


def _number_of(path: Path, label: str) -> str:
    """Return the numbers of a label: itself, or what the table beside the image calls so."""
    if all(part.strip().lstrip('-').replace('.', '', 1).isdigit() for part in label.split('+')):
        return label
    beside = path.with_name(path.name.partition('.nii')[0] + '.tsv')
    if not beside.is_file():
        raise ParameterError(
            f'the label {label} of {path.name} is no number, and there is no table {beside.name} with index and name '
            'beside it. Write the number.'
        )
    problems = Problems()
    table = read_text_table(beside.parent, beside.name, problems, dictionaries=())
    if table is None or not {'index', 'name'} <= set(table.columns):
        raise ParameterError(f'{beside} has no columns index and name. Write the number of the label.')
    numbers = {row.cells['name'].casefold(): row.cells['index'] for row in table.rows}
    found = [numbers.get(part.strip().casefold()) for part in label.split('+')]
    if None in found:
        names = [row.cells['name'] for row in table.rows]
        raise ParameterError(f'{beside.name} has no label {label}. {nearest(label, names)}')
    return '+'.join(map(str, found))
