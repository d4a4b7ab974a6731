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
from bids_app.report.person.scene import scenes_of
from bids_app.report.read import read_scans
from bids_app.scans.exclusion_list import read_list
from pipelines.interfaces._streamlines import save_streamlines
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
        'desc-mean_boldref': (900 * rng.uniform(0.8, 1.2, SHAPE)).astype(np.float32),
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
    write_diffusion(root / 'sub-01', rng)
    return root


def arc(side, number):
    """Return a streamline that bends forward on one side, 0.5 mm from point to point, mm."""
    turn = np.linspace(0, np.pi / 2, 60)
    across = np.full(60, side * (10 + 0.05 * number))
    return np.stack([across, 12 + 30 * np.sin(turn), -8 - 10 * np.sin(2 * turn)], 1).astype(np.float32)


def write_diffusion(person, rng):
    """Write anisotropy of two sessions, and the person's brain, regions and tracts."""
    stem = 'sub-01_space-ACPC'
    head = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - np.array(SHAPE) / 2, axis=-1) < 9
    for session in ('pre', 'post'):
        folder = person / f'ses-{session}' / 'dwi'
        folder.mkdir(parents=True)
        fa = (head * rng.uniform(0.1, 0.6, SHAPE)).astype(np.float32)
        own = f'{folder}/sub-01_ses-{session}_space-ACPC'
        nb.save(nb.Nifti1Image(fa, AFFINE), f'{own}_model-tensor_param-fa_dwimap.nii.gz')
        nb.save(nb.Nifti1Image(head.astype(np.uint8), AFFINE), f'{own}_desc-brain_mask.nii.gz')
    regions = np.zeros(SHAPE, np.uint8)
    regions[8:10, 15:17, 7:9], regions[8:10, 19:21, 7:9] = 1, 4
    nb.save(nb.Nifti1Image(regions, AFFINE), person / 'dwi' / f'{stem}_desc-regions_dseg.nii.gz')
    for name, side, count in (('L', -1, 400), ('R', 1, 0)):
        lines = [arc(side, number) for number in range(count)]
        path = person / 'dwi' / f'{stem}_bundle-NAcMPFC{name}_streamlines.trk'
        save_streamlines(path, lines, SHAPE, AFFINE)
        visits = rng.uniform(0, 0.5, SHAPE).astype(np.float32)
        nb.save(nb.Nifti1Image(visits, AFFINE), person / 'dwi' / f'{stem}_label-NAcMPFC{name}_probseg.nii.gz')


@pytest.fixture(scope='module')
def page(out):
    return assemble_report(out, '01')


def test_main_maps_of_a_run_are_shown_and_a_damaged_one_is_not(out, caplog):
    maps = maps_of(out, 'sub-01', read_scans(out, 'sub-01'))
    of_run = [own for own in maps if 'task' in own.key]
    assert [own.key.rpartition('-')[2] for own in of_run] == ['bold', 'regions', 'NAc', 'icc', 'alff']
    viewer = viewer_of(of_run)
    assert [key.rpartition('-')[2] for key in viewer.maps] == ['bold', 'regions', 'NAc', 'icc']
    assert list(viewer.brains) == ['viewer-brain-0']
    assert 'stat-alff_boldmap.nii.gz cannot be looked through' in caplog.text
    assert [drawn.threshold for drawn in viewer.maps.values()] == [1.0, 0.5, 0.2, 0.1]


def test_diffusion_lies_on_the_anisotropy_of_the_person(out):
    """Of both sessions on that of the first, for their space is one; maps of a run keep the template."""
    maps = maps_of(out, 'sub-01', read_scans(out, 'sub-01'))
    own = [shown for shown in maps if 'task' not in shown.key]
    assert [shown.title for shown in own] == [
        'session post: Fractional anisotropy',
        'session pre: Fractional anisotropy',
        'all sessions: Regions of the tract',
        'all sessions: Share of streamlines of NAcMPFCL',
        'all sessions: Share of streamlines of NAcMPFCR',
    ]
    assert {shown.beneath for shown in own} == {own[0].path}
    assert {shown.place for shown in own} == {'the anisotropy of the participant'}
    assert {shown.place for shown in maps if shown not in own} == {'the brain of the template'}
    viewer = viewer_of(maps)
    names = {key: json.loads(drawn.settings)['sprite'] for key, drawn in viewer.maps.items()}
    assert {names[shown.key] for shown in own} == {names[own[0].key]} != {names[maps[0].key]}
    assert set(viewer.brains) == set(names.values())
    assert len(set(viewer.brains.values())) == 2


