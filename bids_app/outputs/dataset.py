"""What describes the output dataset as a whole."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines.access import container_type

from .. import __version__
from ..running.files import remove_drafts, replace_json, replace_text
from ..running.lock import lock_file

BIDSIGNORE = (
    '*.html', 'figures', 'log', 'logs', 'group', '*_boldmap.*', '*_boldref.*', '*_statmap.*', '*_relmat.*', '*_timeseries.*',
    '*_coverage.*', '*_placement.*', '*_design.*', '*_outliers.*', '*_qc.json', '*_dwimap.*', '*_streamlines.*',
    '*_scalarstats.*', '*_xfm.*', '*_dwiref.*', '*_manifest.json',
)  # fmt: skip


LOGGER = logging.getLogger(__name__)

DESCRIPTION = 'dataset_description.json'


def write_dataset_files(output_dir: Path, bids_dir: Path, links: Mapping[str, Path]) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and ``README`` of the output dataset.

    The description keeps what earlier runs say of their sources and programs: other files rest on them.
    """
    sources = {'raw': bids_dir, **links}
    described = {
        name: _doi(path) or _link(path, output_dir)
        for name, path in sources.items()
        if name == 'raw' or path != output_dir
    }
    (output_dir / 'logs').mkdir(parents=True, exist_ok=True)
    # what belongs to one person goes when that person is held
    for shared in (output_dir, output_dir / 'logs'):
        remove_drafts(shared, is_deep=False)
    with lock_file(output_dir / 'logs' / 'lock'):  # jobs run side by side
        known = _known(output_dir / DESCRIPTION)
        content = {
            'Name': 'clbpe: connectivity of nucleus accumbens and medial prefrontal cortex',
            'BIDSVersion': '1.10.0',
            'DatasetType': 'derivative',
            'GeneratedBy': _united(known.get('GeneratedBy'), [_program()]),
            'SourceDatasets': _united(known.get('SourceDatasets'), [_source(described['raw'])]),
            'DatasetLinks': {**_links(known, described), **described},
        }
        if content != known:
            replace_json(content, output_dir / DESCRIPTION)
    for name, text in (
        ('.bidsignore', '\n'.join(BIDSIGNORE) + '\n'),
        ('README', 'Derivatives of clbpe. Open sub-<label>.html for the report of a participant.\n'),
    ):
        path = output_dir / name
        if not path.is_file() or path.read_text(encoding='utf-8') != text:
            replace_text(text, path)


def _program() -> dict[str, Any]:
    container = os.environ.get('CLBPE_DOCKER_TAG')
    return {
        'Name': 'clbpe', 'Version': __version__,
        **({'Container': {'Type': container_type(), 'Tag': container}} if container else {}),
    }  # fmt: skip


def _known(path: Path) -> dict[str, Any]:
    """Return what the description says now; nothing where it is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _united(known: Any, new: list[dict[str, Any]]) -> list[Any]:
    before = known if isinstance(known, list) else []
    return [*before, *(entry for entry in new if entry not in before)]


def _links(known: Mapping[str, Any], described: Mapping[str, str]) -> dict[str, Any]:
    """Return the links of earlier runs; one whose name now means another place is told."""
    before = known.get('DatasetLinks')
    before = before if isinstance(before, dict) else {}
    for name, link in described.items():
        if before.get(name, link) != link:
            LOGGER.warning('%s of DatasetLinks was %s and is now %s', name, before[name], link)
    return before


def _link(path: Path, output_dir: Path) -> str:
    """Return a dataset relative to the output, so that both can be moved together and published.

    Examples
    --------
    >>> _link(Path('/data/my trial'), Path('/data/my trial/derivatives/clbpe'))
    '../..'
    >>> _link(Path('/my bids'), Path('/out'))
    '../my%20bids'

    """
    return quote(Path(os.path.relpath(path.resolve(), output_dir.resolve())).as_posix())


def _doi(root: Path) -> str | None:
    """Return the name that a published dataset has for good; None for any other."""
    doi = _known(root / DESCRIPTION).get('DatasetDOI')
    return doi if isinstance(doi, str) and doi.startswith('doi:') else None


def _source(link: str) -> dict[str, str]:
    return {'DOI': link} if link.startswith('doi:') else {'URL': link}
