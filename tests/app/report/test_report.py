"""The participant report: what it says, that it stands alone, and that it can be read by everyone."""

import base64
import io
import json
import os
import re
import shutil
import unicodedata
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bids_app.report import assemble_report, write_methods
from bids_app.report.methods import BIBLIOGRAPHY, cited_keys, read_bibliography, render_methods
from bids_app.report.page import parameters
from bids_app.report.person.page import embed, scan_facts
from bids_app.report.person.results import doubtful_places, estimates, flags, pooled, susceptibility
from bids_app.report.person.sections import CHAPTERS, FIGURES
from bids_app.report.read import RunRecord, ScanRecord, entities_and_suffix, read_record, read_scans
from pipelines.errors import MissingInputError
from pipelines.terms import FLAGS, default_circuit

REPOSITORY = Path(__file__).resolve().parents[3]
LABELS = list(default_circuit().regions)
VOID = {'meta', 'link', 'img', 'input', 'br', 'hr', 'line', 'rect'}


class Page(HTMLParser):
    """Collect elements, and check that every element is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ('style', 'script'):
            self.texts.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return ' '.join(' '.join(self.texts).split())


def png(path: Path, width: int = 60, height: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.linspace(0, 255, width).astype(np.uint8) * np.ones((height, 1), np.uint8)
    Image.fromarray(grey).convert('RGB').save(path)


def table(path: Path, rows: list[list]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join('\t'.join(map(str, row)) for row in rows) + '\n', encoding='utf-8')


def write_run(root: Path, session: str, *, run: int = 1, z: float = 0.31, dof: float = 102.0) -> str:
    """Write the derivatives of one run: tables, sidecars, figures."""
    prefix = f'sub-02_ses-{session}_task-rest_run-{run}'
    func = root / 'sub-02' / f'ses-{session}' / 'func'
    stem = f'{prefix}_space-MNI152NLin6Asym_atlas-HarvardOxford'
    matrix = [[z if a != b else 'n/a' for b in LABELS] for a in LABELS]
    table(
        func / f'{stem}_stat-fisherz_relmat.tsv',
        [['node', *LABELS], *([a, *row] for a, row in zip(LABELS, matrix))],
    )
    quality = [
        [label, 100, *((0.42, 20.0, 0.36, 'dropout') if label == 'mPFCL' else (1.0, 65.0, 1.1, 'n/a'))]
        for label in LABELS
    ]
    columns = ['region', 'n_voxels', 'coverage', 'tsnr', 'signal_ratio', 'flags']
    table(func / f'{stem}_coverage.tsv', [columns, *quality])
    qc = {
        'NVolumes': 240,
        'NKept': 221,
        'NLeftOut': {'non_steady_state': 4, 'motion': 15},
        'DegreesOfFreedom': dof,
        'MeanFD': 0.14,
        'SecondsKept': 442.0,
        'ICCNoiseFloor': 0.099,
        'Preset': 'acompcor',
        'Flags': ['short', 'dropout_mPFCL'],
    }
    (func / f'{prefix}_desc-denoise_qc.json').write_text(json.dumps(qc))
    sidecar = {'SusceptibilityCorrection': 'none', 'Preset': 'stale'}
    (func / f'{stem}_stat-fisherz_relmat.json').write_text(json.dumps(sidecar))
    for spec in FIGURES:
        if spec.suffix == 'bold':
            png(root / 'sub-02' / 'figures' / f'{prefix}_desc-{spec.desc}_bold.png')
    return prefix


def write_record(root: Path, name: str = 'abc', **changes: object) -> Path:
    folder = root / 'sub-02' / 'log' / name
    folder.mkdir(parents=True)
    record = {
        'command': 'clbpe /data /out participant --participant-label 02',
        'versions': {'clbpe': '0.1.0', 'numpy': '2.3.5'},
        'started': '2026-01-02T10:11:12',
        'parameters': {'denoising': 'acompcor', 'high_pass': 0.008, 'ignore': [], 'random_seed': 7},
        'inputs': [{'path': 'sub-02/anat/sub-02_T1w.nii.gz', 'kind': 'T1w'}],
        'absent': [{'modality': 'fieldmap', 'reason': 'there is no fmap folder'}],
        'errors': [],
        **changes,
    }
    (folder / 'run.json').write_text(json.dumps(record))
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return derivatives of one participant with two sessions."""
    root = tmp_path / 'derivatives'
    for session, z in (('post', -0.05), ('pre', 0.31)):
        write_run(root, session, z=z)
    png(root / 'sub-02' / 'figures' / 'sub-02_desc-mask_T1w.png')
    png(root / 'sub-02' / 'figures' / 'sub-02_space-MNI152NLin6Asym_desc-normalization_T1w.png', 60, 80)
    (root / 'dataset_description.json').write_text(json.dumps({'Name': 'A trial'}))
    write_record(root)
    write_methods('N4 [@tustison2010] and SyN [@avants2008; @tustison2010].', root / 'logs')
    return root


