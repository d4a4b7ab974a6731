"""Commands of the pages that install, pasted as they are written: into real engines, and into a stand-in where there are none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app.simulated.cli import main as simulate
from tests.pasted import blocks, filled, part

from .conftest import APPTAINER_USER, IMAGE, LIMIT, participant_results

REPOSITORY = Path(__file__).resolve().parents[2]
START, APPTAINER, DEPLOY = 'docs/start.md', 'examples/apptainer.md', 'docs/deploy.md'

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / '.git').exists(), reason='the first command clones a repository'
)

STAND_IN = """#!{python}
# docker and apptainer without engines: what is built is remembered, what is run is the plain installation under the host's names
import os, sys
from pathlib import Path
words, known = sys.argv[1:], Path(__file__).with_name('images')
after = lambda *names: [b for a, b in zip(words, words[1:]) if a in names]
if words[0] == 'build' and Path(sys.argv[0]).name == 'docker':
    known.open('a').writelines(name + chr(10) for name in after('-t', '--tag'))
elif words[0] == 'save':
    assert words[1] in known.read_text().split(), words[1] + ' was not built'
    Path(after('-o')[0]).touch()
elif words[0] == 'build':
    assert Path(words[2].removeprefix('docker-archive:')).exists(), words[2]
    Path(words[1]).touch()
else:
    binds = [bind.split(':')[:2] for given in after('-v', '-B', '--bind') for bind in given.split(',')]
    assert all(Path(host).is_dir() for host, _ in binds), binds
    at = words.index('/data') - 1
    assert Path(words[at]).exists() or words[at] in known.read_text().split(), words[at] + ' is no image'
    def outside(word):
        name, equals, path = word.rpartition('=')
        found = [host + path[len(inside):] for host, inside in binds if (path + '/').startswith(inside + '/')]
        return name + equals + (found + [path])[0]
    os.execv(sys.executable, [sys.executable, '-m', 'bids_app', *map(outside, words[at + 1:])])
