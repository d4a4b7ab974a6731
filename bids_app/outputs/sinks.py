"""Attach a sink to every planned file: the file in one step, its JSON sidecar beside it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nipype.pipeline import engine as pe

from pipelines.interfaces._interface import interface

from ..running.files import replace_file, replace_json
from .plan import Planned


class Saved(NamedTuple):
    """The file as it lies in the output dataset."""

    saved: Path


def save_derivative(in_file: Path, out_file: str, sidecar: dict, metadata: dict) -> Saved:
    """Put one file into the output dataset in one step, with its JSON sidecar beside it.

    niworkflows' own sink writes the file in place, so that a run which is killed leaves half of it.
    """
    target = Path(out_file)
    replace_file(in_file, target)
    if sidecar:
        replace_json({**sidecar, **metadata}, target.with_name(target.name.split('.')[0] + '.json'))
    return Saved(target)


SaveDerivative = interface(save_derivative)
# an output that was removed by hand is put back although nothing else changed
SaveDerivative._always_run = True


def pass_on(workflow: Any, source: Any, target: Any, fields: Iterable[str]) -> None:
    """Connect the outputs of a workflow to the inputs of the same names of another one."""
    workflow.connect([(source, target, [(f'outputnode.{f}', f'inputnode.{f}') for f in fields])])


def save_all(
    workflow: Any,
    stages: Mapping[str, Any],
    planned: Iterable[Planned],
    sidecar: dict[str, Any],
    space: dict[str, Any],
) -> None:
    """Attach one sink to every planned file.

    The sidecar is the row's, the scan's, what ``space`` says of files in a named space, and the workflow's.
    """
    for number, (stage, row, path) in enumerate(planned):
        about: dict[str, Any] = {}
        if row.description:
            about = {'Description': row.description, 'Units': row.units, **row.fields, **sidecar}
            about |= space if row.is_standard else {}
        output, index = row.index
        node = pe.Node(
            SaveDerivative(out_file=str(path), sidecar=about, metadata={}),
            name=f'save_{number:02d}_{output}',
            run_without_submitting=True,
        )
        source = f'outputnode.{output}' if index is None else (f'outputnode.{output}', pick, index)
        workflow.connect([(stages[stage], node, [(source, 'in_file')])])
        if about:
            workflow.connect([(stages[stage], node, [('outputnode.metadata', 'metadata')])])


def pick(items: list[str], index: int) -> str:
    """Return one item of a list; connections carry it into a node."""
    return items[index]