def page_of(dataset: Path) -> Page:
    return Page(assemble_report(dataset, '02').read_text(encoding='utf-8'))


def write_placement(root: Path) -> None:
    """Write how regions lie in the anatomy: one flagged, one in white matter, one that no template brings."""
    columns = [
        *('region', 'in_view', 'correlation', 'grey_matter', 'volume', 'relative_volume'),
        *('template_grey_matter', 'x', 'y', 'z', 'flags'),
    ]
    rows = [
        ['NAcL', 1, 0.96, 0.9, 704.2, 0.84, 0.92, -8.5, 30.6, 18.9, 'n/a'],
        ['NAcR', 1, 0.61, 0.5, 573.1, 0.74, 0.9, 9.9, 29.2, 18.5, 'placement'],
        ['Tract', 1, 0.95, 0.05, 500, 1.0, 0.1, 0, 0, 0, 'n/a'],
        ['Own', *['n/a'] * 10],
    ]
    stem = root / 'sub-02' / 'anat' / 'sub-02_space-MNI152NLin6Asym_atlas-A_placement'
    table(stem.with_suffix('.tsv'), [columns, *rows])
    limits = {'correlation': 0.9, 'grey_matter': 0.6, 'relative_volume': 0.5}
    stem.with_suffix('.json').write_text(json.dumps({'PlacementLimits': limits}))


class TestPlacement:
    def test_values_stand_beside_their_limits(self, dataset: Path) -> None:
        write_placement(dataset)
        html = assemble_report(dataset, '02').read_text(encoding='utf-8')
        part = html[html.index('Place of the regions') : html.index('id="function"')]
        rows = {name: next(r for r in part.split('<tr') if f'>{name}<' in r) for name in (
            'Nucleus accumbens, left', 'Nucleus accumbens, right', 'Tract', 'Own')}  # fmt: skip
        right = rows['Nucleus accumbens, right']
        assert 'class="flagged"' in right
        assert '</span> placement' in right
        cells = re.findall(r'<td class="n">([^<]*)</td>', right)
        assert cells == ['0.61', '50 %', '54 %', '573', '0.74', '100 %']
        assert 'flagged' not in rows['Nucleus accumbens, left']
        assert '<td class="n">5 %</td><td class="n">n/a</td>' in rows['Tract'], 'white matter is not judged'
        assert re.findall(r'<td class="n">([^<]*)</td>', rows['Own']) == ['n/a'] * 6
        assert 'limit 0.90' in part
        assert 'limit 0.50' in part

    def test_an_anatomy_alone_names_its_regions(self, tmp_path: Path) -> None:
        """Sides are told although no functional run names both together."""
        write_placement(tmp_path)
        text = page_of(tmp_path).text
        assert 'Nucleus accumbens, right ⚠ placement 0.61' in text
        assert 'NAcR – placement' in text

    def test_it_is_said_before_the_numbers(self, dataset: Path) -> None:
        write_placement(dataset)
        text = page_of(dataset).text
        told = text.index('All sessions: NAcR – placement')
        assert told < text.index('z = 0.31')
        assert FLAGS['placement'].title in text

    def test_the_value_says_that_a_region_may_lie_elsewhere(self, dataset: Path) -> None:
        write_placement(dataset)
        assert 'NAcR may lie elsewhere (placement)' in page_of(dataset).text
        scans = read_scans(dataset, 'sub-02')
        assert doubtful_places(scans, ['NAc', 'mPFC']) == ['NAcR']
        assert doubtful_places(scans, ['NAcL', 'mPFCL']) == []

    def test_a_page_without_it_is_as_before(self, dataset: Path) -> None:
        text = page_of(dataset).text
        assert 'Place of the regions' not in text
        assert 'may lie elsewhere' not in text

    def test_many_regions_are_folded(self, dataset: Path) -> None:
        write_placement(dataset)
        path = next((dataset / 'sub-02' / 'anat').glob('*_placement.tsv'))
        row = path.read_text().splitlines()[1]
        path.write_text(path.read_text() + '\n'.join(row.replace('NAcL', f'R{n}L') for n in range(20)) + '\n')
        assert '24 regions, 1 of them flagged' in page_of(dataset).text


