"""Flags of the preprocessing of a run, in the JSON of its confounds: the one file that every later step reads."""

import json
from collections.abc import Iterable
from pathlib import Path

from ..params import DenoiseParams
from ..terms import FLAGS
from ._interface import interface
from .design import DesignFiles, make_design

_FLAG = 'Flag'


def tell_flags(confounds_metadata: Path, names: Iterable[str]) -> None:
    """Add flags to the JSON of a confounds table, each as an entry that describes it."""
    found = {name: {_FLAG: True, 'Description': FLAGS[name].title} for name in names}
    if found:
        known = json.loads(confounds_metadata.read_text(encoding='utf-8'))
        confounds_metadata.write_text(json.dumps({**known, **found}, indent=2), encoding='utf-8')


def read_flags(confounds_metadata: Path | None) -> list[str]:
    """Return the flags that the JSON of a confounds table holds; those of other programs hold none."""
    if confounds_metadata is None:
        return []
    try:
        known = json.loads(confounds_metadata.read_text(encoding='utf-8-sig'))
    except (OSError, ValueError):
        return []  # whoever needs the JSON says what is wrong with it
    entries = known.items() if isinstance(known, dict) else ()
    return [
        name
        for name, about in entries
        if name in FLAGS and isinstance(about, dict) and about.get(_FLAG) is True
    ]


def design_run(
    bold: Path,
    confounds: Path,
    params: DenoiseParams,
    t_r: float,
    run: str,
    confounds_metadata: Path | None = None,
    *,
    out_dir: Path,
) -> DesignFiles:
    """Build the denoising operator of a run, and tell what its preprocessing flagged beside what the operator leaves.

    See :func:`~pipelines.interfaces.design.make_design` and :func:`read_flags`.
    """
    files = bold, confounds, params, t_r, run
    made = make_design(*files, confounds_metadata=confounds_metadata, out_dir=out_dir)
    flags = [*made.metadata['Flags'], *read_flags(confounds_metadata)]
    return made._replace(metadata={**made.metadata, 'Flags': flags})


DesignRun = interface(design_run, is_brief=True)
