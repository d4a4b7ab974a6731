"""The command line: options from the parameter classes, exit codes, labels, messages."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app import cli
from bids_app.settings import Settings
from pipelines.errors import ClbpeError
from pipelines.params import MapParams, option_name

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / 'data' / 'sub-01').mkdir(parents=True)
    return tmp_path / 'data'


def settings_of(dataset, *words) -> Settings:
    return cli.make_settings([str(dataset), str(dataset.parent / 'out'), 'participant', *words])


def test_every_parameter_has_an_option():
    text = cli.build_parser().format_help()
    for _, parameters in cli.OPTION_GROUPS:
        for field in dataclasses.fields(parameters):
            assert option_name(field.name) in text
    assert cli.build_parser().parse_args(['a', 'b', 'participant']).fwhm == MapParams().fwhm


def test_help_imports_nothing_heavy():
    """Each of these takes longer to import than the whole help may take."""
    code = (
        'import sys; from bids_app.cli import build_parser; build_parser().format_help(); '
        'print([m for m in ("numpy", "nipype", "nibabel", "pandas", "SimpleITK", "bids") if m in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '[]'


def test_underscores_are_hyphens(dataset):
    assert settings_of(dataset, '--low_pass', '0.1', '--icc_mask=brain').denoise.low_pass == 0.1


def test_labels_lose_their_prefix_and_come_from_files(dataset, tmp_path):
    (tmp_path / 'labels.txt').write_text('sub-02\n03\n')
    settings = settings_of(
        dataset, '--participant-label', 'sub-01', str(tmp_path / 'labels.txt'), '--session-id', 'ses-pre'
    )
    assert settings.participant_label == ('01', '02', '03')
    assert settings.session_label == ('pre',)


def test_derivatives_are_named_or_take_their_folder(dataset):
    settings = settings_of(dataset, '-d', 'fmriprep=/x/y', '/data/xcp')
    assert settings.derivatives == (('fmriprep', Path('/x/y')), ('xcp', Path('/data/xcp')))


@pytest.mark.parametrize(
    ('words', 'code', 'says'),
    [
        (['{data}', '{out}', 'subject'], 17, 'participant, group'),
        (['{data}', '{out}', 'participant', '--fwhm', '-3'], 2, '--fwhm'),
        (['{data}', '{out}', 'participant', '--high-pass', '0.1', '--low-pass', '0.05'], 2, 'not below'),
        (['{data}', '{out}', 'participant', '--denoising', 'best'], 2, 'acompcor'),
        (['{data}', '{out}', 'participant', '--mem', 'lots'], 2, '16G'),
        (['{data}', '{out}'], 2, 'analysis_level'),
        (['{data}/absent', '{out}', 'participant'], 16, 'not a folder'),
        (['{data}', '{data}', 'participant'], 73, 'input dataset itself'),
        (['{data}', '{root}', 'participant'], 73, 'contains the input'),
        (['{data}', '{file}/out', 'participant'], 73, 'is a file'),
        (['{data}', '{out}', 'participant', '--participant-label', '99'], 18, 'which has 01'),
        (['{data}', '{out}', 'participant', '-d', '{parent}'], 16, 'fmriprep='),
        (['{data}', '{out}', 'participant', '-d', '{root}/none'], 16, 'not a folder'),
    ],
)
def test_bad_use_has_its_code_and_a_remedy(dataset, tmp_path, capsys, words, code, says):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'derivatives' / 'fmriprep' / 'sub-01').mkdir(parents=True)
    places = {
        'data': dataset, 'out': tmp_path / 'out', 'root': tmp_path, 'file': tmp_path / 'file',
        'parent': tmp_path / 'derivatives',
    }  # fmt: skip
    arguments = [word.format(**places) for word in words]
    work = ['-w', str(tmp_path / 'work')] if len(arguments) > 2 else []
    assert cli.main([*arguments, *work]) == code
    message = capsys.readouterr().err
    assert says in message
    assert 'Traceback' not in message
    assert not (tmp_path / 'out').exists()


def test_errors_have_distinct_documented_codes():
    codes = {kind.exit_code for kind in ClbpeError.__subclasses__()}
    assert codes == {2, 16, 17, 18, 65, 66, 73, 75}


def test_module_and_version():
    done = subprocess.run(
        [sys.executable, '-m', 'bids_app', '--version'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith('clbpe ')


def test_relative_paths_become_absolute(dataset, monkeypatch):
    """Nodes run in their own folders; a relative output would land there."""
    monkeypatch.chdir(dataset.parent)
    settings = cli.make_settings(['data', 'out', 'participant', '-d', 'fmriprep=data', '-w', 'work'])
    paths = (settings.bids_dir, settings.output_dir, settings.work_dir, settings.derivatives[0][1])
    assert all(path.is_absolute() for path in paths)
    assert settings.output_dir == dataset.parent / 'out'
