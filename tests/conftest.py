"""Shared fixtures: one ITK thread, the real data, what is made once for all processes."""

import os

os.environ.setdefault('ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS', '1')
os.environ.setdefault('NO_ET', '1')
os.environ.setdefault('TEMPLATEFLOW_AUTOUPDATE', 'off')
os.environ.setdefault('MPLBACKEND', 'Agg')

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from tests import damage
from tests.skips import Skips

REPOSITORY = Path(__file__).resolve().parents[1]

# the same damage in every run, or (``--hypothesis-profile long``) much more of it and new each time; a slow machine is no fault
_COMMON = settings(deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))
settings.register_profile('quick', _COMMON, derandomize=True, max_examples=120)
settings.register_profile('long', _COMMON, max_examples=2000)
settings.load_profile('quick')


def pytest_configure(config: pytest.Config) -> None:
    """Fail where tests are skipped that must not be."""
    if os.environ.get('CLBPE_NO_SKIPS') and not hasattr(config, 'workerinput'):
        config.pluginmanager.register(Skips())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long tests that nobody asked for, and put files with slow ones first.

    Each file goes to one process, and none is left alone with a slow one at the end.
    """
    if 'long' not in config.option.markexpr:
        left = [item for item in items if item.get_closest_marker('long')]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker('long')]
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Tell in the report how many damaged inputs a test had read."""
    before = damage.DRAWN[damage.INPUTS]
    try:
        yield
    finally:
        if drawn := damage.DRAWN[damage.INPUTS] - before:
            item.user_properties.append((damage.INPUTS, drawn))


@pytest.fixture(scope='session')
def test_data() -> Path:
    """Return the folder of real scans; skip where it is absent (CI refuses to skip)."""
    folder = Path(os.environ.get('CLBPE_TEST_DATA', REPOSITORY.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'real data not found in {folder}; set CLBPE_TEST_DATA')
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(20260101)


@pytest.fixture(scope='session')
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return a function that has a folder filled by one of the processes of a test run, for all of them to read.

    What it returns must not be written to: tests that change files copy them first.
    """
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if 'PYTEST_XDIST_WORKER' in os.environ else own) / 'once'
    root.mkdir(exist_ok=True)

    def fill(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / name, root / f'{name}.done'
        with FileLock(root / f'{name}.lock'):
            if not done.exists():
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return fill
