"""A small simulated dataset, and what the plain installation makes of it."""

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from bids_app import __version__
from bids_app.simulated.cli import main as simulate
from tests.sums import checksums

LIMIT = 900  # s, for one run on a crowded machine
TAG = 'clbpe:' + __version__.replace('+', '-')
IMAGE = os.environ.get('CLBPE_IMAGE', TAG)
APPTAINER_USER = 12345

# whoever chooses a kernel of OpenBLAS does so here alone: a container is not told, and its last bits would differ
for _name in [name for name in os.environ if name.startswith('OPENBLAS_')]:
    del os.environ[_name]


def run_plain(*words, **options):
    """Run the command line of this installation and return the finished process."""
    command = [sys.executable, '-m', 'bids_app', *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, **options)


def participant_results(folder):
    """Return the checksums of what depends on the data alone: not records, nor files that tell paths and times."""
    paths = folder.rglob('sub-*')
    return checksums(folder, [p for p in paths if 'log' not in p.parts and p.suffix != '.html'])


@pytest.fixture(scope='session')
def dataset(once):
    """Return a dataset in fMRIPrep's layout: two people, one session, 4 mm; all processes of a test run share it."""

    def make(folder):
        options = ['--participants', '2', '--sessions', 'pre', '--voxel-size', '4']
        assert simulate([str(folder / 'data'), *options]) == 0

    return once('deploy', make) / 'data'


@pytest.fixture(scope='session')
def plain(dataset, once):
    """Return the checksums of what this installation writes for the first participant."""

    def make(folder):
        options = ['--participant-label', '01', '-d', dataset, '-w', folder / 'work']
        done = run_plain(dataset, folder / 'out', 'participant', *options)
        assert done.returncode == 0, done.stderr

    return participant_results(once('plain', make) / 'out')


def of_person(sums, label):
    """Return the checksums of one participant's files."""
    return {name: digest for name, digest in sums.items() if name.startswith(f'sub-{label}/')}


@pytest.fixture(scope='session')
def docker():
    """Return a function that runs Docker's client; skip where there is no engine or no image."""
    client = next((p for p in ('/usr/bin/docker', shutil.which('docker')) if p and Path(p).exists()), None)
    if client is None:
        pytest.skip('no Docker client here')

    def run(*words, **options):
        command = [client, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, **options)

    for words, reason in (
        (['info'], 'no Docker engine answers'),
        (['image', 'inspect', IMAGE], f'no image {IMAGE}'),
    ):
        if run(*words).returncode:
            pytest.skip(reason)
    run.client = client
    return run


@pytest.fixture(scope='session')
def image_file():
    """Return the image of Apptainer; skip where there is none."""
    found = os.environ.get('CLBPE_SIF')
    if not found or not shutil.which('apptainer'):
        pytest.skip('no image for Apptainer: set CLBPE_SIF, and have apptainer on the path')
    return Path(found)


@pytest.fixture
def shared(tmp_path_factory, monkeypatch, image_file):
    """Return an empty folder beside the image, where Apptainer may read and write."""
    folder = image_file.parent / f'run-{uuid.uuid4().hex[:8]}'
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)