class TestContent:
    def test_connectivity_is_said_with_its_interval(self, dataset: Path) -> None:
        # nu = 102: SE = 1 / sqrt(100) = 0.1, so the interval is z -+ 0.196
        text = page_of(dataset).text
        assert 'NAc–mPFC connectivity z = 0.31 (95 % CI 0.11 to 0.51)' in text
        assert 'the two regions rise and fall together' in text
        assert 'z = −0.05 (95 % CI −0.25 to 0.15)' in text
        assert 'the interval includes zero' in text

    def test_flags_come_before_the_numbers(self, dataset: Path) -> None:
        text = page_of(dataset).text
        assert text.index('points to know') < text.index('z = 0.31')
        assert 'Session pre, task rest, run 1: mPFCL' in text
        assert 'dropout_' not in text  # said once, with the region's name

    def test_flagged_region_is_marked_in_words(self, dataset: Path) -> None:
        html = assemble_report(dataset, '02').read_text(encoding='utf-8')
        row = next(r for r in html.split('<tr') if 'Medial prefrontal cortex, left' in r)
        assert 'class="flagged"' in row
        assert '</span> dropout' in row
        assert '42 %' in row

    def test_sessions_stand_in_the_order_of_the_trial(self, dataset: Path) -> None:
        text = page_of(dataset).text
        assert text.index('Session pre') < text.index('Session post')

    def test_everything_that_was_promised_is_there(self, dataset: Path) -> None:
        text = page_of(dataset).text
        for part in (
            'A trial',
            'Participant 02',
            '2 sessions (pre, post), 2 functional runs',
            'sub-02/anat/sub-02_T1w.nii.gz',
            'fieldmap : there is no fmap folder',
            'Not used: fieldmap',
            'run started 2026-01-02 10:11',
            'acompcor',
            '0.008 Hz',
            '221',
            '7.4 min',
            '4 non steady state, 15 motion',
            'not corrected',
            'clbpe /data /out participant --participant-label 02',
            'No errors to report',
            'Tustison NJ',
            'numpy',
        ):
            assert part in text, part

    def test_figures_are_shown_in_the_order_of_the_table(self, dataset: Path) -> None:
        html = assemble_report(dataset, '02').read_text(encoding='utf-8')
        first_run = html[
            html.index('id="function-sub-02_ses-pre') : html.index('id="function-sub-02_ses-post')
        ]
        places = [first_run.index(f'<h4>{spec.title}') for spec in FIGURES if spec.suffix == 'bold']
        assert places == sorted(places)

    def test_figures_of_runs_are_not_mixed(self, dataset: Path) -> None:
        for scan in read_scans(dataset, 'sub-02'):
            assert all(path.name.startswith(scan.name) for path in scan.figures)

    def test_a_figure_without_a_row_is_shown(self, dataset: Path) -> None:
        png(dataset / 'sub-02' / 'figures' / 'sub-02_ses-pre_task-rest_run-1_desc-novel_bold.png')
        page = page_of(dataset)
        assert 'sub-02_ses-pre_task-rest_run-1_desc-novel_bold.png' in page.text

    def test_a_chapter_appears_with_its_first_figure(self, dataset: Path) -> None:
        assert 'Each diffusion scan' not in page_of(dataset).text
        png(dataset / 'sub-02' / 'figures' / 'sub-02_ses-pre_desc-tract_dwi.png')
        assert 'Each diffusion scan' in page_of(dataset).text

    def test_errors_are_told_twice_at_the_top_and_in_full(self, dataset: Path) -> None:
        error = {'node': 'bold_to_t1w', 'message': 'line one\nline two'}
        folder = write_record(dataset, 'later', started='2026-02-01', errors=[error])
        (folder / 'crash-1.txt').write_text('traceback')
        text = page_of(dataset).text
        assert text.count('line one line two') == 2
        assert 'crash-1.txt' in text
        assert text.index('Bold_to_t1w') < text.index('z = 0.31')

    def test_without_results_it_says_so(self, dataset: Path) -> None:
        for path in (dataset / 'sub-02').rglob('*_relmat.tsv'):
            path.unlink()
        text = page_of(dataset).text
        assert 'No connectivity' in text
        assert 'z = ' not in text.split('Inputs')[1]

    def test_nothing_but_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / 'sub-9').mkdir()
        text = Page(assemble_report(tmp_path, '9').read_text()).text
        for part in ('No connectivity', 'are not recorded', 'No record of the run', 'was not found'):
            assert part in text, part

    @pytest.mark.parametrize('label', ['02', 'sub-02'])
    def test_label_with_and_without_prefix(self, dataset: Path, label: str) -> None:
        assert assemble_report(dataset, label) == dataset / 'sub-02.html'

    def test_unknown_participant(self, dataset: Path) -> None:
        with pytest.raises(MissingInputError, match=r'sub-77 does not exist.*--reports-only'):
            assemble_report(dataset, '77')

    def test_same_derivatives_same_page(self, dataset: Path) -> None:
        first = assemble_report(dataset, '02').read_bytes()
        assert assemble_report(dataset, '02').read_bytes() == first

    def test_a_page_that_was_locked_is_replaced(self, dataset: Path) -> None:
        page = dataset / 'sub-02.html'
        page.write_text('old')
        page.chmod(0o444)
        assemble_report(dataset, '02')
        assert page.read_text(encoding='utf-8').startswith('<!DOCTYPE html>')
        assert list(dataset.glob('.sub-02*')) == []

    def test_another_page(self, dataset: Path) -> None:
        target = dataset / 'elsewhere.html'
        assert assemble_report(dataset, '02', page=target) == target
        assert not (dataset / 'sub-02.html').exists()

    def test_text_from_files_is_never_code(self, dataset: Path) -> None:
        evil = '<script>alert(1)</script>'
        write_record(
            dataset,
            'z',
            started='2027',
            command=evil,
            errors=[{'node': evil, 'message': evil}],
            absent=[{'modality': evil, 'reason': evil}],
            versions={evil: evil},
        )
        write_methods(f'Text {evil}.', dataset / 'logs')
        html = assemble_report(dataset, '02').read_text(encoding='utf-8')
        assert evil not in html
        assert html.count('<script>') == 1


