"""Have ``pipelines`` and ``bids_app`` imported from where this package lies: their names are common ones.

A folder of such a name beside a notebook, a ``PYTHONPATH``, or the project ``pipelines`` of PyPI would be imported in
their place, or in part, and end in an error that says nothing.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

OURS = ('pipelines', 'bids_app')
HOME = Path(__file__).resolve().parents[1]


def settle(home: Path = HOME) -> None:
    """Import our packages from their own folder; what is imported already must be ours.

    Raises
    ------
    ImportError
        Another project's package is in the place of one of ours; says which, where, and what to do.

    """
    for name in OURS:
        if name not in sys.modules:
            load(name, home)
        check(sys.modules[name], home)


def load(name: str, home: Path) -> None:
    """Import a package from a folder, whatever else has its name on Python's path."""
    spec = PathFinder.find_spec(name, [str(home)])
    if spec is None or spec.loader is None:
        raise ImportError(f'clbpe: there is no package "{name}" in {home}; install clbpe again')
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def check(module: ModuleType, home: Path) -> None:
    """Refuse a package that is not ours."""
    name, place = module.__name__, Path(getattr(module, '__file__', None) or '(no file)')
    if getattr(module, 'DISTRIBUTION', None) == 'clbpe' and place.resolve().is_relative_to(home):
        return
    raise ImportError(
        f'clbpe: the package "{name}" that Python has imported, {place}, is not that of clbpe but another project\'s of the '
        f'same name. If it was installed (pip list), install clbpe into an environment of its own; if it is a folder of '
        f'yours, import clbpe before it, or rename it.'
    )
