"""What describes the output dataset as a whole."""

import os
from collections.abc import Mapping
from pathlib import Path

from .. import __version__
from ..running.files import replace_json, replace_text

BIDSIGNORE = (
    '*.html', 'figures', 'log', 'logs', 'group', '*_boldmap.*', '*_boldref.*', '*_statmap.*', '*_relmat.*', '*_timeseries.*',
    '*_coverage.*', '*_design.*', '*_outliers.*', '*_qc.json', '*_dwimap.*', '*_streamlines.*',
    '*_scalarstats.*', '*_xfm.*', '*_dwiref.*', '*_manifest.json',
)  # fmt: skip


def write_dataset_files(output_dir: Path, bids_dir: Path, links: Mapping[str, Path]) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and ``README`` of the output dataset."""
    generated = {'Name': 'clbpe', 'Version': __version__}
    container = os.environ.get('CLBPE_DOCKER_TAG')
    if container:
        generated['Container'] = {'Type': 'docker', 'Tag': container}  # type: ignore[assignment]
    description = {
        'Name': 'clbpe: connectivity of nucleus accumbens and medial prefrontal cortex',
        'BIDSVersion': '1.10.0',
        'DatasetType': 'derivative',
        'GeneratedBy': [generated],
        'SourceDatasets': [{'URL': bids_dir.resolve().as_uri()}],
        'DatasetLinks': {name: path.resolve().as_uri() for name, path in {'raw': bids_dir, **links}.items()},
    }
    replace_json(description, output_dir / 'dataset_description.json')
    for name, text in (
        ('.bidsignore', '\n'.join(BIDSIGNORE) + '\n'),
        ('README', 'Derivatives of clbpe. Open sub-<label>.html for the report of a participant.\n'),
    ):
        replace_text(text, output_dir / name)
