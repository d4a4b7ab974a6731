"""The table of every file the program writes, its name, and its sidecar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import OutputError
from pipelines.terms import Term

from ..scans.query import entities_of

_ENTITIES = (
    'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run', 'echo', 'part', 'hemi', 'from', 'to', 'mode', 'space', 'res', 'atlas',
    'seg', 'model', 'bundle', 'param', 'stat', 'label', 'desc',
)  # fmt: skip
"""Order of entities behind ``sub`` in a name (that of BIDS, with our own in between)."""

_NAME = f'sub-{{sub}}{"".join(f"[_{key}-{{{key}}}]" for key in _ENTITIES)}_{{suffix}}{{extension}}'
PATTERNS = (
    f'sub-{{sub}}/{{datatype<figures>}}/{_NAME}',
    f'sub-{{sub}}[/ses-{{ses}}]/{{datatype<anat|func|dwi>}}/{_NAME}',
)
"""Path patterns of PyBIDS: every name is built from them and from nothing else."""


@dataclass(frozen=True)
class Derivative:
    """One row: the outputnode's field, what its name adds to the source's entities, its sidecar.

    ``fields`` are further values of the sidecar; a row without description has none.  ``term`` is what
    the file holds, by which a reader asks for it; ``facts`` the output that its sidecar has values of.
    """

    output: str
    suffix: str
    extension: str
    datatype: str = 'func'
    entities: Mapping[str, str] = field(default_factory=dict)
    is_standard: bool = False
    description: str = ''
    units: str = 'arbitrary'
    fields: Mapping[str, Any] = field(default_factory=dict)
    term: Term | None = None
    facts: str = 'metadata'

    def is_name(self, name: str, source: Mapping[str, str]) -> bool:
        """Return whether a file is of this row and comes from a scan.

        Parameters
        ----------
        name
            Of the file, without its folder.
        source
            Entities of the scan, as :func:`derivative_name` takes them; empty: any scan.

        Examples
        --------
        >>> row = Derivative('relmat', 'relmat', '.tsv', entities={'atlas': '{atlas}', 'stat': 'fisherz'}, is_standard=True)
        >>> row.is_name('sub-1_task-rest_space-S_res-2_atlas-A_stat-fisherz_relmat.tsv', {'sub': '1', 'task': 'rest'})
        True
        >>> row.is_name('sub-1_task-rest_space-S_atlas-A_stat-fisherz_desc-half1_relmat.tsv', {'sub': '1', 'task': 'rest'})
        False

        """
        stem, dot, extension = name.partition('.')
        if dot + extension != self.extension or stem.rpartition('_')[2] != self.suffix:
            return False
        found = entities_of(Path(name))
        own = {key: value for key, value in found.items() if key not in (source or SOURCE_ENTITIES)}
        if source and any(found.get(key) != value for key, value in source.items()):
            return False
        if self.is_standard and 'space' not in own:
            return False
        for key in ('space', 'res') if self.is_standard else ():
            own.pop(key, None)
        return own.keys() == self.entities.keys() and all(
            '{' in value or own[key] == value for key, value in self.entities.items()
        )


def field_of(output: str) -> tuple[str, tuple[int, ...]]:
    """Return the field of an outputnode that a row names, and which item of its list, or of a list of lists.

    Examples
    --------
    >>> field_of('icc'), field_of('seed_maps[2]'), field_of('statistic[0][3]')
    (('icc', ()), ('seed_maps', (2,)), ('statistic', (0, 3)))

    """
    name, *numbers = output.replace(']', '').split('[')
    return name, tuple(int(number) for number in numbers)


SOURCE_ENTITIES = ('sub', 'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run', 'echo', 'part')
"""Entities that say which scan a file comes from; the others say what was made of it."""


def figures(suffix: str, *names: str) -> tuple[Derivative, ...]:
    """Return a row per picture of a scan."""
    return tuple(Derivative(f'{name}_figure', suffix, '.png', 'figures', {'desc': name}) for name in names)


MASK, STRIPPED, HEAD = {'Type': 'Brain'}, {'SkullStripped': True}, {'SkullStripped': False}

REGION_COLUMNS = {
    'source': {'Description': 'choice of the region'},
    'transform': {'Description': 'how the region came to the template of the series'},
    'volume': {'Description': 'volume on the grid of the series', 'Units': 'mm^3'},
    **{axis: {'Description': f'centre, RAS {axis}', 'Units': 'mm'} for axis in 'xyz'},
}


def derivative_name(
    source: Mapping[str, str], row: Derivative, *, space: str, res: str | None, atlas: str = ''
) -> str:
    """Return the path of a derivative relative to the output folder.

    Parameters
    ----------
    source
        Entities of the source file, short names (``sub``, ``ses``, ``task``, ``run`` ...).
    row
        Row of the table.
    space, res
        Template space and resolution label of standard-space files.
    atlas
        Label of the chosen regions.

    Raises
    ------
    OutputError
        No pattern holds all entities: a name is never written without one.

    """
    from bids.layout.writing import build_path

    standard = {'space': space, 'res': res} if row.is_standard else {}
    added = {key: value.format(atlas=atlas, space=space) for key, value in row.entities.items()}
    what = {'suffix': row.suffix, 'extension': row.extension, 'datatype': row.datatype}
    name = build_path({**source, **standard, **added, **what}, PATTERNS, strict=True)
    if not isinstance(name, str):
        raise OutputError(f'no pattern for the entities {sorted({**source, **added})} of {row.suffix}.')
    return name
