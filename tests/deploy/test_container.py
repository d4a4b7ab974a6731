"""The image, in Docker and Apptainer as users start it: read-only, any user, no network, little memory."""

import json
import os
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from bids_app import __version__
from tests.app.trial_data import write_expression, write_trial
from tests.sums import checksums

from .conftest import APPTAINER_USER, IMAGE, LIMIT, TAG, participant_results, run_plain
from .test_components import check_list

pytestmark = pytest.mark.container

REPOSITORY = Path(__file__).resolve().parents[2]
SAFE = ['--read-only', '--network', 'none', '--user', '12345:12345', '--cap-drop', 'ALL', '--tmpfs', '/tmp']
LARGEST = 1.55e9  # bytes; SimpleITK, which has the only N4 with wheels everywhere, is 0.27 of them


@pytest.fixture
def folder(tmp_path):
    """Return a folder that the user of the container may write to."""
    out = tmp_path / 'out'
    out.mkdir()
    for path in (out, *out.parents):
        if path.stat().st_uid == os.getuid() and path != Path('/'):
            path.chmod(path.stat().st_mode | (0o777 if path == out else 0o011))
    return out


def mounts(dataset, folder):
    return ['-v', f'{dataset}:/data:ro', '-v', f'{folder}:/out']


def test_size_and_labels(docker):
    about = json.loads(docker('image', 'inspect', IMAGE).stdout)[0]
    assert about['Size'] <= LARGEST
    assert about['Config']['User'] == 'clbpe'
    assert about['Config']['Entrypoint'] == ['clbpe']
    assert about['Config']['Labels']['org.opencontainers.image.version'] == __version__
    assert about['Config']['Healthcheck']['Test'] == ['CMD', 'clbpe', '--version']


def test_the_image_lists_what_it_holds(docker):
    done = docker('run', '--rm', *SAFE, '--entrypoint', 'cat', IMAGE, '/opt/clbpe/share/sbom.cdx.json')
    assert done.returncode == 0, done.stderr
    check_list(done.stdout, __version__)


@pytest.mark.parametrize('options', [[], SAFE], ids=['plain', 'safe'])
def test_version(docker, options):
    done = docker('run', '--rm', *options, IMAGE, '--version')
    assert (done.returncode, done.stdout) == (0, f'clbpe {__version__}\n'), done.stderr


def test_a_participant_gives_what_the_installation_gives(docker, dataset, plain, folder):
    words = ['/data', '/out', 'participant', '--participant-label', '01', '-d', '/data']
    done = docker('run', '--rm', *SAFE, *mounts(dataset, folder), IMAGE, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert participant_results(folder) == plain
    description = json.loads((folder / 'dataset_description.json').read_text())
    assert description['GeneratedBy'][0]['Container'] == {'Type': 'docker', 'Tag': TAG}
    again = docker('run', '--rm', *SAFE, *mounts(dataset, folder), IMAGE, *words)
    assert '0 processed, 1 already up to date' in again.stdout


@pytest.fixture
def trial(tmp_path, folder):
    """Return tables of a trial, and results of its participants in two folders: one for each installation."""
    bids, out = write_trial(tmp_path / 'trial', n=12, seeds=['NAc'])
    write_expression(bids).rename(bids / 'sets.gmt')
    shutil.copytree(out, folder, dirs_exist_ok=True)
    folder.chmod(0o777)
    return bids, out


def test_the_group_gives_what_the_installation_gives(docker, trial, folder, tmp_path):
    """All of it: tables, permutations compiled on a read-only file system, enrichment, mediation."""
    bids, out = trial
    words = ['group', '--sloppy', '--nprocs', '1', '--gene-sets']
    done = run_plain(bids, out, *words, bids / 'sets.gmt', '-w', tmp_path / 'work')
    assert done.returncode == 0, done.stderr
    done = docker(
        'run', '--rm', *SAFE, *mounts(bids, folder), IMAGE, '/data', '/out', *words, '/data/sets.gmt'
    )
    assert done.returncode == 0, done.stdout + done.stderr
    plain = group_results(out)
    assert group_results(folder) == plain
    assert {f'group/{name}.tsv' for name in ('outcomes', 'expression_enrichment', 'mediation')} <= set(plain)
    assert any(name.endswith('_statmap.nii.gz') for name in plain)


def group_results(root):
    """Return the checksums of what the group level wrote, but for what tells its command: page, record, log."""
    paths = [path for name in ('group', 'tpl-*') for folder in root.glob(name) for path in folder.rglob('*')]
    told = ('report.html', 'results.json')
    return checksums(root, [p for p in paths if 'log' not in p.parts and p.name not in told])


def test_the_group_of_cbrain_writes_into_none_of_its_inputs(docker, trial, folder):
    """The command of the descriptor as it is written; scans and results of participants are mounted read-only."""
    bids, out = trial
    line = json.loads((REPOSITORY / 'boutiques/cbrain_group.json').read_text())['command-line']
    for key, word in {
        'BIDS_DIR': '/data',
        'OUTPUT_DIR': 'derived',
        'RESULTS': '/in',
        'SLOPPY': '--sloppy',
    }.items():
        line = line.replace(f'[{key}]', word)
    line = re.sub(r'\[[A-Z_]+\]', '', line)
    places = [*mounts(bids, folder), '-v', f'{out}:/in:ro', '-w', '/out', '--entrypoint', 'sh']
    done = docker('run', '--rm', *SAFE, *places, IMAGE, '-c', line)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / 'derived/group/report.html').is_file()
    assert 'group/outcomes.tsv' in group_results(folder / 'derived')


