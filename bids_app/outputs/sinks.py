"""Put what a stage made into the output dataset: one step per stage, the figures drawn by the step that saves them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nipype.interfaces.base import (
    BaseInterfaceInputSpec,
    DynamicTraitedSpec,
    SimpleInterface,
    TraitedSpec,
    traits,
)
from nipype.pipeline import engine as pe

from pipelines.interfaces.gallery import DrawFigures, Gallery

from ..running.files import replace_file, replace_json
from ..running.manifest import Receipt
from .chains import SavedStage
from .rows import field_of

_PICTURE_GB = 1.5
"""Memory of a step that reads a T1-weighted image of 0.7 mm and its masks as float32."""


class Sunk(NamedTuple):
    """A file to be saved: which output it is, where it goes, and its sidecar with the facts of another output."""

    output: str
    path: Path
    sidecar: Mapping[str, Any]
    facts: str = ''


class _Inputs(DynamicTraitedSpec, BaseInterfaceInputSpec):
    pass


class _Outputs(TraitedSpec):
    saved = traits.List(traits.Str, desc='paths in the output dataset')


class SaveStage(SimpleInterface):
    """Put the files of a stage into the output dataset, each in one step with its JSON sidecar beside it.

    niworkflows' own sink writes files in place, so that a run which is killed leaves half of one.  An output
    of facts is written as JSON.

    Parameters
    ----------
    files
        In the order in which they are written.
    receipt
        Taken away before the first, written behind the last.

    """

    input_spec = _Inputs
    output_spec = _Outputs
    is_brief = True
    # an output that was removed by hand is put back although nothing else changed
    _always_run = True

    def __init__(self, files: Iterable[Sunk], receipt: Receipt, **inputs: Any) -> None:
        super().__init__(**inputs)
        self.files, self.receipt = list(files), receipt
        for name in self.sources:
            self.inputs.add_trait(name, traits.Any(mandatory=True))

    @property
    def targets(self) -> list[Path]:
        """Return the files that the step writes, sidecars aside."""
        return [file.path for file in self.files]

    @property
    def sources(self) -> list[str]:
        """Return the outputs of the stage that files and sidecars come from."""
        named = (name for file in self.files for name in (file.output, file.facts) if name)
        return list(dict.fromkeys(field_of(name)[0] for name in named))

    def _run_interface(self, runtime: Any) -> Any:
        self.receipt.void()
        written = [path for file in self.files for path in self._save(file)]
        self.receipt.write(written)
        self._results['saved'] = [str(path) for path in written]
        return runtime

    def _save(self, file: Sunk) -> list[Path]:
        """Write a file and its sidecar; return the paths of both."""
        made = self._value(file.output)
        if isinstance(made, dict):
            replace_json(made, file.path)
        else:
            replace_file(Path(made), file.path)
        if not file.sidecar:
            return [file.path]
        facts = self._value(file.facts) if file.facts else {}
        sidecar = file.path.with_name(f'{file.path.name.split(".")[0]}.json')
        replace_json({**file.sidecar, **facts}, sidecar)
        return [file.path, sidecar]

    def _value(self, output: str) -> Any:
        name, numbers = field_of(output)
        value = getattr(self.inputs, name)
        for number in numbers:
            value = value[number]
        return value


class SaveFigures(DrawFigures):
    """Draw the figures of a gallery and put them into the output dataset.

    Parameters
    ----------
    gallery
        What is drawn.
    files
        Where each figure goes.
    receipt
        As that of :class:`SaveStage`.

    """

    is_brief = True
    _always_run = True

    def __init__(self, gallery: Gallery, files: Mapping[str, Path], receipt: Receipt, **inputs: Any) -> None:
        super().__init__(gallery, **inputs)
        self.files, self.receipt = dict(files), receipt

    @property
    def targets(self) -> list[Path]:
        """Return the files that the step writes."""
        return list(self.files.values())

    def draw(self, out_dir: Path) -> dict[str, Path]:
        """Return the path of each figure in the output dataset."""
        drawn = super().draw(out_dir)
        self.receipt.void()
        for name, path in drawn.items():
            replace_file(path, self.files[name])
        self.receipt.write(self.targets)
        return self.files


def save_stage(
    workflow: Any,
    source: Any,
    stage: SavedStage,
    sidecar: Mapping[str, Any],
    space: Mapping[str, Any],
) -> None:
    """Attach one sink to the planned files of a stage.

    Parameters
    ----------
    workflow
        That gains the sink.
    source
        Workflow whose outputnode has the files.
    stage
        What is saved.
    sidecar, space
        What sidecars say beside their row and the workflow's ``metadata``, the second of files in a named space.

    """
    files = []
    for _, row, path in stage.planned:
        about: dict[str, Any] = {}
        if row.description:
            about = {'Description': row.description, 'Units': row.units, **row.fields, **sidecar}
            about |= space if row.is_standard else {}
        files.append(Sunk(row.output, path, about, row.facts if about else ''))
    add_sink(workflow, source, f'save_{stage.name}', files, stage.receipt)


def add_sink(workflow: Any, source: Any, name: str, files: Iterable[Sunk], receipt: Receipt) -> None:
    """Attach a sink to the outputnode of a workflow."""
    node = pe.Node(SaveStage(files, receipt), name=name)
    workflow.connect([(source, node, [(f'outputnode.{field}', field) for field in node.interface.sources])])


def descriptions(workflow: Any) -> list[str]:
    """Return what the workflows in a workflow say of themselves, each once, in the order of their work.

    niworkflows' own ``visit_desc`` joins the texts of different people without a blank between them.
    """
    own = [(workflow.__desc__ or '').strip()]
    inner = [node for node in pe.utils.topological_sort(workflow._graph)[0] if isinstance(node, pe.Workflow)]
    texts = own + [text for node in inner for text in descriptions(node)]
    return list(dict.fromkeys(text for text in texts if text))


def tell_methods(workflows: Iterable[Any]) -> None:
    """Have the receipts of workflows that belong together say how all of them made what they save."""
    chain = list(workflows)
    texts = tuple(dict.fromkeys(text for workflow in chain for text in descriptions(workflow)))
    for workflow in chain:
        for node in workflow._get_all_nodes():
            if isinstance(node.interface, SaveStage):
                node.interface.receipt = node.interface.receipt._replace(methods=texts)


def figures_node(gallery: Gallery, stage: SavedStage, name: str = 'figures') -> pe.Node:
    """Return the step that draws and saves the figures of a stage; what it draws from is to be connected."""
    files = {plan.row.output.removesuffix('_figure'): plan.path for plan in stage.planned}
    return pe.Node(SaveFigures(gallery, files, stage.receipt), name=name, mem_gb=_PICTURE_GB)


def draw_from(workflow: Any, source: Any, node: Any, fields: Iterable[str] | None = None) -> None:
    """Connect the outputs of a workflow to figures that are drawn from them, by their names."""
    wanted = [f for f in node.interface.fields if fields is None or f in fields]
    workflow.connect([(source, node, [(f'outputnode.{f}', f) for f in wanted])])


def pick(items: list[str], index: int) -> str:
    """Return one item of a list; connections carry it into a node."""
    return items[index]
