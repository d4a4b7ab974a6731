"""Files of the group level that grow with the trial."""

from pathlib import Path

from bids_app.outputs.group import BIOMARKERS, of_biomarkers, of_table
from pipelines.terms import BDNF_CONTRASTS, BIOMARKER_MODELS


def test_biomarkers_share_a_table_and_have_a_figure_each():
    planned = list(of_biomarkers(Path('out'), ['bdnf', 'il6']))
    assert [one.path.as_posix() for one in planned] == [
        'out/group/biomarkers.tsv',
        'out/group/figures/biomarker_bdnf.svg',
        'out/group/figures/biomarker_il6.svg',
    ]
    assert [one.row.output for one in planned[1:]] == ['biomarker_figure[0]', 'biomarker_figure[1]']
    assert {one.stage for one in planned} == {'biomarkers'}


def test_the_sidecar_of_biomarkers_has_every_word():
    planned = of_table(Path(), 'biomarkers', BIOMARKERS)
    columns = planned.row.fields
    assert set(columns['model']['Levels']) == set(BIOMARKER_MODELS)
    assert set(columns['contrast']['Levels']) == {*BDNF_CONTRASTS, 'level'}
    assert {'biomarker', 'arm', 'treated', 'contrast', 'ratio', 'n_censored'} <= set(columns)
