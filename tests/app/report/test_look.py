"""Looking through a participant's maps, and ratings that --exclude takes."""

import json
import os
import shutil
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from bids_app.report.person.look import maps_of, rated, viewer_of
from bids_app.report.person.page import assemble_report
from bids_app.report.person.results import halves
from bids_app.report.read import read_scans
from bids_app.scans.exclusion_list import read_list
from pipelines.terms import default_circuit
from tests.app.trial_data import AFFINE, SHAPE, SPACE

LABELS = list(default_circuit().regions)


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    """Return one person with a run, its maps, halves and a tract of two sessions; one map is damaged."""
    root = tmp_path_factory.mktemp('look')
    func, dwi = root / 'sub-01' / 'ses-pre' / 'func', root / 'sub-01' / 'dwi'
    func.mkdir(parents=True), dwi.mkdir()
    stem = f'{func}/sub-01_ses-pre_task-rest'
    facts = {'NKept': 180, 'DegreesOfFreedom': 66, 'Flags': [], 'ICCNoiseFloor': 0.1}
    (func / 'sub-01_ses-pre_task-rest_desc-denoise_qc.json').write_text(json.dumps(facts))
    for end, z in (('', 0.4), ('_desc-half1', 0.5), ('_desc-half2', 0.1)):
        rows = ['\t'.join(['node', *LABELS]), *('\t'.join([a, *[str(z)] * len(LABELS)]) for a in LABELS)]
        path = f'{stem}_space-{SPACE}_atlas-A_stat-fisherz{end}_relmat.tsv'
        Path(path).write_text('\n'.join(rows) + '\n')
    rng = np.random.default_rng(1)
    dseg = np.zeros(SHAPE, np.uint8)
    dseg[8:12, 12:16, 8:11] = 3
    images = {
        'desc-regions_dseg': dseg,
        'seg-NAc_stat-fisherz_boldmap': rng.normal(0, 0.4, SHAPE).astype(np.float32),
        'seg-NAcL_stat-fisherz_boldmap': rng.normal(0, 0.4, SHAPE).astype(np.float32),
        'stat-icc_boldmap': rng.uniform(0, 0.5, SHAPE).astype(np.float32),
        'stat-alff_boldmap': rng.uniform(0, 2, SHAPE).astype(np.float32),
    }
    for name, data in images.items():
        nb.save(nb.Nifti1Image(data, AFFINE), f'{stem}_space-{SPACE}_{name}.nii.gz')
    damaged = func / f'sub-01_ses-pre_task-rest_space-{SPACE}_stat-alff_boldmap.nii.gz'
    damaged.write_bytes(damaged.read_bytes()[:200])
    rows = 'session_id\themi\tmethod\tparam\tvalue\npre\tB\tweighted\tfa\t0.4\npost\tB\tweighted\tfa\t0.4\n'
    (dwi / 'sub-01_bundle-NAcMPFC_scalarstats.tsv').write_text(rows)
    (dwi / 'sub-01_bundle-NAcMPFC_scalarstats.json').write_text('{}')
    return root


@pytest.fixture(scope='module')
def page(out):
    return assemble_report(out, '01')


def test_main_maps_of_a_run_are_shown_and_a_damaged_one_is_not(out, caplog):
    maps = maps_of(out, 'sub-01', read_scans(out, 'sub-01'))
    assert [own.key.rpartition('-')[2] for own in maps] == ['regions', 'NAc', 'icc', 'alff']
    viewer = viewer_of(maps)
    assert [key.rpartition('-')[2] for key in viewer.maps] == ['regions', 'NAc', 'icc']
    assert 'stat-alff_boldmap.nii.gz cannot be looked through' in caplog.text
    assert next(iter(viewer.maps.values())).threshold == 0.5


def test_nothing_to_look_through(tmp_path):
    (tmp_path / 'sub-01').mkdir()
    assert maps_of(tmp_path, 'sub-01', read_scans(tmp_path, 'sub-01')) == []
    assert viewer_of([]) is None
    html = assemble_report(tmp_path, '01').read_text()
    assert 'id="look"' not in html
    assert 'id="rate"' not in html


def test_sessions_of_both_modalities_are_rated(out):
    found = [(own.session, own.modality) for own in rated(read_scans(out, 'sub-01'))]
    assert found == [('ses-post', 'dwi'), ('ses-pre', 'bold'), ('ses-pre', 'dwi')]


def test_halves_differ_by_more_than_noise_or_not(out):
    """SE of the run is 1 / sqrt(64), of the difference of halves twice that: 1.96 x 0.25 = 0.49 is above 0.4."""
    (scan,) = [own for own in read_scans(out, 'sub-01') if own.relmat]
    found = halves(scan)
    assert [half.of.side for half in found] == ['Both sides', 'Left', 'Right']
    assert all((half.first, half.second, half.is_noise) == (0.5, 0.1, True) for half in found)
    certain = scan._replace(facts={**scan.facts, 'DegreesOfFreedom': 150})
    assert not any(half.is_noise for half in halves(certain))
    assert halves(scan._replace(halves=[])) == []


def test_the_page_tells_of_halves_and_stays_small(page):
    assert 'The same in each half of the run' in page.read_text()
    assert page.stat().st_size < 15e6


@pytest.fixture(scope='module')
def browser():
    found = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser')
    if not found:
        pytest.skip('no Chromium found; set CHROMIUM to its path')
    playwright = pytest.importorskip('playwright.sync_api')
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=['--no-sandbox', '--disable-gpu'])
        yield opened
        opened.close()


@pytest.mark.parametrize('width', [1280, 390])
def test_viewer_and_ratings_work_without_a_network(browser, page, tmp_path, width):
    context = browser.new_context(
        viewport={'width': width, 'height': 844}, offline=True, accept_downloads=True
    )
    shown = context.new_page()
    problems = []
    shown.on('console', lambda message: message.type == 'error' and problems.append(message.text))
    shown.on('pageerror', lambda error: problems.append(str(error)))
    shown.goto(page.as_uri())
    maps = shown.eval_on_selector_all('select.maps option', 'all => all.map((one) => one.value)')[1:]
    for key in maps:
        shown.select_option('select.maps', key)
        shown.wait_for_selector(f'[id="{key}"] canvas')
        assert shown.locator('.look:visible').count() == 1
    before = shown.evaluate("document.querySelector('.look:not([hidden]) canvas').toDataURL()")
    shown.locator('.look:visible .brain').focus()
    shown.keyboard.press('PageUp')
    assert shown.evaluate("document.querySelector('.look:not([hidden]) canvas').toDataURL()") != before
    shown.check('#ratings fieldset:nth-of-type(2) input[value="exclude"]')
    shown.fill('#ratings fieldset:nth-of-type(2) input[type="text"]', 'moved "a lot"')
    with shown.expect_download() as saved:
        shown.click('#ratings button')
    saved.value.save_as(tmp_path / 'exclude.json')
    (left_out,) = read_list(tmp_path / 'exclude.json')
    assert left_out[:4] == ('sub-01', 'ses-pre', 'bold', 'moved "a lot"')
    assert problems == []
    assert shown.evaluate('document.documentElement.scrollWidth') == width