class TestStandsAlone:
    def test_nothing_is_loaded_from_elsewhere(self, dataset: Path) -> None:
        page = page_of(dataset)
        sources = [
            v for _, a in page.elements for k, v in a.items() if k in ('src', 'srcset', 'data', 'action')
        ]
        assert sources
        assert all(source.startswith('data:image/') for source in sources)
        links = [a['href'] for a in page.all('link')]
        assert links == ['data:,']
        html = (dataset / 'sub-02.html').read_text(encoding='utf-8')
        assert '@import' not in html
        assert 'url(' not in html

    def test_a_policy_forbids_requests(self, dataset: Path) -> None:
        policy = next(a['content'] for a in page_of(dataset).all('meta') if 'http-equiv' in a)
        assert policy.startswith("default-src 'none'; img-src data:;")
        assert 'http' not in policy

    def test_pictures_are_whole(self, dataset: Path) -> None:
        images = page_of(dataset).all('img')
        assert len(images) == 2 + 2 * sum(spec.suffix == 'bold' for spec in FIGURES)
        for attributes in images:
            content = base64.b64decode(attributes['src'].partition(',')[2])
            with Image.open(io.BytesIO(content)) as image:
                assert image.size == (int(attributes['width']), int(attributes['height']))

    def test_compression_is_not_visible(self, tmp_path: Path) -> None:
        png(tmp_path / 'a.png', 256, 64)
        source, width, height = embed(tmp_path / 'a.png')
        with Image.open(io.BytesIO(base64.b64decode(source.partition(',')[2]))) as image:
            shown = np.asarray(image.convert('RGB')).astype(int)
        original = np.asarray(Image.open(tmp_path / 'a.png')).astype(int)
        assert (width, height) == (256, 64)
        assert np.abs(shown - original).mean() < 2  # of 255 grey levels

    def test_svg_is_kept_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / 'a.svg'
        path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
        source, *size = embed(path)
        assert base64.b64decode(source.removeprefix('data:image/svg+xml;base64,')) == path.read_bytes()
        assert size == [0, 0]

    def test_only_derivatives_are_read(self, dataset: Path, tmp_path: Path) -> None:
        before = assemble_report(dataset, '02').read_bytes()
        moved = tmp_path / 'moved'
        shutil.move(dataset, moved)
        assert assemble_report(moved, '02').read_bytes() == before


