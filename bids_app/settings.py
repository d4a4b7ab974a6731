"""What one run was asked to do: a frozen record of paths, labels, resources and parameters."""

import logging
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from pipelines.errors import DatasetError, OutputError, ParameterError
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
    parameter_values,
)

LOGGER = logging.getLogger(__name__)


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
    bids_database_dir: Path | None = None
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
    maps: MapParams = field(default_factory=MapParams)
    space: SpaceParams = field(default_factory=SpaceParams)
    distortion: DistortionParams = field(default_factory=DistortionParams)
    dwi: DwiParams = field(default_factory=DwiParams)
    tract: TractParams = field(default_factory=TractParams)
    extra: ExtraParams = field(default_factory=ExtraParams)
    group: GroupParams = field(default_factory=GroupParams)

    def __post_init__(self) -> None:
        """Refuse run numbers and filters that no dataset could answer.

        Raises
        ------
        ParameterError
            Naming the option and the value.

        """
        for number in self.run:
            if not number.isdigit():
                raise ParameterError(f'--run {number}: a whole number is needed, for example 1.')
        for name, filters in self.bids_filters.items():
            if not isinstance(filters, dict):
                raise ParameterError(
                    f'--bids-filter-file: "{name}" holds {filters!r}; write {{"{name}": {{"session": "pre"}}}}.'
                )

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
            self.regions,
            self.maps,
            self.dwi,
            self.tract,
            self.extra,
        )
        return {
            **self.parameters_of(*of_all),
            'bids_filters': self.bids_filters,
            'derivatives': [name for name, _ in self.derivatives],
            'exclude': list(self.exclude),
        }

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
        """Return a file by its dataset, wherever that lies: ``raw:sub-01/anat/sub-01_T1w.nii.gz``."""
        for name, root in (*self.derivatives, ('raw', self.bids_dir)):
            if path.is_relative_to(root):
                return f'{name}:{path.relative_to(root).as_posix()}'
        return str(path)

    def seed_of(self, name: str) -> int:
        """Return a seed for one step, never 0: from the run's seed and the step's name."""
        return zlib.crc32(f'{self.random_seed}:{name}'.encode()) % (2**31 - 1) + 1


def check_folders(settings: Settings) -> None:
    """Refuse input and output folders that cannot work, before anything is written.

    Raises
    ------
    DatasetError
        The input is absent, not a folder, or the derivative folder is a parent of datasets.
    OutputError
        The output is the input, lies above it, or cannot be written.

    """
    bids_dir, output_dir = settings.bids_dir, settings.output_dir
    if not bids_dir.is_dir():
        raise DatasetError(f'{bids_dir} is not a folder. Give the path of a BIDS dataset.')
    for name, path in settings.derivatives:
        _check_derivative(name, path)
    if output_dir.resolve() == bids_dir.resolve():
        raise OutputError(
            f'output folder {output_dir} is the input dataset itself. '
            f'Choose another folder, for example {bids_dir / "derivatives" / "clbpe"}'
        )
    if output_dir.resolve() in bids_dir.resolve().parents:
        raise OutputError(
            f'output folder {output_dir} contains the input dataset {bids_dir}. Choose another folder.'
        )
    for folder in (output_dir, settings.work_dir):
        check_writable(folder)


def _check_derivative(name: str, path: Path) -> None:
    if not path.is_dir():
        raise DatasetError(
            f'--derivatives {name}={path}: not a folder. Give the path of a preprocessed dataset.'
        )
    if any(path.glob('sub-*')):
        if not (path / 'dataset_description.json').is_file():
            LOGGER.warning('%s has no dataset_description.json; it is read all the same', path)
        return
    datasets = sorted(p for p in path.iterdir() if p.is_dir() and any(p.glob('sub-*')))
    if datasets:
        suggestion = ' '.join(f'{p.name}={p}' for p in datasets)
        raise DatasetError(
            f'--derivatives {path}: this folder holds datasets, it is none itself. Use: --derivatives {suggestion}'
        )
    raise DatasetError(
        f'--derivatives {name}={path}: no sub-* folder inside. Give the path of a preprocessed dataset.'
    )


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written into; nothing is left behind.

    Raises
    ------
    OutputError
        Naming the file or folder in the way.

    """
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not existing.is_dir():
        raise OutputError(f'{existing} is a file; {folder} cannot be made there. Choose another folder.')
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(
            f'{existing} is not writable, so {folder} cannot be made. Choose another folder or mend the permissions.'
        )
    try:
        with NamedTemporaryFile(prefix='.clbpe-', dir=existing):
            pass
    except OSError as error:
        raise OutputError(f'{existing} is not writable ({error.strerror}). Choose another folder.') from error
