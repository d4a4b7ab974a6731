"""Measures, kinds of maps and denoising presets."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .circuit import LATERAL, Region
from .circuits import circuit_of_labels
from .words import Term, Words


@dataclass(frozen=True, kw_only=True)
class Measure(Term):
    """What the participant level measures: ``name`` is the word of a trial file's ``Derivative``.

    ``low`` and ``high`` limit its values; ``n_regions`` belong to one value; ``source`` says what a
    value is read from; ``modality`` which scan it comes from.  Of a map: ``map`` is its kind, ``row`` names
    it in its figure, ``scale`` the colours there, ``floor`` the key of the sidecar that has their lower
    end, and ``caption`` and ``alt`` stand beside the figure.
    """

    units: str
    low: float | None = None
    high: float | None = None
    n_regions: int
    source: Literal['matrix', 'map', 'tract']
    modality: Literal['bold', 'dwi']
    map: str = ''
    row: str = ''
    scale: str = ''
    floor: str = ''
    caption: str = ''
    alt: str = ''

    @property
    def is_map(self) -> bool:
        """Return whether a value is the mean of a map over regions."""
        return self.source == 'map'


MEASURES = Words(
    'measure',
    [
        Measure(
            name='roi_connectivity', title='Connectivity of the regions', units='Fisher z', n_regions=2,
            source='matrix', modality='bold',
        ),
        Measure(
            name='intrinsic_connectivity', title='Intrinsic connectivity', units='r', low=0, high=1, n_regions=1,
            source='map', modality='bold', map='icc', row='ICC (root mean square of r)', scale='RMS r',
            floor='ICCNoiseFloor',
            caption='Upper row: root mean square of the correlations of each voxel with all others; the colour '
            'scale begins at the value that noise alone would give. Lower row: the same map as ranks on a '
            'normal scale, red above and blue below the median of the brain.',
            alt='Two rows of cuts through the brain with maps of intrinsic connectivity.',
        ),
        Measure(
            name='alff', title='Amplitude of low-frequency fluctuations (ALFF)', units='1', low=0, n_regions=1,
            source='map', modality='bold', map='alff', row='ALFF', scale='of its mean in the brain',
            caption='How much the signal of each voxel moves in the pass band, over the mean of the brain: 1 is usual, '
            'grey matter and large vessels lie above, white matter below.',
            alt='A row of cuts through the brain with the amplitude of low-frequency fluctuations.',
        ),
        Measure(
            name='falff', title='Fractional amplitude of low-frequency fluctuations (fALFF)', units='1', low=0, high=1,
            n_regions=1, source='map', modality='bold', map='falff', row='fALFF', scale='share of all frequencies',
            caption='The share that the pass band has in all that the signal of a voxel moves up to 0.25 Hz; noise '
            'alone gives the width of the band over 0.25 Hz. It is high in grey matter.',
            alt='A row of cuts through the brain with the fractional amplitude of low-frequency fluctuations.',
        ),
        Measure(
            name='tract_fa', title='FA of the tract', units='1', low=0, high=1, n_regions=0, source='tract',
            modality='dwi',
        ),
    ],
)  # fmt: skip


MAP_MEASURES = tuple(measure for measure in MEASURES.values() if measure.is_map)
"""Measures that are maps, each with a figure of its own."""


@dataclass(frozen=True, kw_only=True)
class Map(Term):
    """A kind of map that is tested voxel by voxel; ``entity`` precedes its name in that of a group map.

    ``short`` is its title in a figure; ``is_main``: shown before maps of one side.
    """

    entity: Literal['seg', 'param']
    short: str
    is_main: bool = True


def map_words(seeds: Iterable[Region]) -> Words[Map]:
    """Return the kinds of maps of a circuit: one of each seed, then those of the measures."""
    return Words(
        'kind of map',
        [
            *(
                Map(
                    name=region.name, title=f'Connectivity with the {region.phrase}', entity='seg',
                    short=f'Connectivity with {region.name}', is_main=region.hemisphere not in LATERAL,
                )
                for region in seeds
            ),
            *(
                Map(name=measure.map, title=measure.title, entity='param', short=measure.title)
                for measure in MAP_MEASURES
            ),
        ],
    )  # fmt: skip


def maps_named(names: Iterable[str]) -> Words[Map]:
    """Return the kinds of maps among which are these; all that are no measures' are seeds.

    Examples
    --------
    >>> [kind.is_main for kind in maps_named(['VTA', 'InsL', 'InsR', 'Ins', 'icc']).values()][:4]
    [True, False, False, True]

    """
    measures = {measure.map for measure in MAP_MEASURES}
    return map_words(circuit_of_labels(name for name in names if name not in measures).regions.values())


MOTION = ('trans_x', 'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z')
"""Head motion as fMRIPrep's confounds name it: translations (mm) and rotations (rad)."""

_TWELVE = tuple(f'{name}{end}' for end in ('', '_derivative1') for name in MOTION)
_COSINES = 'cosine*'


@dataclass(frozen=True, kw_only=True)
class Preset(Term):
    """A denoising preset: ``title`` is what the methods text says of it, ``about`` what a table does.

    ``columns`` are those of fMRIPrep's confounds: a plain name must be there, a pattern may match
    nothing.  ``n_compcor`` components of aCompCor of each tissue go with them.  ``censoring`` is the rule
    by which volumes are left out: Power's displacement, ART's jumps, or none.  ``cleaning`` says
    whether regression and filter are one projection or follow each other.  ``icc_components``
    principal components enter intrinsic connectivity, all with None.
    """

    about: str
    columns: tuple[str, ...]
    n_compcor: int = 0
    censoring: Literal['displacement', 'jumps', 'none'] = 'displacement'
    cleaning: Literal['projection', 'regress_then_filter'] = 'projection'
    icc_components: int | None = None


PRESETS = Words(
    'denoising preset',
    [
        Preset(
            name='acompcor',
            about='6 motion + derivatives, 5 + 5 aCompCor of white matter and fluid, cosines',
            title='six motion parameters and their derivatives, up to five white-matter and five cerebrospinal-fluid '
            'components of aCompCor [@behzadi2007] and cosines',
            columns=(*_TWELVE, _COSINES),
            n_compcor=5,
        ),
        Preset(
            name='24p',
            about='24 motion',
            title='24 motion parameters [@friston1996]',
            columns=(*_TWELVE, *(f'{name}{end}' for end in ('_power2', '_derivative1_power2') for name in MOTION)),
        ),
        Preset(
            name='conn',
            about='as `acompcor`, then a hard-cut filter of the mirrored series',
            title='motion parameters with derivatives and aCompCor components [@behzadi2007], then a hard-cut '
            'filter of the mirrored series as CONN does [@whitfieldgabrieli2012]',
            columns=(*_TWELVE, _COSINES),
            n_compcor=5,
            censoring='jumps',
            cleaning='regress_then_filter',
            icc_components=64,
        ),
        Preset(
            name='gsr',
            about='`acompcor` and the global signal',
            title='motion parameters with derivatives, aCompCor components [@behzadi2007], cosines '
            'and the global signal',
            columns=(*_TWELVE, _COSINES, 'global_signal'),
            n_compcor=5,
        ),
        Preset(name='none', title='no confounds', about='trend and band only', columns=(), censoring='none'),
    ],
)  # fmt: skip
