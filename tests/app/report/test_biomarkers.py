"""Biomarkers on the page: headings, order, and what is said where there are none."""

import pytest

from bids_app.report.trial import results
from bids_app.report.trial.absent import absent_parts
from bids_app.report.trial.flow import stages
from tests.app.group.shapes import PEOPLE, write_whole
from tests.app.group.test_biomarkers import CRP, IL6
from tests.app.phenotype.test_phenotype import tsv
from tests.app.report.test_shapes_report import recorded


def write(root):
    bids, path = write_whole(root, Biomarkers={'il6': IL6, 'crp': CRP})
    columns = [f'il6_{session}_{time}' for session in IL6['Sessions'] for time in IL6['Times']]
    tsv(
        bids / 'phenotype' / 'il6.tsv', [('participant_id', *columns), *((p, *range(20, 26)) for p in PEOPLE)]
    )
    tsv(bids / 'phenotype' / 'crp.tsv', [('participant_id', 'crp_02'), *((p, 3) for p in PEOPLE)])
    return bids, path


@pytest.fixture
def whole(tmp_path):
    return recorded(tmp_path, write)


def row(biomarker, arm, contrast, model='censored', treated='n/a', n='20'):
    return {
        'biomarker': biomarker,
        'model': model,
        'arm': arm,
        'treated': treated,
        'contrast': contrast,
        'n': n,
    }


ROWS = [
    row('il6', 'usual care', 'rest: six weeks - T0', n='9'), row('il6', 'yoga', 'rest: six weeks - T0', n='10'),
    row('il6', 'difference', 'rest: six weeks - T0', treated='yoga'),
    row('il6', 'difference', 'rest: six weeks - T0', treated='walking'),
    row('il6', 'n/a', 'n/a', model='lod_half'),
]  # fmt: skip


def test_comparisons_stand_first_under_the_arms_they_compare(whole):
    (il6,) = results.biomarkers(whole[0], {'biomarkers': ROWS})
    assert (il6.name, il6.title) == ('il6', 'Interleukin 6')
    (model, arms), (other, rest) = il6.models
    assert (model, other) == ('censored', 'lod_half')
    assert [heading for heading, _ in arms] == [
        'Difference between arms, yoga over usual care', 'Difference between arms, walking over usual care', 'yoga',
        'usual care',
    ]  # fmt: skip
    assert [heading for heading, _ in rest] == ['Not estimated']
    assert arms[1][1] == [ROWS[3]]


def test_one_without_results_is_named_with_its_reason(whole):
    parts = {part.part: part for part in absent_parts(*whole, {'biomarkers': ROWS}, has_maps=True)}
    assert parts['crp'].key == 'biomarkers'
    assert parts['crp'].reason == 'not supplied: no table was found'
    assert 'Interleukin 6' not in parts
    assert 'Interleukin 6 of walking' not in parts


def test_a_trial_without_biomarkers_says_so(tmp_path):
    parts = absent_parts(*recorded(tmp_path, write_whole), {}, has_maps=True)
    assert ('biomarkers', 'Biomarkers', 'not supplied: the trial file names none') in parts


def test_the_flow_counts_samples_and_who_is_analysed(whole):
    people = [
        {'participant_id': p, 'arm': 'yoga', 'visit': s, 'data': 'il6', 'status': status}
        for p, status in (('sub-01', 'analysed'), ('sub-04', 'missing')) for s in ('01_rest', '02_rest')
    ] + [{'participant_id': 'sub-04', 'arm': 'yoga', 'visit': '02', 'data': 'crp', 'status': 'analysed'}]  # fmt: skip
    found = {
        stage.name: dict(stage.arms[0])
        for stage in stages(whole[0], {'participants': people, 'biomarkers': ROWS})
    }
    assert found['Samples'] == {
        'Interleukin 6, all 2 samples': '1', 'Interleukin 6, at least one': '1', 'crp, at least one': '1',
    }  # fmt: skip
    assert found['Analysis'] == {'Interleukin 6': '10'}
