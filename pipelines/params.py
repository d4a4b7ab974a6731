"""Parameters of every analysis: one frozen dataclass each, with help, unit and limits in the field.

The command line, the Boutiques descriptor and the run record are generated from these fields, so
an option is written once.  No heavy import here: ``clbpe --help`` reads this module.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .errors import ParameterError
from .terms import PRESETS, Circuit, default_circuit

IccMask = Literal['gm', 'brain']
Space = Literal['MNI152NLin6Asym', 'MNI152NLin2009cAsym']
SPACES: tuple[str, ...] = get_args(Space)
"""Template spaces, the preferred one first."""

Ignorable = Literal['slicetiming', 'fieldmaps', 'sdc', 'eddy']
TractOf = Literal['person', 'independent']

MIN_DEGREES_OF_FREEDOM = 20
"""Below this many residual degrees of freedom a run is refused (docs/faq.md)."""
WARN_DEGREES_OF_FREEDOM = 40


def option(
    default: Any,
    help: str,
    *,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """Declare a parameter: its default, one sentence of help, unit, closed range and the words offered."""
    metadata = {
        'help': help, 'unit': unit, 'low': low, 'high': high, 'metavar': metavar, 'choices': choices,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=metadata)


class Parameters:
    """Base of the parameter classes: checks every declared range when an instance is made."""

    def __post_init__(self) -> None:
        """Refuse values outside the range of their field.

        Raises
        ------
        ParameterError
            Naming the option, the value and the allowed range.

        """
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            low, high = field.metadata.get('low'), field.metadata.get('high')
            offered = field.metadata.get('choices')
            if offered and value not in offered:
                raise ParameterError(
                    f'{option_name(field.name)} {value} is unknown; offered: {", ".join(offered)}.'
                )
            if value is None or isinstance(value, str | tuple):
                continue
            if (low is not None and value < low) or (high is not None and value > high):
                limits = f'[{low if low is not None else "-inf"}, {high if high is not None else "inf"}]'
                raise ParameterError(
                    f'{option_name(field.name)} {value} is outside {limits} {field.metadata["unit"]}'.rstrip()
                )


def option_name(field_name: str) -> str:
    """Return the command-line spelling of a field.

    Examples
    --------
    >>> option_name('fd_threshold')
    '--fd-threshold'

    """
    return '--' + field_name.replace('_', '-')


def parameter_values(parameters: Parameters) -> Iterator[tuple[str, Any]]:
    """Yield ``(name, value)`` of every field, in order, as plain JSON values."""
    for field in dataclasses.fields(parameters):  # type: ignore[arg-type]
        value = getattr(parameters, field.name)
        yield field.name, list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, kw_only=True)
class DenoiseParams(Parameters):
    """Nuisance regression, filter and volumes left out of a BOLD run."""

    denoising: str = option('acompcor', 'denoising preset', choices=tuple(PRESETS))
    high_pass: float = option(0.008, 'lower edge of the pass band (0 = none)', unit='Hz', low=0, high=1)
    low_pass: float = option(0.09, 'upper edge of the pass band (0 = none)', unit='Hz', low=0, high=5)
    fd_threshold: float = option(
        0.5, 'volumes with a framewise displacement above this are left out (0 = none)', unit='mm', low=0
    )
    dummy_scans: int | None = option(
        None, 'leading volumes to drop; default: the non-steady-state volumes found', low=0
    )
    min_time: float = option(300.0, 'warn when less than this remains after scrubbing', unit='s', low=0)

    def __post_init__(self) -> None:
        """Check the ranges and that the pass band is not empty."""
        super().__post_init__()
        if self.low_pass and self.high_pass >= self.low_pass:
            raise ParameterError(
                f'--high-pass {self.high_pass} Hz is not below --low-pass {self.low_pass} Hz'
            )

    @property
    def band(self) -> tuple[float, float]:
        """Return the edges of the pass band, Hz."""
        return self.high_pass, self.low_pass


@dataclass(frozen=True, kw_only=True)
class RegionParams(Parameters):
    """Which regions are meant, in BOLD and in diffusion."""

    nac: str = option(
        'harvard-oxford',
        'nucleus accumbens: harvard-oxford, cit168, freesurfer, sphere:X,Y,Z,R, or FILE[:LABEL]',
    )
    mpfc: str = option(
        'frontal-medial',
        'medial prefrontal cortex: frontal-medial, paracingulate-ventral, freesurfer, '
        'sphere:X,Y,Z,R, or FILE[:LABEL]',
    )
    regions: str | None = option(
        None,
        'table of regions, in place of nucleus accumbens and medial prefrontal cortex: columns name, hemisphere, '
        'source, role, pairs',
        metavar='TSV',
    )

    def circuit(self) -> Circuit:
        """Return nucleus accumbens and medial prefrontal cortex as they were chosen."""
        return default_circuit(self.nac, self.mpfc)


@dataclass(frozen=True, kw_only=True)
class MapParams(Parameters):
    """Maps of connectivity."""

    fwhm: float = option(6.0, 'smoothing of maps inside the brain mask (0 = off)', unit='mm', low=0, high=20)
    icc_mask: IccMask = option('gm', 'voxels whose correlations enter intrinsic connectivity')


@dataclass(frozen=True, kw_only=True)
class CircuitMaps:
    """What is measured of a run: whose regions, and how maps are made (see :class:`MapParams`)."""

    circuit: Circuit
    fwhm: float = 6.0
    icc_mask: IccMask = 'gm'


@dataclass(frozen=True, kw_only=True)
class AnatomyPlan:
    """What an anatomy is brought to: the template, how many images it is made of, and whose regions are looked for in it.

    ``stamps`` are name, size and time (ns) of the images that sources of regions name: another image repeats the step.
    """

    space: str
    n_t1w: int
    circuit: Circuit
    stamps: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SpaceParams(Parameters):
    """Where maps of BOLD lie, and which template tracts know their regions by."""

    output_space: Space | None = option(
        None,
        'template space of maps; default: the first of MNI152NLin6Asym, MNI152NLin2009cAsym at hand',
    )


@dataclass(frozen=True, kw_only=True)
class DistortionParams(Parameters):
    """What raw scans are corrected for: slice timing, distortion by susceptibility and by eddy currents."""

    ignore: tuple[Ignorable, ...] = option((), 'steps to leave out')
    use_syn_sdc: bool = option(
        False, 'without a reverse phase-encoded scan, undistort by registration to the T1w image'
    )
    fallback_total_readout_time: float | None = option(
        None, 'readout time of scans whose sidecar has none', unit='s', low=0, high=1
    )


@dataclass(frozen=True, kw_only=True)
class DwiParams(Parameters):
    """Preparation of raw diffusion scans."""

    unringing: bool = option(False, 'remove Gibbs ringing (scans with full k-space only)')


@dataclass(frozen=True, kw_only=True)
class TractParams(Parameters):
    """Tracking, and the tract that is measured."""

    n_streamlines: int = option(1000, 'streamlines wanted per direction and hemisphere', low=50)
    max_seeds: int = option(500_000, 'seeds to spend at most per direction and hemisphere', low=1000)
    step_size: float = option(0.5, 'step of a streamline', unit='mm', low=0.1, high=5)
    max_angle: float = option(30.0, 'angle between two steps', unit='degrees', low=5, high=90)
    max_length: float = option(100.0, 'length of a streamline', unit='mm', low=20, high=500)
    tract: TractOf = option('person', 'one tract for all sessions of a person, or one per session')


@dataclass(frozen=True, kw_only=True)
class CircuitTracts:
    """What is tracked: between whose regions, and how many streamlines are wanted per direction."""

    circuit: Circuit
    n_streamlines: int


@dataclass(frozen=True, kw_only=True)
class ExtraParams(Parameters):
    """Files that are written beside the others; they change nothing in them."""

    write_denoised: bool = option(False, 'keep the denoised series and the analysis mask')
    write_tck: bool = option(False, 'write the streamlines for MRtrix as well')


@dataclass(frozen=True, kw_only=True)
class GroupParams(Parameters):
    """The group level: the trial, its gene expression, and how often chance is asked."""

    trial: str | None = option(
        None, 'trial file: arms, visits, outcomes (default: the trial CLBPE)', metavar='JSON'
    )
    n_permutations: int = option(1000, 'permutations of every voxel-wise test', low=100)
    exact_tail: bool = option(False, 'count small p values of voxel-wise tests too, rather than fit a tail')
    n_bootstraps: int = option(10_000, 'resamples of every mediation analysis', low=99)
    n_imputations: int = option(1000, 'imputations of the primary outcome, beside its analysis', low=20)
    gene_counts: str | None = option(
        None, "reads of genes x samples, in place of the trial file's Counts", metavar='TSV'
    )
    gene_samples: str | None = option(
        None, "table of the sequenced samples, in place of the trial file's Samples", metavar='TSV'
    )
    gene_sets: tuple[str, ...] = option(
        (), "sets of genes, in place of the trial file's GeneSets", metavar='GMT'
    )
