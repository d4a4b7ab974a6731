"""The design of a run: what each preset removes, who is left out, what is counted, what is refused."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError, DegreesOfFreedomError
from pipelines.interfaces import design
from pipelines.interfaces.confounds_table import kept_volumes, left_out, read_confounds
from pipelines.numerics.seed import fisher_z_se
from pipelines.params import DenoiseParams

REAL = 'confounds/aomic-piop2/sub-{0}/func/sub-{0}_task-restingstate_acq-seq_desc-confounds_regressors'


def make(files, tmp_path, t_r=2.0, **params):
    return design.make_design(
        files.bold,
        files.confounds,
        DenoiseParams(**params),
        t_r,
        'run',
        confounds_metadata=files.metadata,
        out_dir=tmp_path,
    )


def edit(path, change):
    table = pd.read_csv(path, sep='\t', na_values=['n/a'])
    change(table).to_csv(path, sep='\t', index=False, na_rep='n/a')


def load(made):
    with np.load(made.operator) as archive:
        return dict(archive)


@pytest.mark.parametrize(('preset', 'dof'), [('acompcor', 56), ('24p', 54), ('gsr', 55), ('none', 78)])
def test_degrees_of_freedom_are_counted(tmp_path, write_run, preset, dof):
    """79 cosines in the band, one trend, and 22, 24, 23 or no confounds."""
    metadata = make(write_run(), tmp_path, denoising=preset).metadata
    assert metadata['DegreesOfFreedom'] == dof
    assert metadata['FisherZStandardError'] == pytest.approx(fisher_z_se(dof), abs=1e-6)
    assert metadata['Flags'] == []
    assert metadata['SecondsKept'] == 480


def test_conn_loses_more_than_its_rank(tmp_path, write_run):
    """Its filter is no projection: nu lies between the band less all confounds and the band."""
    assert 79 - 23 <= make(write_run(), tmp_path, denoising='conn').metadata['DegreesOfFreedom'] < 79


def test_operator_is_least_squares_on_the_written_design(tmp_path, write_run, rng):
    """Anyone can repeat the cleaning from the two tables: fit the design on the volumes kept."""
    files = write_run()
    edit(files.confounds, lambda t: t.assign(framewise_displacement=np.where(t.index % 50 == 7, 0.9, 0.1)))
    made = make(files, tmp_path)
    model = pd.read_csv(made.design, sep='\t').to_numpy()
    kept = pd.read_csv(made.outliers, sep='\t').sum(axis=1).to_numpy() == 0
    y = rng.standard_normal((240, 3))
    expected = y[kept] - model[kept] @ np.linalg.lstsq(model[kept], y[kept], rcond=None)[0]
    found = load(made)
    # the table has eight digits; the fit of 183 regressors magnifies them a little
    np.testing.assert_allclose(found['expand'] @ (found['reduce'] @ y), expected, atol=1e-5)
    np.testing.assert_array_equal(found['sample_mask'], kept)
    assert made.metadata['NLeftOut'] == {'non_steady_state': 0, 'motion': 5}


def test_frame_left_out_costs_one_degree_once(tmp_path, write_run):
    """A spike on a volume that is dropped anyway is not paid for twice."""
    files = write_run()
    spike = np.zeros(240)
    spike[30] = 1

    def change(table):
        table['framewise_displacement'] = np.where(spike > 0, 2.0, 0.1)
        return table.assign(cosine00=spike, non_steady_state_outlier00=spike)

    edit(files.confounds, change)
    assert make(files, tmp_path).metadata['DegreesOfFreedom'] == 56 - 1


def test_dummy_scans_override_the_table(tmp_path, write_run):
    files = write_run()
    edit(files.confounds, lambda t: t.assign(non_steady_state_outlier00=(t.index < 3).astype(int)))
    assert make(files, tmp_path).metadata['NKept'] == 237
    assert make(files, tmp_path, dummy_scans=5).metadata['NKept'] == 235
    assert make(files, tmp_path, dummy_scans=0).metadata['NKept'] == 240


@pytest.mark.parametrize(('preset', 'kept'), [('acompcor', 236), ('24p', 236), ('none', 240), ('conn', 240)])
def test_who_leaves_out_moving_volumes(tmp_path, write_run, preset, kept):
    files = write_run()
    edit(files.confounds, lambda t: t.assign(framewise_displacement=np.where(t.index % 60 == 1, 0.6, 0.1)))
    assert make(files, tmp_path, denoising=preset).metadata['NKept'] == kept
    assert make(files, tmp_path, denoising=preset, fd_threshold=0).metadata['NKept'] == 240


def test_conn_leaves_out_by_its_own_rule(tmp_path, write_run):
    """A step of 2 mm counts where it happens; a global jump too; a dummy volume is no jump."""
    files = write_run()

    def change(table):
        table.loc[100:, 'trans_y'] += 2.0
        table.loc[50, 'global_signal'] += 60
        table.loc[0, 'global_signal'] += 5000
        return table.assign(non_steady_state_outlier00=(table.index < 1).astype(int))

    edit(files.confounds, change)
    made = make(files, tmp_path, denoising='conn')
    outliers = pd.read_csv(made.outliers, sep='\t')
    assert np.flatnonzero(outliers['motion']).tolist() == [99, 100]
    assert np.flatnonzero(outliers['global_signal']).tolist() == [49, 50, 51]
    assert np.flatnonzero(outliers['non_steady_state']).tolist() == [0]


def test_flags_warn_of_little_data_and_much_motion(tmp_path, write_run):
    files = write_run(n_volumes=140)
    edit(files.confounds, lambda t: t.assign(framewise_displacement=0.6))
    flags = make(files, tmp_path, fd_threshold=0).metadata['Flags']
    assert flags == ['low_dof', 'short', 'high_motion']


def test_short_run_says_what_would_do(tmp_path, write_run):
    """The other preset and the open band are tried: 47 volumes less constant, trend and what lies below the band."""
    with pytest.raises(
        DegreesOfFreedomError,
        match=r'run: 47 of 47.*--low-pass 0 \(22 left\) or --denoising none .* \(44 left\)',
    ):
        make(write_run(n_volumes=47), tmp_path)
    with pytest.raises(DegreesOfFreedomError, match=r'with --low-pass 0 \(44 left\)\.$'):
        make(write_run(n_volumes=47), tmp_path, denoising='none')
    with pytest.raises(DegreesOfFreedomError, match='A longer scan is needed'):
        make(write_run(n_volumes=21), tmp_path)


def test_short_run_is_refused_with_its_numbers(tmp_path, write_run):
    says = r'100 of 100 volumes.*10 degrees of freedom.*20 are needed'
    with pytest.raises(DegreesOfFreedomError, match=says):
        make(write_run(n_volumes=100), tmp_path)
    assert not (tmp_path / 'design.tsv').exists()


@pytest.mark.parametrize('preset', ['acompcor', 'conn', 'none'])
def test_nothing_left_is_refused_not_divided_by(tmp_path, write_run, preset):
    with pytest.raises(DegreesOfFreedomError, match='0 of 60 volumes are kept and 0 degrees'):
        make(write_run(n_volumes=60), tmp_path, dummy_scans=60, denoising=preset)


def test_wrong_number_of_rows_names_both(tmp_path, write_run):
    files = write_run()
    edit(files.confounds, lambda t: t.iloc[:-2])
    with pytest.raises(DataError, match='238 rows, but the series has 240'):
        make(files, tmp_path)


@pytest.mark.parametrize(
    ('column', 'params', 'says'),
    [
        ('rot_y', {}, r'c.tsv lacks rot_y, which --denoising acompcor'),
        ('global_signal', {'denoising': 'gsr'}, r'lacks global_signal, which --denoising gsr'),
        ('global_signal', {'denoising': 'conn'}, r'lacks global_signal, which --denoising conn'),
        ('rot_y_power2', {'denoising': '24p'}, r'lacks rot_y_power2, which --denoising 24p'),
    ],
)
def test_missing_column_names_file_and_option(tmp_path, write_run, column, params, says):
    files = write_run()
    edit(files.confounds, lambda t: t.drop(columns=column))
    with pytest.raises(DataError, match=says):
        make(files, tmp_path, **params)


def test_gap_in_a_kept_row_is_an_error(tmp_path, write_run):
    """n/a of the first row is a derivative's; a later one would silently become 0."""
    files = write_run()
    edit(files.confounds, lambda t: t.assign(rot_x=t['rot_x'].where(t.index != 17)))
    with pytest.raises(DataError, match='rot_x has no number in row 18 of 240'):
        make(files, tmp_path)


