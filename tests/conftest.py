"""Shared fixtures: one ITK thread, the real data, frozen arrays."""

import os

os.environ.setdefault('ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS', '1')
os.environ.setdefault('NO_ET', '1')
os.environ.setdefault('TEMPLATEFLOW_AUTOUPDATE', 'off')
os.environ.setdefault('MPLBACKEND', 'Agg')

from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


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
