"""What one run was asked to do: a frozen record of paths, labels, resources and parameters."""

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import ParameterError
from pipelines.interfaces.choices import FREESURFER
from pipelines.params import (
    DenoiseParams,
    DistortionParams,
    DwiParams,
    ExtraParams,
    GroupParams,
    MapParams,
    Parameters,
    RegionParams,
    SpaceParams,
    TractParams,
    option_name,
    parameter_values,
)
from pipelines.scalar_maps import ScalarParams
from pipelines.terms import Circuit

STEPS = 'clbpe_wf'
"""Folder of the steps in the work folder: the name of the workflow."""


def is_label(text: str) -> bool:
    """Return whether a text can be the label of a participant, session or task in BIDS.

    Examples
    --------
    >>> is_label('01'), is_label('01_old'), is_label('../01')
    (True, False, False)

    """
    return re.fullmatch(r'[a-zA-Z0-9+]+', text) is not None


def steps_of(label: str) -> str:
    """Return the name of a participant's workflow; Nipype takes no plus sign, and labels have no hyphen.

    Examples
    --------
    >>> steps_of('01+a'), label_of_steps(f'{steps_of("01+a")}/tract'), label_of_steps('group_wf')
    ('sub_01-a_wf', '01+a', None)

    """
    return f'sub_{label.replace("+", "-")}_wf'


def label_of_steps(name: str) -> str | None:
    """Return whose workflow the name of a step or its folder is in; none: nobody's."""
    found = re.search(r'sub_([A-Za-z0-9-]+)_wf', name)
    return found[1].replace('-', '+') if found else None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a run depends on; made once by the command line and never changed."""

    bids_dir: Path
    output_dir: Path
    level: str
    work_dir: Path
    participant_label: tuple[str, ...] = ()
    session_label: tuple[str, ...] = ()
    task_id: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    derivatives: tuple[tuple[str, Path], ...] = ()
    bids_filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    nprocs: int = 1
    omp_nthreads: int = 1
    memory_gb: float = 4.0
    plugin: dict[str, Any] | None = None
    random_seed: int = 20260101
    sloppy: bool = False
    skip: tuple[str, ...] = ()
    overwrite: bool = False
    reports_only: bool = False
    boilerplate_only: bool = False
    write_graph: bool = False
    resource_monitor: bool = False
    stop_on_first_crash: bool = False
    clean_workdir: bool = False
    dry_run: bool = False
    verbosity: int = 0
    command: str = ''
    denoise: DenoiseParams = field(default_factory=DenoiseParams)
    regions: RegionParams = field(default_factory=RegionParams)
    listed: Circuit | None = None
    maps: MapParams = field(default_factory=MapParams)
    space: SpaceParams = field(default_factory=SpaceParams)
    distortion: DistortionParams = field(default_factory=DistortionParams)
    dwi: DwiParams = field(default_factory=DwiParams)
    tract: TractParams = field(default_factory=TractParams)
    scalars: ScalarParams = field(default_factory=ScalarParams)
    extra: ExtraParams = field(default_factory=ExtraParams)
    group: GroupParams = field(default_factory=GroupParams)

    def __post_init__(self) -> None:
        """Refuse labels, run numbers and filters that no dataset could answer.

        Raises
        ------
        ParameterError
            Naming the option and the value.

        """
        for number in self.run:
            if not number.isdigit():
                raise ParameterError(f'--run {number}: a whole number is needed, for example 1.')
        for option in ('participant_label', 'session_label', 'task_id'):
            for label in getattr(self, option):
                if not is_label(label):
                    raise ParameterError(
                        f'{option_name(option)} {label!r}: a BIDS label holds letters and digits only (and +). '
                        'Where it was meant as a file of labels, there is none of that name.'
                    )
        if self.scalars.scalars and self.level == 'participant' and not self.preprocessed:
            raise ParameterError(
                f'--scalars {self.scalars.scalars[0]}: maps are looked for in the datasets of --derivatives, and none is '
                'given. Add for example -d qsirecon=PATH.'
            )
        for name, filters in self.bids_filters.items():
            if not isinstance(filters, dict):
                raise ParameterError(
                    f'--bids-filter-file: "{name}" holds {filters!r}; write {{"{name}": {{"session": "pre"}}}}.'
                )

    @property
    def circuit(self) -> Circuit:
        """Return the regions and their pairs: those of a table or of the trial file, else what options chose."""
        return self.listed or self.regions.circuit()

    def circuit_of(self, label: str) -> Circuit:
        """Return the circuit of a participant: files may differ between people."""
        return self.circuit.of_person(label)

    @property
    def preprocessed(self) -> tuple[tuple[str, Path], ...]:
        """Return the datasets that scans are looked for in: those given, but for FreeSurfer's folder of subjects."""
        return tuple(named for named in self.derivatives if named[0] != FREESURFER)

    @property
    def freesurfer_dir(self) -> Path | None:
        """Return FreeSurfer's folder of subjects, if it was given."""
        return dict(self.derivatives).get(FREESURFER)

    @property
    def results_dir(self) -> Path:
        """Return where the results of the participant level are: ``-d clbpe=PATH``, else the output folder."""
        return dict(self.derivatives).get('clbpe', self.output_dir)

    def parameters(self) -> dict[str, Any]:
        """Return what was asked of the participant level, as plain JSON values."""
        of_all = (
            self.space,
            self.distortion,
            self.denoise,
            self.maps,
            self.dwi,
            self.tract,
            self.scalars,
            self.extra,
        )
        return {
            **self.parameters_of(*of_all),
            **self.region_parameters(),
            'bids_filters': self.bids_filters,
            'derivatives': [name for name, _ in self.derivatives],
            'exclude': list(self.exclude),
        }

    def region_parameters(self) -> dict[str, object]:
        """Return what decides which regions there are: the options, or the rows of the list."""
        if self.listed:
            return {'regions': self.listed.rows()}
        return {name: value for name, value in parameter_values(self.regions) if name != 'regions'}

    def parameters_of(self, *analyses: Parameters) -> dict[str, Any]:
        """Return what decides the numbers of some analyses, as plain JSON values."""
        own = dict(pair for parameters in analyses for pair in parameter_values(parameters))
        return {**own, 'random_seed': self.random_seed, 'sloppy': self.sloppy}

    def group_parameters(self) -> dict[str, Any]:
        """Return what decides the numbers of the group level, as plain JSON values."""
        return {
            **dict(parameter_values(self.group)),
            'random_seed': self.random_seed,
            'sloppy': self.sloppy,
            'skip': sorted(self.skip),
            'participant_label': sorted(self.participant_label),
            'task_id': list(self.task_id),
            'run': list(self.run),
        }

    def name_of(self, path: Path) -> str:
        """Return a file by its dataset, wherever that lies: ``raw:sub-01/anat/sub-01_T1w.nii.gz``.

        What lies elsewhere is told by its name, with a number that stands for its folder: records are published.
        """
        places = (
            *self.derivatives,
            ('raw', self.bids_dir),
            ('work', self.work_dir),
            ('out', self.output_dir),
        )
        for name, root in places:
            if path.is_relative_to(root):
                return f'{name}:{path.relative_to(root).as_posix()}'
        return f'{zlib.crc32(str(path.parent).encode()):08x}:{path.name}'

    def seed_of(self, name: str) -> int:
        """Return a seed for one step, never 0: from the run's seed and the step's name."""
        return zlib.crc32(f'{self.random_seed}:{name}'.encode()) % (2**31 - 1) + 1