class TestAccess:
    def test_every_picture_has_a_description(self, dataset: Path) -> None:
        for attributes in page_of(dataset).all('img'):
            assert len(attributes['alt']) > 30

    def test_headings_have_no_gaps(self, dataset: Path) -> None:
        levels = [int(tag[1]) for tag, _ in page_of(dataset).elements if re.fullmatch(r'h[1-6]', tag)]
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    def test_every_link_inside_has_a_target(self, dataset: Path) -> None:
        page = page_of(dataset)
        ids = [a['id'] for _, a in page.elements if 'id' in a]
        targets = [a['href'][1:] for a in page.all('a') if a['href'].startswith('#')]
        assert len(ids) == len(set(ids))
        assert set(targets) <= set(ids)
        assert {'summary', 'inputs', 'anatomy', 'function', 'methods', 'run'} <= set(targets)

    def test_labelled_parts(self, dataset: Path) -> None:
        page = page_of(dataset)
        assert page.all('html')[0]['lang'] == 'en'
        assert len(page.all('main')) == len(page.all('nav')) == 1
        for attributes in page.all('th'):
            assert 'scope' in attributes
        for attributes in (a for _, a in page.elements if a.get('role') == 'region'):
            assert attributes['tabindex'] == '0'
            assert attributes['aria-label']

    @pytest.mark.parametrize(
        ('ink', 'paper'),
        [
            ('--ink', '--paper'),
            ('--soft', '--paper'),
            ('--soft', '--tint'),
            ('--accent', '--paper'),
            ('--ink', '--warn'),
            ('--ink', '--good'),
            ('#5c3b00', '--tint'),
        ],
    )
    def test_contrast(self, ink: str, paper: str) -> None:
        """WCAG 2.2 success criterion 1.4.3 asks for 4.5 to 1."""
        css = (REPOSITORY / 'bids_app/report/templates/report.css').read_text()
        named = dict(re.findall(r'(--[\w-]+): (#[0-9a-f]+)', css))

        def luminance(colour: str) -> float:
            digits = named.get(colour, colour)[1:]
            digits = digits if len(digits) == 6 else ''.join(2 * d for d in digits)
            s = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
            linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
            return float(linear @ [0.2126, 0.7152, 0.0722])

        low, high = sorted([luminance(ink), luminance(paper)])
        assert (high + 0.05) / (low + 0.05) >= 4.5


class TestRecords:
    def test_latest_record_wins(self, dataset: Path) -> None:
        write_record(dataset, 'aaa', started='2026-03-01', command='later')
        write_record(dataset, 'zzz', started='2025-03-01', command='earlier')
        assert read_record(dataset, 'sub-02').command == 'later'

    @pytest.mark.parametrize('content', ['', '{', '[]', '{"inputs": 3, "versions": [], "errors": ["boom"]}'])
    def test_damaged_record(self, dataset: Path, content: str) -> None:
        (dataset / 'sub-02/log/abc/run.json').write_text(content)
        record = read_record(dataset, 'sub-02')
        assert record.inputs == []
        assert record.versions == {}
        assert [error['message'] for error in record.errors] == (['boom'] if 'boom' in content else [])
        assert page_of(dataset).text

    def test_nested_parameters_are_shown_side_by_side(self, dataset: Path) -> None:
        nested = {'functional': {'fwhm': 6.0}, 'sloppy': False, 'bids_filters': {}}
        write_record(dataset, 'n', started='2027', parameters=nested)
        rows = {name: value for name, value, _ in parameters(read_record(dataset, 'sub-02'))}
        assert rows == {'--fwhm': '6.0 mm', '--sloppy': 'False', '--bids-filters': 'none'}

    def test_known_parameters_come_first_with_their_help(self, dataset: Path) -> None:
        rows = parameters(read_record(dataset, 'sub-02'))
        assert [name for name, *_ in rows] == ['--denoising', '--high-pass', '--ignore', '--random-seed']
        assert rows[0][2] == 'denoising preset'
        assert rows[2][1] == 'none'

    def test_quality_file_wins_over_sidecars(self, dataset: Path) -> None:
        scan = next(scan for scan in read_scans(dataset, 'sub-02') if scan.session == 'pre')
        assert scan.facts['Preset'] == 'acompcor'
        assert dict(scan_facts(scan))['Template space of maps'] == 'MNI152NLin6Asym'

    def test_runs_are_sorted_as_numbers(self, tmp_path: Path) -> None:
        for run in (10, 9, 1):
            write_run(tmp_path, 'pre', run=run)
        names = [scan.name for scan in read_scans(tmp_path, 'sub-02')]
        assert [entities_and_suffix(name + '_bold')['run'] for name in names] == ['1', '9', '10']

    def test_other_participants_are_not_read(self, dataset: Path) -> None:
        png(dataset / 'sub-020' / 'figures' / 'sub-020_desc-mask_T1w.png')
        assert all(not scan.name.startswith('sub-020') for scan in read_scans(dataset, 'sub-02'))

    def test_no_sessions(self, tmp_path: Path) -> None:
        png(tmp_path / 'sub-1' / 'figures' / 'sub-1_task-rest_desc-carpet_bold.png')
        (scan,) = read_scans(tmp_path, 'sub-1')
        assert (scan.title, scan.session) == ('task rest', '')


def scan_with(**facts_: object) -> ScanRecord:
    matrix = [{'node': a, **dict.fromkeys(LABELS, '0.2')} for a in LABELS]
    return ScanRecord('sub-1_task-rest', 'task rest', '', dict(facts_), matrix, [], [])