def test_unreadable_tables_are_named(tmp_path, write_run):
    files = write_run()
    files.metadata.write_text('{')
    with pytest.raises(DataError, match=r'c.json is no valid JSON'):
        make(files, tmp_path)
    files.confounds.write_text('')
    with pytest.raises(DataError, match=r'c.tsv is no table'):
        make(files, tmp_path)


@pytest.mark.real
def test_art_leaves_out_what_it_does_in_real_runs(test_data):
    """ART leaves out 0, 0 and 2 volumes of these three (METHODS, section 2)."""
    found = []
    for folder in sorted((test_data / 'confounds/aomic-piop2').glob('sub-*')):
        path = Path(str(test_data / REAL.format(folder.name.removeprefix('sub-'))) + '.tsv')
        masks = left_out(read_confounds(path, 240), DenoiseParams(denoising='conn'), path)
        found.append(int(np.sum(~kept_volumes(masks))))
    assert found == [0, 0, 2]


@pytest.mark.real
@pytest.mark.parametrize('label', ['0001', '0002', '0003'])
def test_real_confounds_give_a_plausible_design(tmp_path, write_run, test_data, label):
    """Real tables of three people: components by tissue, moving volumes out, a full-rank rest."""
    found = sorted((test_data / 'confounds/aomic-piop2').glob('sub-*'))
    stem = str(test_data / REAL.format(found[int(label) - 1].name.removeprefix('sub-')))
    table = pd.read_csv(f'{stem}.tsv', sep='\t', na_values=['n/a'])
    about = json.loads(Path(f'{stem}.json').read_text())
    files = write_run()._replace(confounds=tmp_path / 'real.tsv', metadata=tmp_path / 'real.json')
    table.to_csv(files.confounds, sep='\t', index=False, na_rep='n/a')
    files.metadata.write_text(json.dumps(about))
    made = make(files, tmp_path)
    fd = table['framewise_displacement'].to_numpy()
    dummy = table.filter(like='non_steady_state').to_numpy().any(axis=1)
    assert made.metadata['NKept'] == 240 - np.sum((fd > 0.5) | dummy)
    assert made.metadata['MeanFD'] == pytest.approx(np.nanmean(fd))
    masks = [about[c]['Mask'] for c in made.metadata['Confounds'] if 'comp_cor' in c]
    assert (masks.count('WM'), masks.count('CSF')) == (5, 5)
    assert sum(c.startswith(('trans', 'rot')) for c in made.metadata['Confounds']) == 12
    factors = load(made)
    assert np.isfinite(factors['reduce']).all()
    np.testing.assert_allclose(
        factors['expand'].T @ factors['expand'], np.eye(len(factors['reduce'])), atol=1e-10
    )
    assert nb.load(files.bold).shape[3] == 240
