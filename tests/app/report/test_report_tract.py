"""The tract in the participant report: its value, its limits, and why there is none."""

import json
from pathlib import Path

import pytest

from bids_app.report import assemble_report
from bids_app.report.person import tract as results
from bids_app.report.person.sections import FIGURES
from bids_app.report.read import TractRecord, read_scans
from bids_app.report.words import FILTERS
from pipelines.terms import FLAGS
from tests.app.report.test_report import browser, page_of, png, table, write_record, write_run  # noqa: F401
from tests.app.trial_data import TRACT_COLUMNS

FA = {'L': 0.41, 'R': 0.39, 'B': 0.4}
STAGES = {'Seeds': 120000, 'Accepted': 1003, 'Kept': 981}
SIDECAR = {
    'NumberOfDirections': 64,
    'BValues': [0, 1000],
    'StepSize': 0.5,
    'FodModel': 'CSD',
    'SusceptibilityDistortionCorrection': 'none',
    'Tracking': {'L': {'NAcToMPFC': STAGES, 'MPFCToNAc': {**STAGES, 'Kept': 42}}},
    'Ends': ['NAc', 'mPFC'],
    'Flags': ['no_sdc', 'novelty'],
}


def rows(session: str, missing: str = '', flags: str = 'n/a') -> list[list]:
    """Return the rows of one session; the sides in ``missing`` have no value and the flags."""
    found = []
    for hemi, fa in FA.items():
        is_missing = hemi in missing
        for method, param, value in (
            ('weighted', 'fa', fa),
            ('weighted', 'md', 0.00074),
            ('streamline', 'fa', fa + 0.01),
        ):
            shown = 'n/a' if is_missing else value
            mark = flags if is_missing else 'n/a'
            found.append([session, hemi, method, param, shown, 31 if is_missing else 1934, 43.2, 2310, mark])
    return found


