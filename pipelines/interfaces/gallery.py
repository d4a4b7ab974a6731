"""The figures of a stage in one step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, get_type_hints

from nipype.interfaces.base import (
    BaseInterfaceInputSpec,
    DynamicTraitedSpec,
    SimpleInterface,
    TraitedSpec,
    isdefined,
    traits,
)

from ._interface import as_argument, code_version, trait_of
from ._pictures import Figured


@dataclass(frozen=True)
class Plate:
    """One figure of a step.

    Attributes
    ----------
    draw
        Writes it: a typed function of files that takes the folder as ``out_dir``.
    fields
        Inputs of the step that it is drawn from; ``(input, argument)`` where the function has another name.
    fixed
        Arguments that are no files.

    """

    draw: Callable[..., Figured]
    fields: tuple[str | tuple[str, str], ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, str]:
        """Return the function's argument for each input."""
        return dict((name, name) if isinstance(name, str) else name for name in self.fields)


Gallery = Mapping[str, Plate]
"""Figures by name."""


class _Inputs(DynamicTraitedSpec, BaseInterfaceInputSpec):
    fixed = traits.Dict(desc='arguments that are no files, by figure')
    version = traits.Str(desc='of the code: older figures are not taken')


class _Outputs(TraitedSpec):
    figures = traits.Dict(traits.Str, traits.Str, desc='path of each figure')


class DrawFigures(SimpleInterface):
    """Draw every figure of a gallery in the step's folder; the inputs are those of its figures.

    Parameters
    ----------
    gallery
        What is drawn.

    """

    input_spec = _Inputs
    output_spec = _Outputs

    def __init__(self, gallery: Gallery, **inputs: Any) -> None:
        super().__init__(**inputs)
        self.gallery = dict(gallery)
        for name, trait in _traits(gallery).items():
            self.inputs.add_trait(name, trait)
        self.inputs.trait_set(
            fixed={name: str(dict(picture.fixed)) for name, picture in gallery.items()},
            version=code_version(),
        )

    @property
    def fields(self) -> list[str]:
        """Return the inputs that figures are drawn from."""
        return list(_traits(self.gallery))

    def draw(self, out_dir: Path) -> dict[str, Path]:
        """Return the path of each figure."""
        return {name: self._draw(picture, out_dir) for name, picture in self.gallery.items()}

    def _draw(self, picture: Plate, out_dir: Path) -> Path:
        hints = get_type_hints(picture.draw)
        given = {
            argument: as_argument(hints[argument], getattr(self.inputs, name))
            for name, argument in picture.arguments.items()
            if isdefined(getattr(self.inputs, name))
        }
        return picture.draw(**given, **picture.fixed, out_dir=out_dir).figure

    def _run_interface(self, runtime: Any) -> Any:
        self._results['figures'] = {name: str(path) for name, path in self.draw(Path(runtime.cwd)).items()}
        return runtime


def _traits(gallery: Gallery) -> dict[str, Any]:
    """Return a trait per input: mandatory where a figure cannot be drawn without it."""
    found: dict[str, Any] = {}
    for picture in gallery.values():
        hints, parameters = get_type_hints(picture.draw), signature(picture.draw).parameters
        for name, argument in picture.arguments.items():
            is_needed = parameters[argument].default is Parameter.empty
            if is_needed or name not in found:
                found[name] = trait_of(hints[argument], is_input=True)(mandatory=is_needed)
    return found
