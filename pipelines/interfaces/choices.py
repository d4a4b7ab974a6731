"""What the source of a region may name: atlases, spheres, files, FreeSurfer's labels.  It imports nothing heavy."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from ..errors import MissingInputError, ParameterError
from ..params import SPACES
from ..terms import Circuit

OWN_SPACES = ('T1w', 'ACPC')
"""A person's anatomy, as fMRIPrep and as QSIPrep name it."""

AtlasName = Literal['harvard-oxford', 'cit168']
ATLASES: tuple[AtlasName, ...] = get_args(AtlasName)
FREESURFER = 'freesurfer'
OFFERED = ', '.join(f'{word}:LABEL' for word in (*ATLASES, FREESURFER)) + ', sphere:X,Y,Z,R, or FILE[:LABEL]'


class Segmentation(NamedTuple):
    """FreeSurfer's labels in the space of the T1-weighted image, and the way there from the template.

    ``anat2std_xfm`` resamples anatomical images onto the template (fMRIPrep's
    ``from-T1w_to-MNI..._mode-image_xfm``), so it maps points of the template to the anatomy; None where
    the labels are in the template's space already.
    """

    aseg: Path | None = None
    aparcaseg: Path | None = None
    anat2std_xfm: Path | None = None


@dataclass(frozen=True)
class RegionSource:
    """A source of a region: its kind, and what that kind needs.

    ``label`` is a number, numbers joined by ``+``, or a name; ``space`` is that of a file, empty where the
    file is taken to be in the space of the series; ``sphere`` holds centre and radius in mm.
    """

    kind: Literal['sphere', 'atlas', 'named', 'freesurfer', 'file']
    text: str
    path: Path | None = None
    label: str = ''
    space: str = ''
    sphere: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Return the numbers of the label."""
        return tuple(float(part) for part in self.label.split('+')) if self.label else ()

    def check_label(self) -> None:
        """Refuse a label that is no number.

        Raises
        ------
        ParameterError
            Naming the source.

        """
        try:
            _ = self.numbers
        except ValueError:
            raise ParameterError(f'{self.text}: the label {self.label} is no number.') from None


def file_of(choice: str) -> tuple[Path, str | None] | None:
    """Return file and label of a ``FILE[:LABEL]`` choice, whatever space stands behind it; None if it names no existing file.

    Examples
    --------
    >>> file_of('harvard-oxford') is None
    True

    """
    choice = _split_space(choice)[0]
    file, _, label = choice.rpartition(':')
    for path, value in ((choice, None), (file, label)):
        if path and Path(path).is_file():
            return Path(path), value
    return None


def _split_space(choice: str) -> tuple[str, str]:
    """Return a choice without the space behind it, and that.

    Examples
    --------
    >>> _split_space('a@b.nii:3@T1w'), _split_space('a@b.nii')
    (('a@b.nii:3', 'T1w'), ('a@b.nii', ''))

    """
    file, _, space = choice.rpartition('@')
    return (file, space) if file and space in (*SPACES, *OWN_SPACES) else (choice, '')


def read_source(text: str, *, known: Collection[str], what: str) -> RegionSource:
    """Return what the source of a region says.

    Parameters
    ----------
    text
        The source.
    known
        Choices of this region that have a name.
    what
        What a message begins with: option or region.

    Raises
    ------
    ParameterError
        It is none of the kinds offered, or a sphere of other than four numbers.
    MissingInputError
        The file is not there.

    """
    head, _, rest = text.partition(':')
    if head == 'sphere':
        return RegionSource('sphere', text, sphere=_four_numbers(text, what))
    if head == FREESURFER and (rest or text in known):
        return RegionSource('freesurfer', text, label=rest)
    if text in known:
        return RegionSource('named', text)
    if head in ATLASES and rest:
        return RegionSource('atlas', text, label=rest)
    found = file_of(text)
    if found is None:
        kind = MissingInputError if '/' in text or '.nii' in text else ParameterError
        offered = ', '.join([*sorted(known), OFFERED])
        raise kind(f'{what} {text}: no such file or name. Offered: {offered}')
    return RegionSource('file', text, path=found[0], label=found[1] or '', space=_split_space(text)[1])


def _four_numbers(text: str, what: str) -> tuple[float, float, float, float]:
    try:
        x, y, z, radius = (float(number) for number in text.removeprefix('sphere:').split(','))
    except ValueError:
        x = y = z = radius = 0.0
    if not all(abs(number) < 1000 for number in (x, y, z, radius)) or not radius > 0:
        raise ParameterError(f'{what} {text}: write sphere:X,Y,Z,R in mm, with R above 0.')
    return x, y, z, radius


def source_files(circuit: Circuit) -> list[Path]:
    """Return the images that the sources of a circuit name, each once."""
    named = (file_of(source) for own in circuit.structures for _, source in own.sources)
    return list(dict.fromkeys(found[0].absolute() for found in named if found))


def with_full_paths(circuit: Circuit) -> Circuit:
    """Return a circuit with the full paths of its files: nodes run in folders of their own."""
    own = [
        replace(s, sources=tuple((side, _absolute(source)) for side, source in s.sources))
        for s in circuit.structures
    ]
    return replace(circuit, structures=tuple(own))


def _absolute(choice: str) -> str:
    found = file_of(choice)
    if not found:
        return choice
    label, space = f':{found[1]}' if found[1] else '', _split_space(choice)[1]
    return f'{found[0].absolute()}{label}' + (f'@{space}' if space else '')


def needs_freesurfer(circuit: Circuit) -> bool:
    """Return whether a region is taken from FreeSurfer's labels."""
    return any(
        source.partition(':')[0] == FREESURFER for own in circuit.structures for _, source in own.sources
    )


def needs_anatomy(circuit: Circuit) -> bool:
    """Return whether a region is a file in the space of a person's anatomy."""
    spaces = (_split_space(source)[1] for own in circuit.structures for _, source in own.sources)
    return any(space in OWN_SPACES for space in spaces)
