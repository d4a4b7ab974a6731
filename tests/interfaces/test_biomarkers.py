"""Biomarkers from their files: what is read is what the model gets, and each stands for itself."""

import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces.biomarkers import fit_samples
from pipelines.interfaces.tables import columns_text
from pipelines.interfaces.trial_figures import draw_samples
from pipelines.stats.biomarker import fit_biomarker
from pipelines.stats.biomarker_design import SampleLabel, SamplesDesign


def design_of(name, sessions, times, treated=('a',)):
    labels = [SampleLabel(name=f'{s}_{t}'.strip('_'), session=s, time=t) for s in sessions for t in times]
    return SamplesDesign(
        name=name, title=name.upper(), units='ng/ml', treated=treated, control='b', samples=tuple(labels)
    )


DESIGN = design_of('bdnf', ('s7', 's42'), ('pre', 'post'))


def samples_of(rng, design, n=14):
    rows = []
    for number in range(n):
        level = rng.normal(5, 0.3)
        for order, name in enumerate(design.names):
            value = round(float(np.exp(level + 0.3 * (order % 2) + rng.normal(0, 0.1))), 3)
            arm = design.arms[number % len(design.arms)]
            rows.append(
                (design.name, f'sub-{number:02d}', arm, name, value, 80.0, np.nan, '', np.nan, np.nan)
            )
    columns = [
        'biomarker', 'participant_id', 'arm', 'sample', 'value', 'lower', 'upper', 'censored', 'hemoglobin', 'hematocrit',
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def samples(rng):
    return samples_of(rng, DESIGN)


def fit(table, tmp_path, designs=(DESIGN,)):
    (tmp_path / 'samples.json').write_text(columns_text(table))
    found = fit_samples(tmp_path / 'samples.json', list(designs), out_dir=tmp_path).biomarkers
    table = pd.read_csv(found, sep='\t', na_values='n/a', keep_default_na=False)
    return table.set_index(['model', 'arm', 'contrast'])


def test_contrasts_are_those_of_the_model_called_alone(samples, tmp_path):
    samples.loc[3, ['value', 'censored']] = [np.nan, 'left']  # "< LOD" without a number
    found = fit(samples, tmp_path)
    alone = fit_biomarker(samples.fillna({'value': 80.0, 'upper': np.inf}), DESIGN).contrasts
    for row in alone.itertuples():
        own = found.loc[('censored', row.arm, row.contrast)]
        assert own['estimate'] == pytest.approx(row.estimate, rel=1e-8)
        assert own['ratio'] == pytest.approx(np.exp(row.estimate))
        assert own['n_censored'] == row.n_censored
    assert found.loc[('censored', 'difference', 'acute_s7'), 'n_censored'] >= 1
    assert {model for model, _, _ in found.index} == {'censored', 'lod_half'}


def test_lost_plasma_is_put_back(samples, tmp_path):
    """Haematocrit 44 to 47 %, haemoglobin 15 to 16: Dill and Costill's volume falls by the ratio below."""
    after = samples['sample'].str.endswith('post')
    full = samples.assign(hemoglobin=np.where(after, 16.0, 15.0), hematocrit=np.where(after, 47.0, 44.0))
    found = fit(full, tmp_path)
    ratio = (15 / 16) * (1 - 0.47) / (1 - 0.44)
    plain, corrected = (
        found.loc[(model, 'a', 'acute_s7'), 'estimate'] for model in ('censored', 'plasma_volume')
    )
    assert corrected - plain == pytest.approx(np.log(ratio), abs=1e-3)


def test_plasma_is_that_of_the_first_sample_of_each_session(rng, tmp_path):
    design = design_of('il6', ('w0', 'w6'), ('rest', '0h', '1h'))
    table = samples_of(rng, design).assign(lower=np.nan)
    loss = {'rest': (15.0, 44.0), '0h': (16.0, 47.0), '1h': (15.5, 45.0)}
    counts = table['sample'].str.split('_').str[1].map(loss)
    full = table.assign(hemoglobin=counts.str[0], hematocrit=counts.str[1])
    found = fit(full, tmp_path, [design])
    for time in ('0h', '1h'):
        contrast = f'w6: {time} - rest'
        plain, corrected = (found.loc[(m, 'a', contrast), 'estimate'] for m in ('censored', 'plasma_volume'))
        ratio = 15 / loss[time][0] * (100 - loss[time][1]) / (100 - 44)
        # every sample of a time is multiplied by one number
        assert corrected - plain == pytest.approx(np.log(ratio), abs=1e-6)


def test_one_sample_a_session_has_no_plasma_to_correct(rng, tmp_path):
    design = design_of('crp', ('w0', 'w6'), ('',))
    table = samples_of(rng, design).assign(hemoglobin=15.0, hematocrit=44.0)
    found = fit(table, tmp_path, [design])
    assert {model for model, _, _ in found.index} == {'censored', 'lod_half'}
    assert set(found.index.get_level_values('contrast')) == {'w6 - w0'}


def test_one_arm_is_labelled(samples, tmp_path):
    found = fit(samples[samples['arm'] == 'a'], tmp_path)
    assert found['flags'].eq('within_arm_not_randomised').all()
    assert {arm for _, arm, _ in found.index} == {'a'}


def test_a_model_that_cannot_be_fitted_says_why(samples, tmp_path):
    samples['value'] = 1.0
    found = fit(samples, tmp_path)
    row = found.loc['censored'].iloc[0]
    assert row['flags'] == 'not_estimated'
    assert 'within the limits of detection' in row['note']


def test_a_contrast_that_cannot_be_estimated_says_why(samples, tmp_path):
    samples.loc[samples['sample'] == 's42_post', 'value'] = 1.0
    found = fit(samples, tmp_path).loc['censored']
    row = found.loc[('a', 'acute_s42')]
    assert np.isnan(row['estimate'])
    assert (row['flags'], row['note']) == (
        'not_estimated', 'a, s42, post: none of 7 samples is within the limits of detection'
    )  # fmt: skip
    assert np.isfinite(found.loc[('difference', 'acute_s7'), 'estimate'])


def test_biomarkers_do_not_touch_each_other(samples, rng, tmp_path):
    other = design_of('crp', ('w0', 'w6', 'w12'), ('',), treated=('a', 'c'))
    bare = samples_of(rng, design_of('tnf', ('w0',), ('',))).assign(value=1.0)
    table = pd.concat([samples, samples_of(rng, other, n=18), bare])
    designs = [DESIGN, other, design_of('tnf', ('w0',), ('',))]
    found = fit(table, tmp_path, designs)
    alone = fit(samples, tmp_path)
    pd.testing.assert_frame_equal(found[found['biomarker'] == 'bdnf'], alone, check_dtype=False)
    crp = found[found['biomarker'] == 'crp'].loc['censored'].reset_index()
    assert crp.loc[crp['arm'] == 'difference', 'treated'].unique().tolist() == ['a', 'c']
    assert found[found['biomarker'] == 'tnf'].loc['censored', 'flags'].tolist() == ['not_estimated']
    figures = draw_samples(tmp_path / 'samples.json', [DESIGN], out_dir=tmp_path).biomarker_figure
    assert [path.name for path in figures] == ['biomarker_bdnf.svg']
