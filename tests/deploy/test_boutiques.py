"""The Boutiques descriptors: equal to the command line, valid, and they run a participant."""

import argparse
import importlib.machinery
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app import cli
from pipelines.params import GroupParams, MapParams

from .conftest import LIMIT, participant_results

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = {
    'boutiques/example_participant.json': 'boutiques.json',
    'boutiques/example_group.json': 'boutiques/group.json',
    'boutiques/example_cbrain.json': 'boutiques/cbrain.json',
    'boutiques/example_cbrain_group.json': 'boutiques/cbrain_group.json',
}


def load_generator():
    loader = importlib.machinery.SourceFileLoader('boutiques_script', str(REPOSITORY / 'scripts/boutiques'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


GENERATOR = load_generator()


def read(path):
    return json.loads((REPOSITORY / path).read_text())


@pytest.mark.parametrize('path', EXAMPLES.values())
def test_descriptors_are_current(path):
    text = (REPOSITORY / path).read_text()
    assert text == GENERATOR.written(GENERATOR.descriptors()[path]), 'run: scripts/boutiques'


def test_every_option_of_the_command_line_is_offered():
    offered = {entry['id']: entry for entry in read('boutiques.json')['inputs']}
    for action in cli.build_parser()._actions:
        if action.dest not in {*GENERATOR.LEFT_OUT, 'output_dir'}:
            assert action.dest in offered, action.dest
            if action.option_strings:
                assert offered[action.dest]['command-line-flag'] in action.option_strings
    # two kinds of output, words beside files, and datasets of a known name
    beside = 1 + len(GENERATOR.WORDS) + sum(map(len, GENERATOR.NAMED.values()))
    assert len(offered) == len(cli.build_parser()._actions) - len(GENERATOR.LEFT_OUT) + beside


@pytest.mark.parametrize('path', EXAMPLES.values())
def test_words_have_an_input_of_their_own_where_files_are_looked_for(path):
    """Both come with one flag, which adds up what it is given; else the words of one would hide the files."""
    offered = {entry['id']: entry for entry in read(path)['inputs']}
    for option, (words, _) in GENERATOR.WORDS.items():
        files = offered[option]
        assert (files['type'], offered[words]['type']) == ('File', 'String')
        assert files['command-line-flag'] == offered[words]['command-line-flag']
        assert files['value-key'] != offered[words]['value-key']
        (action,) = (action for action in cli.build_parser()._actions if action.dest == option)
        assert isinstance(action, argparse._ExtendAction)


def test_limits_are_those_of_the_parameters():
    offered = {entry['id']: entry for entry in read('boutiques.json')['inputs']}
    fields = MapParams.__dataclass_fields__ | GroupParams.__dataclass_fields__
    assert offered['fwhm']['maximum'] == fields['fwhm'].metadata['high'] == 20
    assert offered['n_permutations']['minimum'] == fields['n_permutations'].metadata['low'] == 100
    assert offered['n_permutations']['integer']
    assert not offered['fwhm']['integer']
    assert offered['denoising']['value-choices'] == ['acompcor', '24p', 'conn', 'gsr', 'none']
    assert 'maximum' not in offered['n_permutations']


def test_variants_offer_what_their_level_uses():
    group, single = (
        {e['id'] for e in read(f'boutiques/{name}.json')['inputs']} for name in ('group', 'cbrain')
    )
    assert 'trial' in group - single
    assert {'fwhm', 'n_streamlines'} <= single - group
    assert {'bids_dir', 'participant_label', 'sloppy'} <= single & group
    assert {'fmriprep', 'qsiprep'} <= single - group
    assert 'clbpe' in group


def test_cbrain_offers_nothing_that_its_users_cannot_reach():
    known = {action.dest for action in cli.build_parser()._actions}
    assert set(GENERATOR.UNREACHABLE) <= known
    for name in ('cbrain', 'cbrain_group'):
        assert not set(GENERATOR.UNREACHABLE) & {
            entry['id'] for entry in read(f'boutiques/{name}.json')['inputs']
        }


@pytest.mark.parametrize('name', ['cbrain', 'cbrain_group'])
def test_cbrains_modules_speak_of_inputs_and_outputs_that_are_there(name):
    described = read(f'boutiques/{name}.json')
    inputs, outputs = ({entry['id']: entry for entry in described[key]} for key in ('inputs', 'output-files'))
    modules = described['custom']['cbrain:integrator_modules']
    for module in ('BoutiquesFileTypeVerifier', 'BoutiquesFileNameMatcher'):
        assert set(modules.get(module, {})) <= {
            key for key, entry in inputs.items() if entry['type'] == 'File'
        }
    assert set(modules['BoutiquesInputCacheCleaner']) <= set(inputs)
    assert (
        set(modules['BoutiquesOutputCacheCleaner'])
        == set(modules['BoutiquesOutputFileTypeSetter'])
        == set(outputs)
    )
    source, pattern = modules['BoutiquesOutputFilenameRenamer']['output_dir']
    assert inputs[source]['type'] == 'File'
    assert '{task_id}' in inputs[pattern]['default-value']
    assert inputs[pattern]['value-key'] == outputs['output_dir']['path-template']
    assert 'work' in modules['BoutiquesPostProcessingCleaner']
    assert described['container-image']['index'] == 'docker://'
    assert described['custom']['cbrain:readonly-input-files']


def test_a_participant_of_cbrain_is_a_folder_with_a_label():
    modules = read('boutiques/cbrain.json')['custom']['cbrain:integrator_modules']
    pattern = modules['BoutiquesFileNameMatcher']['bids_dir']
    assert [bool(re.search(pattern, name)) for name in ('sub-01', 'sub-01_old', 'dataset')] == [
        True,
        False,
        False,
    ]
    assert modules['BoutiquesBidsSingleSubjectMaker']['subjects_input_id'] == 'participant_label'


def test_the_image_has_one_name_and_the_publisher_one_place(monkeypatch):
    known = {'image': 'registry.test/lab/clbpe', 'url': 'https://x.test', 'version': '1.2.3'}
    monkeypatch.setattr(GENERATOR, 'release', lambda: known)
    for described in GENERATOR.descriptors().values():
        assert described['container-image']['image'] == 'registry.test/lab/clbpe:1.2.3'
        assert described['tool-version'] == '1.2.3'
        assert described['url'] == 'https://x.test'
        assert described['author'] == 'CLBPE developers'


def test_the_group_of_cbrain_gathers_participants_and_writes_to_none(tmp_path):
    """The shell lines before the program: links in one folder, whatever the names."""
    for label in ('01', '02'):
        folder = tmp_path / f'out of {label}' / f'sub-{label}'
        folder.mkdir(parents=True)
        (folder / 'x.tsv').write_text(label)
        (folder.parent / 'dataset_description.json').write_text('{}')
    line = read('boutiques/cbrain_group.json')['command-line'].split('; clbpe ')[0]
    line = line.replace('[OUTPUT_DIR]', 'out').replace('[RESULTS]', "'out of 01' 'out of 02'")
    before = sorted(tmp_path.rglob('*'))
    subprocess.run(['sh', '-c', line], cwd=tmp_path, check=True)
    for label in ('01', '02'):
        gathered = tmp_path / 'results' / f'sub-{label}' / 'x.tsv'
        assert gathered.is_symlink()
        assert gathered.read_text() == label
    made = set(tmp_path.rglob('*')) - set(before)
    assert {path.relative_to(tmp_path).parts[0] for path in made} == {'out', 'work', 'results'}


def test_exit_statuses_are_told():
    codes = {entry['code']: entry['description'] for entry in read('boutiques.json')['error-codes']}
    assert sorted(codes) == [1, 2, 16, 17, 18, 65, 66, 73, 75]
    assert 'resumes' in codes[75]


@pytest.fixture(scope='session')
def bosh():
    """Return a function that runs Boutiques' own program."""
    found = shutil.which('bosh', path=str(Path(sys.executable).parent)) or shutil.which('bosh')
    if not found:
        pytest.skip('bosh is not installed: pip install boutiques')

    def run(*words, folder=REPOSITORY):
        return subprocess.run(
            [found, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=LIMIT
        )

    return run


@pytest.mark.boutiques
@pytest.mark.parametrize('path', EXAMPLES.values())
def test_descriptors_are_valid(bosh, path):
    """CBRAIN's form has one output folder, so it is no form of a BIDS App for ``-b``."""
    done = bosh('validate', *([] if 'cbrain' in path else ['-b']), path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith('OK')


@pytest.mark.boutiques
@pytest.mark.parametrize('example', EXAMPLES)
def test_examples_give_a_command_that_the_program_takes(bosh, example, tmp_path, monkeypatch):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'out').mkdir()
    path = REPOSITORY / EXAMPLES[example]
    done = bosh('exec', 'simulate', path, '-i', REPOSITORY / example, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith('mkdir -p '))
    words = shlex.split(line.split('; clbpe ')[1])
    monkeypatch.chdir(tmp_path)
    settings = cli.make_settings(words)
    if 'cbrain' in example:
        assert [name for name, _ in settings.derivatives] == ['clbpe' if 'group' in example else 'fmriprep']
    asked = read(example)
    assert settings.level == asked.get('analysis_level', 'group' if 'group' in example else 'participant')
    assert list(settings.participant_label) == asked.get('participant_label', [])
    assert settings.group.n_permutations == asked.get('n_permutations', GroupParams().n_permutations)
    assert settings.work_dir.name == 'work'
    assert (settings.bids_dir, settings.output_dir) == (tmp_path / 'data', tmp_path / 'out'), line


@pytest.mark.boutiques
@pytest.mark.parametrize('path', EXAMPLES.values())
def test_scans_are_left_out_by_files_and_by_words(bosh, path, tmp_path, monkeypatch):
    (tmp_path / 'moved people.tsv').write_text('participant_id\nsub-03\n')
    example = next(example for example, described in EXAMPLES.items() if described == path)
    asked = {'exclude': ['moved people.tsv'], 'exclude_scans': ['scans:qc=fail', 'scans:my note=bad; sad']}
    (tmp_path / 'asked.json').write_text(json.dumps({**read(example), **asked}))
    done = bosh('exec', 'simulate', REPOSITORY / path, '-i', 'asked.json', folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith('mkdir -p '))
    monkeypatch.chdir(tmp_path)
    settings = cli.make_settings(shlex.split(line.split('; clbpe ')[1]))
    assert settings.exclude == (str(tmp_path / 'moved people.tsv'), *asked['exclude_scans'])


@pytest.mark.boutiques
def test_the_descriptor_goes_to_other_platforms(bosh, tmp_path):
    words = ['--identifier', 'clbpe', REPOSITORY / 'boutiques.json', 'carmin.json']
    done = bosh('export', 'carmin', *words, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / 'carmin.json').read_text())['canExecute']


@pytest.mark.long
@pytest.mark.boutiques
def test_a_participant_runs_without_container(bosh, dataset, plain, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}:/usr/bin:/bin')
    (tmp_path / 'data').symlink_to(dataset)
    path, example = REPOSITORY / 'boutiques.json', REPOSITORY / 'boutiques/example_participant.json'
    done = bosh('exec', 'launch', '--no-container', path, example, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert participant_results(tmp_path / 'out') == plain