def test_a_scene_has_few_lines_of_the_tracts_that_there_are(out):
    (scene,) = scenes_of(out, 'sub-01')
    assert scene.title == 'all sessions: tract in three dimensions'
    assert [part.title for part in scene.parts] == ['outline of the brain', 'regions', 'NAcMPFCL', 'NAcMPFCR']
    brain, regions, left, right = scene.parts
    assert (len(left.lines), right.lines) == (150, [])
    assert len({part.colour for part in scene.parts}) == 4
    for number, line in ((0, left.lines[0]), (399, left.lines[-1])):
        points = np.reshape(line, (-1, 3))
        assert len(points) == 25
        np.testing.assert_allclose(points[[0, -1]], arc(-1, number)[[0, -1]], atol=0.06)
    assert 300 < len(brain.dots) <= 7500
    x, y, _ = np.reshape(regions.dots, (-1, 3)).T
    assert x.min() >= -12.1
    assert set(y) == {8.0, 16.0, 40.0, 48.0}
    assert json.loads(scene.data)[2]['lines'] == left.lines
    assert len(scene.data) < 3e5


def test_damaged_streamlines_cost_no_page(out, tmp_path, caplog):
    shutil.copytree(out, tmp_path / 'out')
    path = next((tmp_path / 'out').rglob('*NAcMPFCL_streamlines.trk'))
    path.write_bytes(path.read_bytes()[:500])
    assert scenes_of(tmp_path / 'out', 'sub-01') == []
    assert 'NAcMPFCL_streamlines.trk cannot be looked through' in caplog.text
    assert 'data-scene=' not in assemble_report(tmp_path / 'out', '01').read_text()


def test_nothing_to_look_through(tmp_path):
    (tmp_path / 'sub-01').mkdir()
    assert maps_of(tmp_path, 'sub-01', read_scans(tmp_path, 'sub-01')) == []
    assert viewer_of([]) is None
    assert scenes_of(tmp_path, 'sub-01') == []
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
    picture = "document.querySelector('.look:not([hidden]) canvas').toDataURL()"
    seen = [shown.evaluate(picture)]
    for key in ('ArrowLeft', 'ArrowUp', '+', 'Home'):  # the last one is the tract: it has the focus
        shown.keyboard.press(key)
        seen.append(shown.evaluate(picture))
    assert len(set(seen[:4])) == 4
    assert seen[4] == seen[0]
    box = shown.locator('.look:visible canvas').bounding_box()
    assert box['width'] <= width
    shown.mouse.move(box['x'] + 100, box['y'] + 100)
    shown.mouse.down()
    shown.mouse.move(box['x'] + 160, box['y'] + 100)
    shown.mouse.up()
    assert shown.evaluate(picture) not in seen
    shown.select_option('select.maps', maps[0])
    before = shown.evaluate(picture)
    shown.locator('.look:visible .brain').focus()
    shown.keyboard.press('PageUp')
    assert shown.evaluate(picture) != before
    shown.check('#ratings fieldset:nth-of-type(2) input[value="exclude"]')
    shown.fill('#ratings fieldset:nth-of-type(2) input[type="text"]', 'moved "a lot"')
    with shown.expect_download() as saved:
        shown.click('#ratings button')
    saved.value.save_as(tmp_path / 'exclude.json')
    (left_out,) = read_list(tmp_path / 'exclude.json')
    assert left_out[:4] == ('sub-01', 'ses-pre', 'bold', 'moved "a lot"')
    assert problems == []
    assert shown.evaluate('document.documentElement.scrollWidth') == width