"""
DOCKER = """#!/bin/sh
# the image of this tree is built already: to build is to give it the names that are asked for
if [ "$1" = build ]; then
    while [ $# -gt 0 ]; do case $1 in -t | --tag) {client} tag {image} "$2" || exit ;; esac; shift; done
else
    {client} "$@" || exit
    if [ "$1" = save ]; then chmod a+r clbpe.tar; fi
fi
"""
MKDIR = '#!/bin/sh\n/bin/mkdir "$@" && shift && exec chown {user}:{user} "$@"\n'
"""Apptainer runs as another user here, who takes a work folder of nobody else."""


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def paste(commands, folder, programs):
    """Have a shell run commands in a folder, with other programs before those of the system."""
    return subprocess.run(
        ['bash', '-eo', 'pipefail', '-c', commands], cwd=folder, capture_output=True, text=True, timeout=LIMIT,
        env={**os.environ, 'PATH': f'{programs}{os.pathsep}{os.environ["PATH"]}'},
    )  # fmt: skip


@pytest.fixture
def stand_in(tmp_path):
    for name in ('docker', 'apptainer'):
        program(tmp_path / 'programs', name, STAND_IN.format(python=sys.executable))
    return tmp_path / 'programs'


@pytest.fixture
def real_docker(docker, tmp_path):
    program(tmp_path / 'programs', 'docker', DOCKER.format(client=docker.client, image=IMAGE))
    return tmp_path / 'programs'


def lay(dataset, folder):
    """Put preprocessed scans where the page has them."""
    shutil.copytree(dataset, folder / 'bids/derivatives/fmriprep')
    shutil.copy(dataset / 'dataset_description.json', folder / 'bids')


@pytest.fixture(scope='session')
def raw(once):
    """Return raw scans of one person."""

    def make(folder):
        words = [
            '--layout',
            'raw',
            '--participants',
            '1',
            '--sessions',
            'pre',
            '--modalities',
            'bold',
            '--voxel-size',
            '6',
        ]
        assert simulate([str(folder / 'data'), *words]) == 0

    return once('deploy_raw', make) / 'data'


def values(sums):
    """Return checksums but for sidecars, which name the dataset."""
    return {name: digest for name, digest in sums.items() if not name.endswith('.json')}


def installed_by_docker():
    (block,) = blocks(START, 'With Docker')
    return filled(block, REPOSITORY=REPOSITORY)


def installed_by_apptainer():
    (block,) = blocks(START, 'With Apptainer')
    save = 'docker save clbpe -o clbpe.tar'
    assert save in part((REPOSITORY / START).read_text(), 'With Apptainer')
    return f'{save}\n{block}'


def check_results(done, folder, plain):
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / 'results/sub-02.html').is_file()
    found = values(participant_results(folder / 'results'))
    assert {name: found.get(name) for name in values(plain)} == values(plain)


@pytest.mark.long
def test_the_page_of_installation_is_pasted_without_engines(dataset, plain, stand_in, tmp_path):
    lay(dataset, tmp_path)
    check_results(paste(installed_by_docker(), tmp_path, stand_in), tmp_path, plain)
    shutil.rmtree(tmp_path / 'results')
    check_results(paste(installed_by_apptainer(), tmp_path, stand_in), tmp_path, plain)


@pytest.mark.container
def test_the_page_of_installation_is_pasted_into_docker(dataset, plain, real_docker, tmp_path):
    lay(dataset, tmp_path)
    check_results(paste(installed_by_docker(), tmp_path, real_docker), tmp_path, plain)


@pytest.mark.container
@pytest.mark.long
def test_the_page_of_installation_is_pasted_into_apptainer(shared, dataset, plain, docker, real_docker):
    assert docker('tag', IMAGE, 'clbpe').returncode == 0
    program(real_docker, 'mkdir', MKDIR.format(user=APPTAINER_USER))
    lay(dataset, shared)
    check_results(paste(installed_by_apptainer(), shared, real_docker), shared, plain)


def examples(page, heading, folder):
    """Return commands with the folders of a site, and the run as a dry one: the scans are raw."""
    text = ''.join(blocks(page, heading)[: None if page == APPTAINER else 1])
    for name in ('/project', '/scratch'):
        text = text.replace(f'{name}/', f'{folder}{name}/')
    return text.replace('--work-dir /work\n', '--work-dir /work --dry-run\n')


def check_dry_run(done):
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'sub-01' in done.stdout


@pytest.mark.parametrize(('page', 'heading'), [(APPTAINER, None), (DEPLOY, 'Docker')])
def test_examples_are_pasted_without_engines(raw, stand_in, tmp_path, page, heading):
    shutil.copytree(raw, tmp_path / 'project/bids')
    check_dry_run(paste(examples(page, heading, tmp_path), tmp_path, stand_in))


@pytest.mark.container
def test_examples_are_pasted_into_docker(raw, real_docker, tmp_path):
    shutil.copytree(raw, tmp_path / 'project/bids')
    check_dry_run(paste(examples(DEPLOY, 'Docker', tmp_path), tmp_path, real_docker))


@pytest.mark.container
def test_examples_are_pasted_into_apptainer(raw, shared, image_file, tmp_path):
    shutil.copytree(raw, shared / 'project/bids')
    os.link(image_file, shared / 'clbpe.sif')
    program(tmp_path / 'programs', 'mkdir', MKDIR.format(user=APPTAINER_USER))
    # how the image is made is pasted by the page of installation
    _, run = blocks(APPTAINER)
    assert run in examples(APPTAINER, None, '').replace(' --dry-run', '')
    commands = examples(APPTAINER, None, shared)
    check_dry_run(paste(commands[commands.index('mkdir') :], shared, tmp_path / 'programs'))


def test_a_stand_in_knows_what_was_not_built(stand_in, tmp_path):
    """The page without the line that builds, and with a folder that nobody made, ends with an error."""
    (tmp_path / 'bids').mkdir()
    lines = installed_by_docker().splitlines(keepends=True)
    unbuilt = ''.join(line for line in lines if 'scripts/image' not in line and 'git' not in line)
    (stand_in / 'images').touch()
    assert 'clbpe is no image' in paste(unbuilt, tmp_path, stand_in).stderr
    unmade = ''.join(
        line for line in lines if 'mkdir' not in line and 'git' not in line and 'scripts' not in line
    )
    shutil.rmtree(tmp_path / 'results')
    assert 'AssertionError' in paste(unmade, tmp_path, stand_in).stderr