EMPTY = RunRecord('', '', {}, {}, [], [], [], None, [])


class TestResults:
    def test_three_pairs_with_the_outcome_first(self) -> None:
        found = estimates(scan_with(DegreesOfFreedom=27))
        assert [e.of.side for e in found] == ['Both sides', 'Left', 'Right']
        half = 1.959964 / 5  # nu - 2 = 25
        assert found[0].low == pytest.approx(0.2 - half)
        assert found[0].high == pytest.approx(0.2 + half)
        assert found[0].r == pytest.approx(np.tanh(0.2))

    @pytest.mark.parametrize('dof', [None, 'n/a', 0, 2])
    def test_no_interval_without_degrees_of_freedom(self, dof: object) -> None:
        assert estimates(scan_with(DegreesOfFreedom=dof)) == []

    def test_missing_pair_is_left_out(self) -> None:
        scan = scan_with(DegreesOfFreedom=50)
        scan.relmat[0]['mPFCL'] = 'n/a'
        assert [e.of.side for e in estimates(scan)] == ['Both sides', 'Right']

    def test_drawn_interval_stays_in_the_picture(self) -> None:
        scan = scan_with(DegreesOfFreedom=22)
        scan.relmat[2]['mPFC'] = '1.4'
        drawn = estimates(scan)[0]
        assert 0 <= drawn.left <= drawn.middle <= drawn.right == 100

    def test_runs_of_a_session_are_pooled_by_their_degrees_of_freedom(self) -> None:
        first, second = scan_with(DegreesOfFreedom=52), scan_with(DegreesOfFreedom=152)
        second.relmat[2]['mPFC'] = '0.6'
        ((both, *_),) = pooled([first, second])
        assert both.z == pytest.approx((50 * 0.2 + 150 * 0.6) / 200)
        assert both.high - both.z == pytest.approx(1.959964 / np.sqrt(200))
        assert both.scan == 'mean of 2 runs'

    def test_single_runs_are_not_pooled(self) -> None:
        assert pooled([scan_with(DegreesOfFreedom=52)]) == []

    def test_pooling_survives_a_missing_pair(self) -> None:
        first, second = scan_with(DegreesOfFreedom=52), scan_with(DegreesOfFreedom=152)
        first.relmat[0]['mPFCL'] = 'n/a'
        assert pooled([first, second])[0][1].z == pytest.approx(0.2)
        second.relmat[0]['mPFCL'] = 'n/a'
        assert [e.of.side for e in pooled([first, second])[0]] == ['Both sides', 'Right']

    def test_every_flag_of_the_pipeline_has_words(self) -> None:
        assert {'dropout', 'low_dof', 'short', 'high_motion', 'template_overlap'} <= set(FLAGS)

    def test_unknown_flag_is_shown_as_it_is(self) -> None:
        (flag,) = flags(EMPTY, [scan_with(Flags=['new_flag'])])
        assert flag.text == 'new flag'

    def test_errors_come_first(self) -> None:
        record = EMPTY._replace(absent=[{'modality': 'dwi'}], errors=[{'node': 'clbpe_wf.sub_1_wf.design'}])
        found = flags(record, [scan_with(Flags='short')])
        assert [flag.what for flag in found] == ['error', 'short']  # what was not scanned is no flag
        assert found[0].where == 'design'

    @pytest.mark.parametrize(
        ('value', 'words'),
        [({}, 'not recorded'), ({'SusceptibilityCorrection': 'none'}, 'not corrected')],
    )
    def test_susceptibility(self, value: dict, words: str) -> None:
        assert words in susceptibility(scan_with(**value))

    def test_susceptibility_corrected(self) -> None:
        text = susceptibility(scan_with(SusceptibilityCorrection='PEPOLAR'))
        assert 'was corrected (PEPOLAR)' in text
        assert 'T1-weighted' not in text

    def test_echoes_are_told_in_ms_and_percent(self) -> None:
        """Each echo with the share of the head where its signal is lost."""
        facts = {'EchoTimes': [0.012, 0.028], 'SignalLost': [0.0, 0.0507], 'MedianT2Star': 0.0449}
        told = dict(scan_facts(scan_with(**facts)))
        assert told['Echoes that were combined'] == '12 ms, 28 ms'
        assert told['Share of the head where each echo has lost its signal'] == '0 %, 5.07 %'
        assert told['Median decay (T2*) in the head'] == '0.045 s'

    @pytest.mark.parametrize(
        ('shares', 'words'),
        [
            (
                (0.289, 0.4, 0.166),
                'explains 29 % of the image before, 40 % after, and 17 % with the opposite sign, as it',
            ),
            ((0.289, 0.166, 0.4), '40 % with the opposite sign, WHICH SPEAKS AGAINST IT'),
            ((None, None, None), 'too little of the brain'),
        ],
    )
    def test_the_t1w_image_judges_a_correction(self, shares: tuple, words: str) -> None:
        check = dict(zip(('Before', 'After', 'Opposite'), shares), Voxels=900)
        facts = {'SusceptibilityDistortionCorrection': 'a map', 'DistortionCheck': check}
        assert words in susceptibility(scan_with(**facts))


