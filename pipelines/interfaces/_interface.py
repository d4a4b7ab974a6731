"""Make a Nipype interface of a typed function: ``MapIntrinsic = interface(map_intrinsic)``."""

import hashlib
import inspect
import types
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from nipype.interfaces.base import (
    BaseInterfaceInputSpec,
    File,
    SimpleInterface,
    TraitedSpec,
    isdefined,
    traits,
)

from ._measure import measured

PROGRESS = 'progress.txt'
"""File in the folder of a step that runs long: how far it is, for the program that waits for it."""

_LIBRARIES = (
    *('numpy', 'scipy', 'dipy', 'SimpleITK', 'picsl-greedy', 'scikit-image', 'nipype', 'numba'),
    *('pydeseq2', 'gseapy', 'statsmodels'),
)
"""What makes numbers of a step beside ourselves."""

_SIMPLE = {int: traits.Int, float: traits.Float, str: traits.Str, bool: traits.Bool, dict: traits.Dict}


@cache
def code_version() -> str:
    """Return a digest of the sources of ``pipelines`` and of the numeric libraries' versions.

    Every interface carries it as a hidden input, so that changed code never reuses a result
    that older code left in the work directory.
    """
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for source in sources(root):
        digest.update(source.relative_to(root).as_posix().encode())
        digest.update(source.read_bytes())
    for library in _LIBRARIES:
        digest.update(f'{library}={version(library)}'.encode())
    return digest.hexdigest()[:16]


def sources(root: Path) -> list[Path]:
    """Return the files that decide what the package computes."""
    return sorted([*root.rglob('*.py'), *root.glob('data/*')])


def trait_of(hint: Any, *, is_input: bool) -> Any:
    """Return the trait of a type hint."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = [a for a in arguments if a is not type(None)]
        return traits.Either(None, trait_of(inner, is_input=is_input))
    if origin is Literal:
        return traits.Enum(*arguments)
    if origin is list:
        return traits.List(trait_of(arguments[0], is_input=is_input))
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            raise TypeError(f'{hint}: use list for a sequence of any length')
        return traits.Tuple(*(trait_of(a, is_input=is_input) for a in arguments))
    if hint is Path:
        return File(exists=is_input)
    if origin is dict or hint in _SIMPLE:
        return _SIMPLE[origin or hint]()
    if isinstance(hint, type):
        return traits.Instance(hint)
    raise TypeError(f'no trait for {hint!r}')


def as_argument(hint: Any, value: Any) -> Any:
    """Return what a function declares of the strings and containers of traits."""
    if value is None:
        return None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return as_argument(next(a for a in arguments if a is not type(None)), value)
    if hint is Path:
        return Path(value)
    if origin is list:
        return [as_argument(arguments[0], item) for item in value]
    return dict(value) if origin is dict or hint is dict else value


def _as_output(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    return [_as_output(item) for item in value] if isinstance(value, list) else value


def _input_traits(function: Callable[..., Any], hints: dict[str, Any]) -> dict[str, Any]:
    """Return a trait for each parameter but ``out_dir``: mandatory without default, and the version."""
    inputs: dict[str, Any] = {}
    for key, parameter in inspect.signature(function).parameters.items():
        if key == 'out_dir':
            continue
        trait = trait_of(hints[key], is_input=True)
        if parameter.default is inspect.Parameter.empty:
            inputs[key] = trait(mandatory=True)
        elif parameter.default is None:
            inputs[key] = trait
        else:
            inputs[key] = trait(parameter.default, usedefault=True)
    inputs['version'] = traits.Str(code_version(), usedefault=True)
    return inputs


def interface(function: Callable[..., Any], *, is_brief: bool = False) -> type[SimpleInterface]:
    """Return a Nipype interface that runs ``function``.

    Parameters
    ----------
    function
        Every parameter is annotated; ``Path`` becomes an existing file, ``Literal`` an
        enumeration, ``X | None`` optional.  It returns a ``NamedTuple`` whose fields become the
        outputs.  A parameter called ``out_dir`` receives the node's own folder.
    is_brief
        It takes less time than a batch system needs to start a job, so none is submitted for it.

    Notes
    -----
    The class takes the function's module and the CamelCase of its name, so bind it to that name:
    ``MapSeeds = interface(map_seeds)``; worker processes find it there when they unpickle a node.

    """
    hints = get_type_hints(function)
    returned = get_type_hints(hints.pop('return'))
    name = ''.join(word.capitalize() for word in function.__name__.split('_'))
    inputs = _input_traits(function, hints)
    outputs = {key: trait_of(hint, is_input=False) for key, hint in returned.items()}

    def _run_interface(self: SimpleInterface, runtime: Any) -> Any:
        arguments = {
            key: as_argument(hints[key], getattr(self.inputs, key))
            for key in inputs
            if key != 'version' and isdefined(getattr(self.inputs, key))
        }
        if 'out_dir' in hints:
            arguments['out_dir'] = Path(runtime.cwd)
        with measured(Path(runtime.cwd)):
            result = function(**arguments)
        self._results.update({k: _as_output(v) for k, v in result._asdict().items()})
        return runtime

    def define(attribute: str, base: type, members: dict[str, Any]) -> type:
        # pickle finds a class by module and qualified name
        where = {'__module__': function.__module__, '__qualname__': attribute}
        return type(attribute.rpartition('.')[2], (base,), {**members, **where})

    members = {
        '__doc__': function.__doc__,
        'is_brief': is_brief,
        'input_spec': define(f'{name}.input_spec', BaseInterfaceInputSpec, inputs),
        'output_spec': define(f'{name}.output_spec', TraitedSpec, outputs),
        '_run_interface': _run_interface,
    }
    return define(name, SimpleInterface, members)


def tell_progress(out_dir: Path, things: str) -> Callable[[int, int], None]:
    """Return a function of what is done and what there is to do that writes :data:`PROGRESS`."""

    def tell(done: int, total: int) -> None:
        (out_dir / PROGRESS).write_text(f'{done:,} of {total:,} {things}')

    return tell
