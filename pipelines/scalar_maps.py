"""Further maps that are measured along tracts: how they are asked for, and which of a person's files they are."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from .errors import ParameterError
from .params import Parameters, option
from .terms import NAME, Circuit

OWN_PARAMS = ('fa', 'md', 'ad', 'rd', 'fwfa')
"""What the tables of tracts hold without being asked, in the column ``param``."""


@dataclass(frozen=True, kw_only=True)
class ScalarParams(Parameters):
    """Further maps that are measured along tracts."""

    scalars: tuple[str, ...] = option(
        (),
        'maps in the datasets of --derivatives that are measured along tracts as FA is: a name, and a pattern that the '
        'end of their path matches, for example icvf=*_param-icvf_dwimap.nii.gz; one file per session, in the space '
        'of the diffusion series or of the T1w image',
        metavar='NAME=PATTERN',
    )

    def __post_init__(self) -> None:
        """Refuse names and patterns that no map could have.

        Raises
        ------
        ParameterError
            Naming the option, what was given, and what is needed.

        """
        super().__post_init__()
        names = [_checked(word) for word in self.scalars]
        for name in names:
            if names.count(name) > 1:
                raise ParameterError(f'--scalars: two maps are called {name}. Give each a name of its own.')

    @property
    def patterns(self) -> dict[str, str]:
        """Return the pattern of each map by its name.

        Examples
        --------
        >>> ScalarParams(scalars=('icvf=dwi/*_param-icvf_*',)).patterns
        {'icvf': 'dwi/*_param-icvf_*'}

        """
        parts = (word.partition('=') for word in self.scalars)
        return {name: pattern for name, _, pattern in parts}


def _checked(word: str) -> str:
    """Return the name of a map that is asked for."""
    name, equals, pattern = word.partition('=')
    if not equals or not pattern:
        why = 'a name, =, and a pattern of file names are needed'
    elif not NAME.fullmatch(name):
        why = f'the name {name!r} must be letters and digits, a letter first: it stands in tables'
    elif name.casefold() in OWN_PARAMS:
        why = f'{name} is what the tables call a map of their own ({", ".join(OWN_PARAMS)}); choose another name'
    elif PurePosixPath(pattern).is_absolute() or '..' in PurePosixPath(pattern).parts:
        why = 'the pattern is looked for inside the datasets of --derivatives, so it is no path from outside'
    else:
        return name
    raise ParameterError(f'--scalars {word}: {why}. Write for example icvf=*_param-icvf_dwimap.nii.gz.')


class ScalarMap(NamedTuple):
    """A map of one session: its file and the ``bids:`` URI of it, or why there is none that can be measured."""

    name: str
    session: str
    path: str = ''
    source: str = ''
    lack: str = ''


@dataclass(frozen=True, kw_only=True)
class TractScalars:
    """What is measured along whose tracts: every map of every session, session after session."""

    circuit: Circuit
    maps: tuple[ScalarMap, ...]

    @property
    def by_name(self) -> dict[str, list[ScalarMap]]:
        """Return the maps of the sessions by their names.

        Examples
        --------
        >>> from .terms import default_circuit
        >>> maps = tuple(ScalarMap(name, session) for session in ('pre', 'post') for name in ('od', 'icvf'))
        >>> {name: [own.session for own in found] for name, found in
        ...  TractScalars(circuit=default_circuit(), maps=maps).by_name.items()}
        {'od': ['pre', 'post'], 'icvf': ['pre', 'post']}

        """
        found: dict[str, list[ScalarMap]] = {}
        for own in self.maps:
            found.setdefault(own.name, []).append(own)
        return found

    @property
    def files(self) -> list[str]:
        """Return the paths of the maps that there are."""
        return [own.path for own in self.maps if own.path]
