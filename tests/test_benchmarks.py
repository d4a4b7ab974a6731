"""Every benchmark runs on a tiny size and compares equal things; no time is asserted."""

import pytest

from .conftest import REPOSITORY


@pytest.fixture(scope='module', autouse=True)
def found():
    """Make the folder importable whatever the way pytest was started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY)
        yield


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    from benchmarks.chain import ours
    from benchmarks.data import write_run

    folder = tmp_path_factory.mktemp('bench')
    files = {key: str(path) for key, path in write_run(folder / 'run', 5.0, 160).items()}
    return files, folder / 'chain', ours(files, str(folder / 'chain'), write_denoised=True)


def test_intrinsic_connectivity_equals_brute_force():
    from benchmarks.intrinsic import compare

    found = compare(2000, 60, 2)
    assert found['error'] < 1e-5
    assert found['ratio'] > 0


def test_memory_is_measured_in_a_fresh_process():
    from benchmarks.fresh import call

    large = call('intrinsic.memory', n_voxels=60_000, n_volumes=100)['added']
    assert 0.02 < large < 0.2  # one copy of 24 MB and blocks


def test_chain_writes_every_step_and_agrees_with_nilearn(run, tmp_path):
    from benchmarks.chain import agreement, nilearn

    files, chain, found = run
    assert set(found['steps']) == {'design', 'regions', 'clean', 'seeds', 'intrinsic', 'written'}
    assert {path.name for path in chain.glob('*/*.nii.gz')} >= {
        'NAcL.nii.gz',
        'icc.nii.gz',
        'denoised.nii.gz',
    }
    assert agreement(files, str(chain))['cleaned'] > 0.999
    assert nilearn(files, str(chain), str(tmp_path), write_both=True)['seconds'] > 0
    assert len(list(tmp_path.glob('seed*.nii.gz'))) == 6
    assert {p.name for p in tmp_path.glob('*_bold.nii.gz')} == {'cleaned_bold.nii.gz', 'smoothed_bold.nii.gz'}


def test_twenty_seeds_are_mapped_from_what_is_read_once(run, tmp_path):
    from benchmarks.chain import SPHERES, circuit_of_spheres, ours

    files, _, few = run
    circuit = circuit_of_spheres()
    assert len(circuit.seeds) == 20
    found = ours(files, str(tmp_path), many=True)
    assert set(found['steps']) == set(few['steps']) - {'written'}
    assert len(list((tmp_path / 'seeds').glob('*.nii.gz'))) == 20
    assert [own.name for own in circuit.structures] == list(SPHERES)


def test_both_readers_are_timed(run):
    from benchmarks.chain import floor

    assert all(floor(run[0], reader)['seconds'] > 0 for reader in ('nibabel', 'ours'))


def test_one_participant_is_found_as_pybids_finds_it(tmp_path):
    from benchmarks import app

    assert app.make_skeleton(str(tmp_path / 'many'), 3)['files'] > 100
    one, everything = (find(str(tmp_path / 'many')) for find in (app.index_one, app.index_all))
    assert len(one['found']) == 4
    assert one['found'] == everything['found']


def test_commands_that_are_timed_are_valid(tmp_path, monkeypatch):
    from benchmarks import app
    from bids_app import cli
    from bids_app.simulated import cli as simulate

    asked = []
    monkeypatch.setattr(app, '_run', lambda *arguments: asked.append(arguments))
    assert app.help_page(1)['ratio'] > 0
    assert app.second_run(tmp_path, 4.0, 120)['ratio'] > 0
    assert simulate.parser().parse_args(asked[2][2:]).participants == 1
    assert cli.build_parser().parse_args(asked[3][2:]).analysis_level == 'participant'
    assert asked[3] == asked[4]


def test_table_is_written_between_the_markers(tmp_path, monkeypatch):
    from benchmarks import table

    page = tmp_path / 'README.md'
    page.write_text('before\n<!-- one -->\nold\n<!-- end -->\n<!-- two -->\nkept\n<!-- end -->\nafter\n')
    monkeypatch.setattr(table, 'README', page)
    table.write_table('one', [table.Row('this', '1 s', '2 s', '2', 'at least 3', False)])
    text = page.read_text()
    assert '| this | 1 s | 2 s | 2 | at least 3 | **missed** |' in text
    assert text.startswith('before\n')
    assert text.endswith('after\n')
    assert 'old' not in text
    assert '<!-- two -->\nkept' in text


def test_a_failed_command_says_why():
    from benchmarks import app

    with pytest.raises(RuntimeError, match='exit status 3'):
        app._run('-c', 'import sys; sys.exit(3)')


def test_memory_of_diffusion_is_that_of_its_steps(tmp_path):
    from benchmarks.diffusion import memory, write_large

    write_large(str(tmp_path), (20, 20, 16), 12)
    for step in ('prepare', 'resample', 'tensor'):
        assert memory(str(tmp_path), step)['peak'] > 0
    assert (tmp_path / 'tensor' / 'fa.nii.gz').is_file()


def test_many_people_are_started_and_analysed(tmp_path):
    from benchmarks.scale import draw, group, index, start

    found = {'start': [start(str(tmp_path / 'start'), 3)], 'group': [group(str(tmp_path / 'group'), 12)]}
    assert found['start'][0]['n'] == 3
    assert index(str(tmp_path / 'start'), 2)['seconds'] > 0
    assert 0.2 < found['group'][0]['page_mb'] < 2
    draw(found, tmp_path / 'scale.svg')
    assert 'people' in (tmp_path / 'scale.svg').read_text()


def test_a_straight_line_is_told_from_a_square():
    from benchmarks.__main__ import _is_linear

    line, square = ([{'n': n, 'seconds': 5 + (n / 100) ** power} for n in (500, 2000)] for power in (1, 2))
    assert _is_linear(line, 'seconds')
    assert not _is_linear(square, 'seconds')


@pytest.mark.parametrize(
    ('step', 'stage'),
    [
        ('sub-01 dwi ses-pre: track NAcL-mPFCL', 'dwi: track NAcL-mPFCL'),
        ('sub-01 ses-pre task-rest connectivity: clean', 'connectivity: clean'),
        ('sub-01 ses-pre task-rest: figures', 'figures'),
        ('voxelwise: arms', 'voxelwise: arms'),
    ],
)
def test_steps_of_people_and_visits_are_one_stage(step, stage):
    from benchmarks.trial import stage_of

    assert stage_of(step) == stage


def test_results_of_a_few_are_given_to_many(tmp_path):
    from benchmarks.trial import multiply

    out, many = tmp_path / 'out', tmp_path / 'many'
    for label in ('sub-01', 'sub-02'):
        path = out / label / 'ses-pre' / 'func' / f'{label}_ses-pre_task-rest_relmat.tsv'
        path.parent.mkdir(parents=True)
        path.write_text(label)
    (out / 'dataset_description.json').write_text('{}')
    multiply(out, many, 5)
    found = {path.name: path.read_text() for path in many.rglob('*.tsv')}
    assert found == {
        f'sub-{number:02d}_ses-pre_task-rest_relmat.tsv': f'sub-{2 - number % 2:02d}'
        for number in range(1, 6)
    }


def test_times_are_scaled_to_all_people():
    from benchmarks.trial import Ran, rows

    table = rows(Ran(600, 1000), Ran(300, 500), {'dwi: track': 800.0}, {'maps': 240.0})
    text = [row.line() for row in table]
    assert text[0].startswith('| participants, dwi: track | 47.5 min |')  # 800 x 57 / 8 / 2 / 60
    assert text[1].startswith('| group, maps | 2.0 min |')
    assert '| 76 min on the clock | 64 min of two cores |' in text[-1]  # 71.25 + 5 and half of (7125 + 500)
    assert table[-1].met
    assert not rows(Ran(600, 2000), Ran(300, 500), {}, {})[-1].met