class TestMethods:
    def test_files_hold_text_and_cited_entries_only(self, tmp_path: Path) -> None:
        path = write_methods('N4 [@tustison2010].', tmp_path / 'logs', versions={'nipype': '1.11.0'})
        text = path.read_text(encoding='utf-8')
        assert text.startswith('# Methods')
        assert 'N4 [@tustison2010].' in text
        assert '*Nipype* 1.11.0' in text
        entries = read_bibliography((tmp_path / 'logs/CITATION.bib').read_text(encoding='utf-8'))
        assert set(entries) == set(cited_keys(text))

    def test_numbers_follow_the_first_citation(self) -> None:
        html, references = render_methods(
            'A [@virtanen2020]. B [@harris2020; @virtanen2020].', BIBLIOGRAPHY.read_text(encoding='utf-8')
        )
        assert [(r.number, r.key) for r in references] == [(1, 'virtanen2020'), (2, 'harris2020')]
        plain = re.sub('<[^>]+>', '', html)
        assert 'A [1]. B [2, 1].' in plain
        assert html.count('href="#ref-virtanen2020"') == 2

    def test_reference_is_complete(self) -> None:
        _, (reference,) = render_methods('[@avants2008]', BIBLIOGRAPHY.read_text(encoding='utf-8'))
        assert reference.text.startswith('Avants BB, Epstein CL, Grossman M, Gee JC. Symmetric')
        assert reference.text.endswith('Medical Image Analysis 2008;12(1):26-41.')
        assert reference.link == 'https://doi.org/10.1016/j.media.2007.06.004'

    def test_unknown_key_stays_visible_and_is_warned_of(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = write_methods('X [@nobody1999].', tmp_path)
        assert 'nobody1999' in caplog.text
        html, _ = render_methods(path.read_text(encoding='utf-8'), BIBLIOGRAPHY.read_text(encoding='utf-8'))
        assert '[nobody1999?]' in html

    def test_headings_lie_below_that_of_the_section(self) -> None:
        html, _ = render_methods('# Methods\n\nA\n\n## B\n\nC\n\n#### D', '')
        assert re.findall(r'<h(\d)>', html) == ['3', '4']

    def test_html_in_the_text_is_shown(self) -> None:
        html, _ = render_methods('a <b>bold</b>', '')
        assert '&lt;b&gt;' in html

    def test_a_participant_has_methods_of_their_own(self, dataset: Path) -> None:
        write_methods('Only this person.', dataset / 'sub-02/log')
        assert 'Only this person.' in page_of(dataset).text


class TestBibliography:
    entries = read_bibliography(BIBLIOGRAPHY.read_text(encoding='utf-8'))

    def test_every_entry_is_read(self) -> None:
        assert len(self.entries) == BIBLIOGRAPHY.read_text(encoding='utf-8').count('\n@') + 1

    def test_articles_are_complete(self) -> None:
        for key, entry in self.entries.items():
            needed = {'title', 'author'} | (
                {'journal', 'year', 'volume', 'pages', 'doi'} if entry['type'] == 'article' else set()
            )
            assert needed <= set(entry), key

    def test_no_work_is_listed_twice(self) -> None:
        dois = [entry['doi'].lower() for entry in self.entries.values() if 'doi' in entry]
        assert len(dois) == len(set(dois))
        assert all(re.fullmatch(r'10\.\d{4,}/\S+', doi) for doi in dois)

    def test_year_and_first_author_are_those_of_the_key(self) -> None:
        for key, entry in self.entries.items():
            if 'year' in entry:
                assert key.endswith(entry['year']), key
                plain = unicodedata.normalize('NFKD', entry['author'].partition(',')[0].lower())
                surname = re.sub(r'[^a-z]', '', plain)
                assert key.startswith(surname), key

    def test_every_citation_of_the_workflows_has_its_entry(self) -> None:
        sources = [*(REPOSITORY / 'pipelines').rglob('*.py'), *(REPOSITORY / 'bids_app').rglob('*.py')]
        examples = {'key', 'other', 'a', 'b'}
        cited = {key for path in sources for key in cited_keys(path.read_text(encoding='utf-8'))}
        assert cited - examples <= set(self.entries)


def test_figures_and_chapters_fit_each_other() -> None:
    suffixes = [suffix for chapter in CHAPTERS for suffix in chapter.suffixes]
    assert {spec.suffix for spec in FIGURES} <= set(suffixes)
    assert len(suffixes) == len(set(suffixes))
    assert len({(spec.desc, spec.suffix) for spec in FIGURES}) == len(FIGURES)


@pytest.fixture(scope='module')
def browser():
    """Return a headless Chromium; skip where there is none."""
    found = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser')
    if not found:
        pytest.skip('no Chromium found; set CHROMIUM to its path')
    playwright = pytest.importorskip('playwright.sync_api')
    flags_ = (
        '--no-sandbox --disable-gpu --disable-background-networking --disable-component-update '
        '--disable-sync --no-first-run'
    )
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=flags_.split())
        yield opened
        opened.close()


