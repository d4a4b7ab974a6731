"""Why a file cannot be had: who may read it, where a link leads, what to do in which container."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import access
from pipelines.errors import MissingInputError, OutputError

SOMEBODY = 12345
ENGINES = ('APPTAINER_CONTAINER', 'SINGULARITY_CONTAINER', 'CLBPE_DOCKER_TAG', 'container')
PLAIN = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all']
"""Root without the right to pass over permissions: what any user is."""


def as_plain_user(*command, **options):
    """Run a command that permissions hold for, also where the tests are run by root."""
    if os.geteuid() == 0 and not shutil.which('setpriv'):
        pytest.skip('root passes over permissions, and setpriv is not here')
    words = [*(PLAIN if os.geteuid() == 0 else []), *map(str, command)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, **options)


def said(call, path):
    """Return what a function of the module says of a path to a user that permissions hold for."""
    code = (
        f'from pathlib import Path; from pipelines import access; print(access.{call}(Path({str(path)!r})))'
    )
    done = as_plain_user(sys.executable, '-c', code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch):
    for name in ENGINES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def closed(tmp_path):
    """Return a file in a folder that may not be entered."""
    folder = tmp_path / 'sub-01'
    folder.mkdir()
    (folder / 'bold.nii.gz').write_text('x')
    folder.chmod(0)
    yield folder / 'bold.nii.gz'
    folder.chmod(0o700)


def test_what_can_be_read_lacks_nothing(tmp_path):
    (tmp_path / 'file').write_text('')
    assert access.why_unreadable(tmp_path / 'file') is None
    assert access.why_unreadable(tmp_path) is None


def test_a_closed_folder_is_told_with_owner_and_mode(closed):
    text = said('why_unreadable', closed)
    assert text.startswith(f'{closed} cannot be read: the folder {closed.parent} belongs to ')
    assert 'mode d---------, and clbpe runs as ' in text
    # a number without a name where the machine does not know the user
    assert re.search(rf'clbpe runs as .*\b{os.geteuid()}\b', text)
    assert 'not here' not in text


def test_a_closed_folder_behind_a_link_is_the_one_that_is_told(closed):
    link = closed.parents[1] / 'link'
    link.symlink_to(closed.parent)
    assert f'the folder {closed.parent} belongs to' in said('why_unreadable', link / 'bold.nii.gz')


def test_a_closed_file_is_told(tmp_path):
    path = tmp_path / 'bold.nii.gz'
    path.write_text('x')
    path.chmod(0)
    assert f'the file {path} belongs to' in said('why_unreadable', path)


def test_in_docker_the_remedy_is_the_user(closed, monkeypatch):
    monkeypatch.setenv('CLBPE_DOCKER_TAG', 'clbpe:0.1.0')
    assert '--user "$(id -u):$(id -g)"' in said('why_unreadable', closed)
    monkeypatch.setenv('APPTAINER_CONTAINER', '/x.sif')  # there the user is the one outside
    assert '--user' not in said('why_unreadable', closed)


def test_a_folder_that_docker_made_is_told_before(tmp_path, monkeypatch):
    monkeypatch.setenv('CLBPE_DOCKER_TAG', 'clbpe:0.1.0')
    error = access.not_writable(Path('/proc/out'))
    assert isinstance(error, OutputError)
    assert error.exit_code == 73
    assert 'Make the folder before docker run does it as root.' in str(error)


def test_a_read_only_disk_is_not_a_matter_of_owners(monkeypatch):
    flags = os.statvfs_result((0,) * 8 + (os.ST_RDONLY, 0))
    monkeypatch.setattr(os, 'statvfs', lambda path: flags)
    assert 'read-only file system' in str(access.not_writable(Path('/absent/out')))


@pytest.mark.parametrize('kind', ['', 'docker'])
def test_a_link_out_of_the_container_says_which_folder_to_bind(tmp_path, monkeypatch, kind):
    if kind:
        monkeypatch.setenv('CLBPE_DOCKER_TAG', 'clbpe:0.1.0')
    (tmp_path / 'bold.nii.gz').symlink_to('/storage/trial/raw/bold.nii.gz')
    error = access.why_unreadable(tmp_path / 'bold.nii.gz')
    assert isinstance(error, MissingInputError)
    assert 'is a link to /storage/trial/raw/bold.nii.gz, which is not here' in str(error)
    bind = '-v /storage/trial/raw:/storage/trial/raw:ro, apptainer run --bind /storage/trial/raw'
    assert (bind in str(error)) == bool(kind)


def test_content_of_an_annex_is_fetched_where_the_annex_is_here(tmp_path, monkeypatch):
    monkeypatch.setenv('CLBPE_DOCKER_TAG', 'clbpe:0.1.0')
    (tmp_path / '.git').mkdir()
    (tmp_path / 'bold.nii').symlink_to('.git/annex/objects/Xx/key')
    text = str(access.why_unreadable(tmp_path / 'bold.nii'))
    assert text.endswith('Fetch it (datalad get).')


def test_content_of_an_annex_outside_asks_for_the_whole_dataset(tmp_path, monkeypatch):
    monkeypatch.setenv('CLBPE_DOCKER_TAG', 'clbpe:0.1.0')
    (tmp_path / 'bold.nii').symlink_to('/project/bids/.git/annex/objects/Xx/key')
    text = str(access.why_unreadable(tmp_path / 'bold.nii'))
    assert 'bind /project/bids, the dataset whose .git holds the content,' in text


def test_a_link_in_a_folder_that_is_here_is_not_told_to_be_bound(tmp_path, monkeypatch):
    monkeypatch.setenv('CLBPE_DOCKER_TAG', 'clbpe:0.1.0')
    (tmp_path / 'bold.nii').symlink_to(tmp_path / 'gone.nii')
    assert 'bind' not in str(access.why_unreadable(tmp_path / 'bold.nii'))


@pytest.mark.parametrize(
    ('variables', 'kind'),
    [
        ({}, None),
        ({'CLBPE_DOCKER_TAG': 'x'}, 'docker'),
        ({'CLBPE_DOCKER_TAG': 'x', 'container': 'podman'}, 'podman'),
        ({'CLBPE_DOCKER_TAG': 'x', 'APPTAINER_CONTAINER': '/x.sif'}, 'apptainer'),
        ({'SINGULARITY_CONTAINER': '/x.sif'}, 'apptainer'),
    ],
)
def test_containers_are_told_apart(monkeypatch, variables, kind):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert access.container_type() == kind
