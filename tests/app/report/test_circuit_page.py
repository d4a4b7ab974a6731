"""Pages of any number of regions: the pairs that were asked for, tables that fold, one table per tract."""

import json
import re

import pytest

from bids_app.report.person import results
from bids_app.report.person.page import assemble_report
from bids_app.report.read import read_scans
from pipelines.terms import circuit_of_labels
from tests.app.report.test_report import table
from tests.app.report.test_report_tract import rows, write_tract
from tests.app.trial_data import TRACT_COLUMNS

SCAN = 'sub-02_ses-pre_task-rest'


def write_regions(root, names, pairs=None):
    """Write a matrix whose value is 0.01 times the sum of the numbers of its regions, and their quality."""
    labels = [
        label for name in names for label in ([f'{name}L', f'{name}R', name] if name.islower() else [name])
    ]
    folder = root / 'sub-02' / 'ses-pre' / 'func'
    start = f'{SCAN}_space-S_atlas-Custom123456'
    values = [[0.01 * (a + b) if a != b else 'n/a' for b in range(len(labels))] for a in range(len(labels))]
    table(
        folder / f'{start}_stat-fisherz_relmat.tsv',
        [['node', *labels], *([own, *row] for own, row in zip(labels, values))],
    )
    columns = ['region', 'n_voxels', 'coverage', 'tsnr', 'signal_ratio', 'flags']
    flags = ['dropout' if label == 'amgL' else 'n/a' for label in labels]
    table(
        folder / f'{start}_coverage.tsv',
        [columns, *([label, 9, 1, 50, 1, flag] for label, flag in zip(labels, flags))],
    )
    told = {'Regions': {'Pairs': pairs}} if pairs is not None else {}
    facts = {'DegreesOfFreedom': 102, 'Flags': [], **told}
    (folder / f'{SCAN}_desc-denoise_qc.json').write_text(json.dumps(facts))
    return circuit_of_labels(labels)


def html_of(root):
    return assemble_report(root, '02').read_text(encoding='utf-8')


def estimates_of(root):
    (scan,) = read_scans(root, 'sub-02')
    return results.estimates(scan)


def test_the_pairs_that_were_asked_for_on_every_side(tmp_path):
    write_regions(tmp_path, ['nac', 'amg', 'PAG'], [['nac', 'amg'], ['amg', 'PAG']])
    found = [(e.of.pair, e.of.side, e.of.first, e.of.second) for e in estimates_of(tmp_path)]
    assert found == [
        ('nac–amg', 'Both sides', 'nac', 'amg'), ('nac–amg', 'Left', 'nacL', 'amgL'), ('nac–amg', 'Right', 'nacR', 'amgR'),
        ('amg–PAG', 'Both sides', 'amg', 'PAG'), ('amg–PAG', 'Left', 'amgL', 'PAG'), ('amg–PAG', 'Right', 'amgR', 'PAG'),
    ]  # fmt: skip
    assert [round(e.z, 2) for e in estimates_of(tmp_path)] == [0.07, 0.03, 0.05, 0.11, 0.09, 0.1]


@pytest.mark.parametrize('pairs', [None, [], [['gone', 'nac']], 'nac'])
def test_without_pairs_that_are_there_all_are_shown(tmp_path, pairs):
    write_regions(tmp_path, ['nac', 'PAG', 'DRN'], pairs if pairs != 'nac' else [])
    assert list(dict.fromkeys(e.of.pair for e in estimates_of(tmp_path))) == ['nac–PAG', 'nac–DRN', 'PAG–DRN']
    assert [e.of.side for e in estimates_of(tmp_path) if e.of.pair == 'PAG–DRN'] == ['Midline']


def test_a_page_of_few_regions_names_them(tmp_path):
    write_regions(tmp_path, ['nac', 'PAG'])
    page = html_of(tmp_path)
    assert 'Connectivity between nac and PAG' in page
    assert (
        '<summary>'
        not in page.split('id="function"')[1].split('Quality of the regions')[1].split('</table>')[0]
    )


def test_a_page_of_twenty_regions_folds_and_links_no_more_pictures(tmp_path):
    names = [f'r{letter}' for letter in 'abcdefghijklmnopqrst']
    write_regions(tmp_path, names)
    page = html_of(tmp_path)
    assert 'Connectivity of 20 regions' in page
    assert '<summary>Connectivity of 190 pairs</summary>' in page
    assert '<summary>60 regions, 0 of them flagged</summary>' in page
    assert len(re.findall('<img', page)) == 0
    assert not re.search('<details[^>]* open[^>]*>\\s*<summary>Connectivity of 190', page)


def test_flagged_regions_are_counted_where_the_table_folds(tmp_path):
    write_regions(tmp_path, ['nac', 'amg', 'ins', 'hip', 'PAG'])
    page = html_of(tmp_path)
    assert '<summary>13 regions, 1 of them flagged</summary>' in page


def test_tracts_of_several_pairs_have_a_table_each(tmp_path):
    write_tract(tmp_path, rows('pre'))
    folder = tmp_path / 'sub-02' / 'dwi'
    table(
        folder / 'sub-02_bundle-NAcPAG_scalarstats.tsv', [TRACT_COLUMNS, *rows('pre', 'L', 'few_streamlines')]
    )
    (folder / 'sub-02_bundle-NAcPAG_scalarstats.json').write_text('{"Ends": ["NAc", "PAG"], "Flags": []}')
    (scan,) = [scan for scan in read_scans(tmp_path, 'sub-02') if scan.tracts]
    assert [own.pair for own in scan.tracts] == ['NAc–mPFC', 'NAc–PAG']
    page = html_of(tmp_path)
    assert page.count('<summary>Tract ') == 2
    assert 'NAc–PAG tract' in page
    assert 'tract NAc–PAG: session pre left'.lower() in page.lower()