def test_plans_for_what_the_container_has(docker):
    code = (
        'from bids_app.running.resources import *; print(available_cores(), round(available_memory_gb(), 3))'
    )
    done = docker(
        'run',
        '--rm',
        '-m',
        '2g',
        '--cpus',
        '1',
        *SAFE,
        '--entrypoint',
        '/opt/clbpe/bin/python',
        IMAGE,
        '-c',
        code,
    )
    assert done.stdout.split() == ['1', '1.8'], done.stderr


def test_stop_ends_the_run_in_time(docker, dataset, folder):
    """``docker stop`` sends SIGTERM to process 1 and waits ten seconds."""
    name = f'clbpe-{uuid.uuid4().hex[:8]}'
    words = [
        'run',
        '--name',
        name,
        *SAFE,
        *mounts(dataset, folder),
        IMAGE,
        '/data',
        '/out',
        'participant',
        '-d',
        '/data',
    ]
    process = subprocess.Popen(
        [docker.client, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert any('running' in line for line in process.stdout)
        began = time.monotonic()
        docker('stop', name)
        text, _ = process.communicate(timeout=60)
        assert time.monotonic() - began < 10
        assert process.returncode == 75
        assert 'stopped by SIGTERM; run the same command again to resume' in text
    finally:
        docker('rm', '--force', name)


def test_a_worker_without_memory_is_told(docker, dataset, folder):
    """The kernel ends the largest process of the container: a step, not the program."""
    words = ['/data', '/out', 'participant', '--participant-label', '01', '-d', '/data']
    done = docker(
        'run', '--rm', '-m', '300m', '--memory-swap', '300m', *SAFE, *mounts(dataset, folder), IMAGE, *words
    )
    assert done.returncode == 75, done.stdout + done.stderr
    assert re.search(r'sub-01, clbpe_wf\S+: a worker process was killed', done.stderr), done.stderr


def bosh_launch(*words, folder):
    program = shutil.which('bosh')
    if program is None:
        pytest.skip('bosh is not installed: pip install boutiques')
    # the descriptor names the image of the release; what is tested here is the image of this tree
    descriptor = json.loads((REPOSITORY / 'boutiques.json').read_text())
    descriptor['container-image']['image'] = IMAGE
    (folder / 'descriptor.json').write_text(json.dumps(descriptor))
    example = REPOSITORY / 'boutiques/example_participant.json'
    command = [program, 'exec', 'launch', *words, 'descriptor.json', example]
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=LIMIT)


def test_boutiques_launches_docker(docker, dataset, plain, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', f'{Path(docker.client).parent}:{os.environ["PATH"]}')
    shutil.copytree(dataset, tmp_path / 'data')
    done = bosh_launch('--no-pull', '--user', folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert participant_results(tmp_path / 'out') == plain


def test_apptainer_gives_what_the_installation_gives(image_file, shared, dataset, plain):
    for name in ('out', 'work'):
        (shared / name).mkdir()
        # Apptainer runs as another user here, who takes a work folder of nobody else
        os.chown(shared / name, APPTAINER_USER, APPTAINER_USER)
    shutil.copytree(dataset, shared / 'data')
    binds = f'{shared}/data:/data:ro,{shared}/out:/out,{shared}/work:/work'
    command = [
        'apptainer',
        'run',
        '--cleanenv',
        '--containall',
        '--net',
        '--network',
        'none',
        '--bind',
        binds,
    ]
    command += [
        str(image_file),
        '/data',
        '/out',
        'participant',
        '--participant-label',
        '01',
        '-d',
        '/data',
        '-w',
        '/work',
    ]
    done = subprocess.run(command, cwd=shared, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert participant_results(shared / 'out') == plain
    description = json.loads((shared / 'out' / 'dataset_description.json').read_text())
    assert description['GeneratedBy'][0]['Container']['Type'] == 'apptainer'


def test_boutiques_launches_apptainer(image_file, shared, dataset, plain, tmp_path, monkeypatch):
    """bosh asks for Apptainer by its old name."""
    (tmp_path / 'singularity').symlink_to(shutil.which('apptainer'))
    monkeypatch.setenv('PATH', f'{os.environ["PATH"]}:{tmp_path}')
    shutil.copytree(dataset, shared / 'data')
    os.link(image_file, shared / 'clbpe.sif')
    done = bosh_launch('--force-singularity', '--no-pull', '--imagepath', shared / 'clbpe.sif', folder=shared)
    assert done.returncode == 0, done.stdout + done.stderr
    assert participant_results(shared / 'out') == plain