def write_tract(root: Path, values: list[list], *, session: str = '', **changes: object) -> None:
    prefix = f'sub-02_ses-{session}' if session else 'sub-02'
    folder = root / 'sub-02' / (f'ses-{session}' if session else '') / 'dwi'
    table(folder / f'{prefix}_bundle-NAcMPFC_scalarstats.tsv', [TRACT_COLUMNS, *values])
    sidecar = {**SIDECAR, **changes}
    (folder / f'{prefix}_bundle-NAcMPFC_scalarstats.json').write_text(json.dumps(sidecar))
    (folder / f'{prefix}_bundle-NAcMPFC_desc-profile_scalarstats.json').write_text('{"Flags": ["wrong"]}')
    table(folder / f'{prefix}_bundle-NAcMPFC_desc-profile_scalarstats.tsv', [['session_id'], ['pre']])
    for spec in FIGURES:
        if spec.suffix == 'dwi':
            png(root / 'sub-02' / 'figures' / f'{prefix}_desc-{spec.desc}_dwi.png')


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return derivatives of a tract in two sessions; the second has no right side."""
    root = tmp_path / 'derivatives'
    missing = rows('post', 'RB', 'few_streamlines')
    write_tract(root, [*missing, *rows('pre')])
    write_record(root)
    return root


def scan_of(dataset: Path) -> TractRecord:
    return next(own for scan in read_scans(dataset, 'sub-02') for own in scan.tracts)


class TestRows:
    def test_sessions_and_sides_are_in_order(self, dataset: Path) -> None:
        found = [(row.session, row.side) for row in results.rows(scan_of(dataset))]
        sides = ['Both sides', 'Left', 'Right']
        assert found == [(f'session {session}', side) for session in ('pre', 'post') for side in sides]

    def test_values_are_those_of_their_method(self, dataset: Path) -> None:
        row = results.rows(scan_of(dataset))[1]
        assert (row.fa, row.streamline_fa, row.md) == (0.41, pytest.approx(0.42), 0.00074)
        assert (row.n, row.length, row.volume) == (1934, 43.2, 2310)

    def test_missing_is_never_zero_and_has_its_reason(self, dataset: Path) -> None:
        missing = [row for row in results.rows(scan_of(dataset)) if row.reason]
        assert [row.side for row in missing] == ['Both sides', 'Right']
        for row in missing:
            assert row.fa is None
            assert row.reason.startswith('fewer than 50 streamlines')

    def test_reason_from_the_sidecar_or_none(self, tmp_path: Path) -> None:
        write_tract(tmp_path, rows('pre', 'L'), Flags=['region_outside', 'low_lmax'])
        (missing,) = [row for row in results.rows(scan_of(tmp_path)) if row.reason]
        assert missing.reason == FLAGS['region_outside'].title
        write_tract(tmp_path, rows('pre', 'L'), Flags=[])
        (missing,) = [row for row in results.rows(scan_of(tmp_path)) if row.reason]
        assert missing.reason == 'no reason was recorded'

    def test_no_sessions(self, tmp_path: Path) -> None:
        write_tract(tmp_path, rows('n/a'))
        assert {row.session for row in results.rows(scan_of(tmp_path))} == {'all sessions'}

    @pytest.mark.parametrize('label', ['n/a', 'pre', 'ses-pre'])
    def test_a_tract_of_its_own_in_each_session(self, tmp_path: Path, label: str) -> None:
        write_tract(tmp_path, rows(label), session='pre')
        write_tract(tmp_path, rows('post'), session='post')
        scans = [own for scan in read_scans(tmp_path, 'sub-02') for own in scan.tracts]
        titles = [{row.session for row in results.rows(scan)} for scan in scans]
        assert titles == [{'session pre'}, {'session post'}]

    def test_other_sidecars_stay_apart(self, dataset: Path) -> None:
        scan = scan_of(dataset)
        assert scan.tracking['Flags'] == ['no_sdc', 'novelty']
        assert 'Flags' not in next(iter(read_scans(dataset, 'sub-02'))).facts

    def test_sessions_without_a_tract(self, tmp_path: Path) -> None:
        png(tmp_path / 'sub-02/figures/sub-02_ses-pre_desc-mask_dwi.png')
        (scan,) = read_scans(tmp_path, 'sub-02')
        assert scan.tracts == results.flags([scan]) == []


class TestFurtherMaps:
    @pytest.fixture
    def measured(self, tmp_path: Path) -> Path:
        further = [
            [session, hemi, 'weighted', name, value, 1934, 43.2, 2310, mark]
            for session in ('pre', 'post')
            for hemi in 'LRB'
            for name, value, mark in (
                ('fwfa', 0.512345, 'n/a'),
                ('icvf', 0.6 if session == 'pre' else 'n/a', 'n/a' if session == 'pre' else 'no_map:icvf'),
            )
        ]
        write_tract(tmp_path, [*rows('pre'), *rows('post'), *further], Flags=['no_map:icvf'])
        return tmp_path

    def test_they_have_rows_of_their_own(self, measured: Path) -> None:
        found = results.further(scan_of(measured))
        assert len(found) == 12
        assert found[0] == ('session pre', 'Left', 'FA of tissue beside free water', 0.512345, [])
        assert found[7] == ('session post', 'Left', 'icvf', None, ['no_map:icvf'])

    def test_a_map_that_is_missing_limits_no_other_value(self, measured: Path) -> None:
        for row in results.rows(scan_of(measured)):
            assert (row.flags, row.reason) == ([], '')
        (note,) = results.flags(read_scans(measured, 'sub-02'))
        assert (note.what, note.where) == ('no_map:icvf', 'tract, all sessions')

    def test_the_page_shows_them_folded(self, measured: Path) -> None:
        page = page_of(measured).text
        assert 'Further maps along the tract' in page
        assert '0.5123' in page
        assert 'no_map:icvf' in page

    def test_without_any_nothing_is_said(self, dataset: Path) -> None:
        assert results.further(scan_of(dataset)) == []
        assert 'Further maps' not in page_of(dataset).text


class TestWords:
    def test_counts_of_each_direction(self, dataset: Path) -> None:
        first, second = results.counts(scan_of(dataset))
        assert first == ('Left', 'from NAc to mPFC', '120,000', '1,003', '981')
        assert (second.direction, second.kept) == ('from mPFC to NAc', '42')

    @pytest.mark.parametrize('tracking', [None, [], {'L': None}, {'L': {'NAcToMPFC': None}}])
    def test_damaged_counts(self, tmp_path: Path, tracking: object) -> None:
        write_tract(tmp_path, rows('pre'), Tracking=tracking)
        assert {count.seeds for count in results.counts(scan_of(tmp_path))} <= {'n/a'}
        assert page_of(tmp_path).text

    def test_facts_have_units_and_no_gaps(self, dataset: Path) -> None:
        known = dict(results.facts(scan_of(dataset)))
        assert known['Step'] == '0.5 mm'
        assert known['Diffusion weighting (b-values)'] == '0, 1000 s/mm²'
        assert 'Normalisation' not in known

    def test_flags_name_side_and_session_once(self, dataset: Path) -> None:
        found = {flag.what: flag for flag in results.flags(read_scans(dataset, 'sub-02'))}
        assert set(found) == {'few_streamlines', 'no_sdc', 'novelty'}
        assert found['few_streamlines'].where == 'tract: session post right'
        assert found['no_sdc'].where == 'tract, all sessions'
        assert found['novelty'].text == 'novelty'

    def test_a_flag_of_a_side_is_not_repeated_for_all(self, tmp_path: Path) -> None:
        write_tract(tmp_path, rows('pre', 'L', 'budget'), Flags=['budget'])
        assert [flag.where for flag in results.flags(read_scans(tmp_path, 'sub-02'))] == [
            'tract: session pre left'
        ]

    @pytest.mark.parametrize(
        ('method', 'said', 'beside'),
        [
            ('none', 'was not corrected', 'not corrected'),
            (None, 'It is not recorded', 'not recorded'),
            ('reverse phase encoding', 'was corrected (reverse phase encoding)', ''),
        ],
    )
    def test_susceptibility(self, tmp_path: Path, method: object, said: str, beside: str) -> None:
        write_tract(tmp_path, rows('pre'), SusceptibilityDistortionCorrection=method)
        scan = scan_of(tmp_path)
        assert said in results.susceptibility(scan)
        assert beside in results.caution(scan)
        assert bool(results.caution(scan)) is bool(beside)

    def test_diffusivity_in_thousandths(self) -> None:
        assert [FILTERS['thousandths'](value) for value in ('0.00074', 'n/a')] == ['0.740', 'n/a']


class TestPage:
    def test_the_value_stands_at_the_top(self, dataset: Path) -> None:
        text = page_of(dataset).text
        top = text[: text.index('Files that were found')]
        assert 'NAc–mPFC tract FA = 0.400 (both sides; left 0.410; right 0.390)' in top
        assert 'FA: n/a (both sides; left 0.410; right n/a)' in top
        assert 'There is no value: fewer than 50 streamlines' in top
        assert '1 diffusion scan with the tract’s FA' in top
        assert 'FA = 0.000' not in text

    def test_limits_come_before_the_value(self, dataset: Path) -> None:
        text = page_of(dataset).text
        assert text.index('Tract: session post right') < text.index('FA = 0.400')
        assert text.index('no correction of distortion') < text.index('FA = 0.400')

    def test_everything_that_was_promised_is_there(self, dataset: Path) -> None:
        text = page_of(dataset).text
        for part in (
            'No functional connectivity',
            '0.740',
            '1934',
            '43.2',
            '2310',
            'No FA, session post, right: fewer than 50 streamlines',
            'FA covaries with the length of streamlines below 100 mm',
            'Distortion by magnetic susceptibility was not corrected',
            '120,000',
            'from mPFC to NAc',
            'Model of fibre directions',
        ):
            assert part in text, part

    def test_figures_have_captions_in_order(self, dataset: Path) -> None:
        html = assemble_report(dataset, '02').read_text(encoding='utf-8')
        part = html[html.index('id="diffusion-sub-02"') :]
        places = [part.index(f'<h4>{spec.title}') for spec in FIGURES if spec.suffix == 'dwi']
        assert places == sorted(places)

    def test_structure(self, dataset: Path) -> None:
        page = page_of(dataset)
        ids = [a['id'] for _, a in page.elements if 'id' in a]
        assert len(ids) == len(set(ids))
        assert all('scope' in attributes for attributes in page.all('th'))
        assert all(len(attributes['alt']) > 30 for attributes in page.all('img'))

    def test_both_modalities(self, dataset: Path) -> None:
        write_run(dataset, 'pre')
        text = page_of(dataset).text
        assert 'z = 0.31' in text
        assert 'FA = 0.400' in text
        assert 'No functional connectivity' not in text

    def test_chosen_tracking_is_shown_with_its_name(self, dataset: Path) -> None:
        write_record(dataset, 'z', started='2027', parameters={'diffusion': {'n_streamlines': 1000}})
        chosen = page_of(dataset).text.split('What was chosen')[1].split('Inputs')[0]
        assert '1000' in chosen
        assert len(chosen.split()) > 1

    def test_text_from_files_is_never_code(self, tmp_path: Path) -> None:
        evil = '<script>alert(1)</script>'
        write_tract(tmp_path, rows('pre', 'L', evil), Flags=[evil], Normalization=evil, FodModel={evil: evil})
        assert evil not in assemble_report(tmp_path, '02').read_text(encoding='utf-8')

    @pytest.mark.parametrize('width', [1280, 390])
    def test_opens_without_error_request_or_sideways_scrolling(
        self,
        browser,  # noqa: F811
        dataset: Path,
        width: int,
    ) -> None:
        page, problems = browser.new_page(viewport={'width': width, 'height': 844}), []
        page.on('console', lambda message: problems.append(message.text))
        page.on('pageerror', lambda error: problems.append(str(error)))
        page.on('requestfailed', lambda request: problems.append(request.url))
        page.goto(assemble_report(dataset, '02').as_uri())
        page.wait_for_timeout(200)
        assert problems == []
        assert page.evaluate('document.documentElement.scrollWidth') == width