class TestBrowser:
    def open(self, browser, dataset: Path, width: int):
        page = browser.new_page(viewport={'width': width, 'height': 844})
        page.problems = []
        page.on('console', lambda message: page.problems.append(message.text))
        page.on('pageerror', lambda error: page.problems.append(str(error)))
        page.on('requestfailed', lambda request: page.problems.append(request.url))
        page.on(
            'request',
            lambda request: request.url.startswith(('file:', 'data:')) or page.problems.append(request.url),
        )
        page.goto(assemble_report(dataset, '02').as_uri())
        return page

    @pytest.mark.parametrize('width', [1280, 390])
    def test_opens_without_error_request_or_sideways_scrolling(
        self, browser, dataset: Path, width: int
    ) -> None:
        page = self.open(browser, dataset, width)
        page.wait_for_timeout(200)
        assert page.problems == []
        assert page.evaluate('document.documentElement.scrollWidth') == width
        assert page.evaluate('[...document.images].every(i => i.complete && i.naturalWidth)')

    def test_menu_is_folded_on_a_phone_only(self, browser, dataset: Path) -> None:
        assert not self.open(browser, dataset, 390).evaluate("document.querySelector('nav details').open")
        assert self.open(browser, dataset, 1280).evaluate("document.querySelector('nav details').open")

    def test_comparison_works_by_keyboard(self, browser, dataset: Path) -> None:
        page = self.open(browser, dataset, 1280)
        mix = "getComputedStyle(document.querySelectorAll('.viewer img')[1]).opacity"
        slider = page.locator('figure.compare input').first
        assert page.evaluate(mix) == '0'
        slider.focus()
        page.keyboard.press('End')
        assert page.evaluate(mix) == '1'
        page.keyboard.press('ArrowLeft')
        assert page.evaluate(mix) == '0.99'
        assert slider.get_attribute('aria-valuetext') == '99 % This person'

    def test_images_alternate_until_stopped(self, browser, dataset: Path) -> None:
        page = self.open(browser, dataset, 1280)
        playwright = pytest.importorskip('playwright.sync_api')
        button = page.locator('figure.compare button').first
        slider = page.locator('figure.compare input').first
        button.focus()
        page.keyboard.press('Space')
        assert button.get_attribute('aria-pressed') == 'true'
        for value in ('100', '0'):
            playwright.expect(slider).to_have_value(value)
        page.keyboard.press('Space')
        assert button.get_attribute('aria-pressed') == 'false'
        held = slider.input_value()
        page.wait_for_timeout(900)  # longer than one alternation
        assert slider.input_value() == held

    def test_halves_lie_on_each_other(self, browser, dataset: Path) -> None:
        page = self.open(browser, dataset, 1280)
        viewer, fixed, moving = (
            page.locator(f'figure.compare .viewer{part}').first.bounding_box()
            for part in ('', ' img:first-child', ' img:last-child')
        )
        assert fixed['y'] == pytest.approx(viewer['y'], abs=0.5)
        assert moving['y'] == pytest.approx(viewer['y'] - viewer['height'], abs=0.5)
        assert fixed['height'] == pytest.approx(2 * viewer['height'], abs=1)

    def test_print_shows_both_images_and_no_controls(self, browser, dataset: Path) -> None:
        page = self.open(browser, dataset, 1280)
        page.emulate_media(media='print')
        assert page.locator('figure.compare .scroll > img').first.is_visible()
        for hidden in ('nav', '.controls', '.viewer'):
            assert not page.locator(hidden).first.is_visible()

    def test_without_scripts_everything_is_there(self, browser, dataset: Path) -> None:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(assemble_report(dataset, '02').as_uri())
        assert page.locator('figure.compare .scroll > img').first.is_visible()
        assert page.locator('nav a').first.is_visible()
