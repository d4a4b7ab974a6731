"""The trial report: what it says against the tables, what is absent, and that it can be read by everyone."""

import csv
import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bids_app.cli import main
from bids_app.group.record import record_trial
from bids_app.outputs.record import without_folders
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from bids_app.report import assemble_report, write_trial_report
from bids_app.report.inline import inline_svg, lighter
from bids_app.report.trial import results as trial_results
from bids_app.report.trial.mediation import mediation_analyses
from bids_app.report.trial.record import read_trial_record
from bids_app.report.trial.tables import read_group_tables, typed
from bids_app.report.trial.words import estimate, interval
from bids_app.running.files import replace_json
from pipelines.errors import MissingInputError
from pipelines.interfaces.trial_figures import save_svg
from pipelines.stats.expression import CONTRAST_COLUMNS, GENE_COLUMNS
from pipelines.terms import FLAGS, default_circuit
from tests.app.report.test_report import Page
from tests.app.trial_data import AFFINE, SHAPE, SPACE, save, write_trial

SECTIONS = (
    'summary', 'flow', 'baseline', 'estimand', 'outcomes', 'imaging', 'reliability', 'biomarkers', 'expression', 'mediation', 'safety',
    'quality', 'limits', 'reporting', 'methods', 'run',
)  # fmt: skip
CONTRAST = 'armOnChange'


def run_group(bids: Path, out: Path, work: Path, *words: str) -> Path:
    """Run the group level without maps, write the record of the trial, and return the page."""
    words = words or ('--skip', 'voxelwise')
    status = main([str(bids), str(out), 'group', '-w', str(work), '--nprocs', '2', *words])
    assert status == 0
    return rebuild(bids, out)


def rebuild(bids: Path, out: Path) -> Path:
    trial = read_trial()
    record = record_trial(
        trial, read_tables(bids, trial), output_dir=out, results_dir=out, circuit=default_circuit()
    )
    replace_json(json.loads(json.dumps(record)), out / 'group' / 'log' / 'trial.json')
    return write_trial_report(out)


def rows_of(out: Path, name: str) -> list[dict[str, str]]:
    with (out / 'group' / f'{name}.tsv').open(newline='') as file:
        return list(csv.DictReader(file, delimiter='\t'))


def section(html: str, key: str) -> str:
    """Return the text of a section."""
    start = html.index(f'<section id="{key}"')
    return text_of(html[start : html.index('</section>', start)])


def text_of(html: str) -> str:
    """Return the words of a piece of a page, without figures and pictures."""
    without = re.sub(
        r'<svg class="drawn".*?</svg>|<svg [^>]*?class="drawn".*?</svg>', ' ', html, flags=re.DOTALL
    )
    plain = re.sub(r'<[^>]+>', ' ', re.sub(r'<template>.*?</template>', ' ', without, flags=re.DOTALL))
    for code, sign in (
        ('&lt;', '<'),
        ('&gt;', '>'),
        ('&amp;', '&'),
        ('&#39;', "'"),
        ('&#34;', '"'),
        ('&shy;', ''),
    ):
        plain = plain.replace(code, sign)
    return ' '.join(plain.split())


def write_genes(out: Path) -> None:
    """Write what gene expression and mediation leave, with numbers made up."""
    group, rng = out / 'group', np.random.default_rng(2)
    genes, contrasts = [], []
    titles = {
        'difference': 'Difference in change, exercise minus waitlist', 'change_treatment': 'Change within exercise',
        'any_change': 'Any change within exercise and waitlist',
    }  # fmt: skip
    for contrast, title in titles.items():
        is_joint, flag = (
            contrast == 'any_change',
            'n/a' if contrast == 'difference' else 'within_arm_not_randomised',
        )
        contrasts.append(
            (contrast, title, is_joint, 1 + is_joint, 60.25, 8.5, 40, 1, 9.4375, 31.0625, 'GENE7', flag)
        )
        for number in range(40):
            p = 1e-9 if number == 7 else float(rng.uniform(0.02, 1))
            change = round(float(rng.normal()), 4)
            padj = 'n/a' if number == 3 else p * 2
            changes = ['n/a'] * 3 if is_joint else [change, 0.3, 1.0]
            shrunk = 'n/a' if is_joint else change / 2
            f = (1.25, 1 + is_joint, 60.25)
            genes.append((contrast, f'GENE{number}', 100.5, *changes, *f, p, padj, shrunk, flag))
    save(pd.DataFrame(genes, columns=list(GENE_COLUMNS)), group / 'expression_deseq2.tsv')
    save(pd.DataFrame(contrasts, columns=list(CONTRAST_COLUMNS)), group / 'expression_contrasts.tsv')
    sets = [('difference', 'gsea', 'HALLMARK_A', 40, 0.51, 1.83, 0.0004, 0.004, 'GENE7 GENE9')]
    names = 'contrast method set size es nes p padj leading_edge'
    save(pd.DataFrame(sets, columns=names.split()), group / 'expression_enrichment.tsv')
    people = sorted({(row['participant_id'], row['arm']) for row in rows_of(out, 'participants')})
    samples = [
        (f'{person}-{visit}', person, arm, visit, 1.1, 'excluded' if person == 'sub-02' else 'analysed',
         'no second sample' if person == 'sub-02' else 'n/a')
        for person, arm in people
        for visit in ('reference', 'followup')
    ]  # fmt: skip
    names = 'sample_id participant_id arm visit size_factor status reason'
    save(pd.DataFrame(samples, columns=names.split()), group / 'expression_samples.tsv')


def write_mediation(out: Path) -> None:
    group = out / 'group'
    numbers = [
        ('a', -0.27, 0.05, -0.36, -0.18, 0.0), ('b', 3.1, 0.9, 1.2, 4.9, 0.002), ('indirect', -0.84, 0.3, -1.5, -0.3, 0.002),
        ('direct', -1.1, 0.4, -1.9, -0.35, 0.01), ('total', -1.94, 0.3, -2.6, -1.3, 0.0),
        ('rho_at_zero', 0.41, 'n/a', 'n/a', 'n/a', 'n/a'),
    ]  # fmt: skip
    paths = [
        ('connectivity', 'exercise', 'fc_nac_mpfc', row[0], 'units', *row[1:], 12, 'flagged_values')
        for row in numbers
    ]
    names = 'analysis arm mediator path scale estimate se ci_low ci_high p n flags'
    save(pd.DataFrame(paths, columns=names.split()), group / 'mediation.tsv')
    models = [
        ('connectivity', 'exercise', 'single', 'fc_nac_mpfc', 'followup', 'nrs', 'followup', 'continuous', 'same_visit', 'age', 12, 7, 5, 4, 0, 0, 0.31, 0.08, 'flagged_values', 'n/a'),
        ('genes_of_a_name_without_a_blank_that_is_wider_than_a_telephone', 'exercise', 'single', 'expression:SET', 'last sample', 'nrs', 'followup', 'continuous', 'not_known', 'n/a', *['n/a'] * 8, 'reference_post_randomisation',
         '8 people are complete, 10 are needed'),
    ]  # fmt: skip
    names = (
        'analysis arm structure mediators mediator_visits outcome outcome_visit kind time_order covariates n n_treatment '
        'n_control n_incomplete n_degenerate n_penalised power_medium power_small flags note'
    )
    save(pd.DataFrame(models, columns=names.split()), group / 'mediation_models.tsv')


def write_figures(out: Path) -> None:
    """Write a picture for every figure of a part that this test did not compute."""
    names = [
        'expression_components',
        'enrichment_difference_gsea',
        'mediation_connectivity',
        f'NAc_{CONTRAST}',
        'NAc_count',
    ]
    names += [
        f'expression_{contrast}_{kind}'
        for contrast in ('difference', 'change_treatment')
        for kind in ('ma', 'volcano')
    ]
    for name in names:
        figure = Figure(figsize=(4, 2))
        figure.add_subplot().imshow(np.random.default_rng(1).normal(size=(60, 60)))
        figure.suptitle(name)
        save_svg(figure, out / 'group' / 'figures' / f'{name}.svg')


def write_map(out: Path) -> np.ndarray:
    """Write one voxel-wise test and its clusters; return t."""
    t = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)
    t[9:12, 5:8, 10:13] = 7.5
    stem = out / f'tpl-{SPACE}' / f'tpl-{SPACE}_seg-NAc_desc-{CONTRAST}_stat-t_statmap'
    stem.parent.mkdir()
    nb.save(nb.Nifti1Image(t, AFFINE), f'{stem}.nii.gz')
    facts = {
        'NumberOfPeople': 14,
        'NumberOfPermutations': 200,
        'SmallestCorrectedP': 0.005,
        'DegreesOfFreedom': 9,
        'AllArrangements': False,
    }
    stem.with_name(f'{stem.name}.json').write_text(json.dumps(facts))
    cluster = {
        'map': 'NAc', 'contrast': CONTRAST, 'cluster': 1, 'sign': 'positive', 'volume': 13824, 'peak_x': 4, 'peak_y': -64,
        'peak_z': 16, 'peak_statistic': 7.5, 'peak_p_corrected': 0.005, 'peak_p_over_maps': 0.03, 'peak_region': 'Left Precuneous Cortex', 'regions': '100% x',
    }  # fmt: skip
    save(pd.DataFrame([cluster]), out / 'group' / 'clusters.tsv')
    test = {
        'map': 'NAc', 'contrast': CONTRAST, 'asks': 'armOnChange', 'title': 'change between visits, treatment minus control',
        'visits': 'baseline; followup', 'statistic': 't', 'n': 14, 'n_permutations': 200, 'variances': 'of each arm',
        'exchangeability': 'signs', 'p_by_tfce': 0.005, 'tail_by_tfce': 'pareto', 'p_by_statistic': 0.01,
        'tail_by_statistic': 'pareto', 'n_maps': 7, 'p_over_maps_by_tfce': 0.03, 'p_over_maps_by_statistic': 0.06,
    }  # fmt: skip
    save(pd.DataFrame([test]), out / 'group' / 'map_tests.tsv')
    return t


def spoil(bids: Path, out: Path) -> None:
    """Make data missing and flagged, as in a trial of real people."""
    shutil.rmtree(out / 'sub-03' / 'ses-post')
    shutil.rmtree(out / 'sub-04')
    for path in out.glob('sub-05/ses-post/func/*_qc.json'):
        path.write_text(
            json.dumps({**json.loads(path.read_text()), 'Flags': ['high_motion'], 'SecondsKept': 300})
        )
    pain = pd.read_csv(bids / 'phenotype' / 'nrs.tsv', sep='\t')
    pain.loc[1, 'nrs_average_post'] = np.nan
    save(pain, bids / 'phenotype' / 'nrs.tsv')
    blood = pd.read_csv(bids / 'phenotype' / 'bdnf.tsv', sep='\t', keep_default_na=False)
    save(blood.drop(index=14), bids / 'phenotype' / 'bdnf.tsv')
    attended = {'participant_id': ['sub-01', 'sub-02'], 'sessions_attended': [40, 37]}
    save(pd.DataFrame(attended), bids / 'phenotype' / 'attendance.tsv')
    events = {'participant_id': ['sub-01', 'sub-01', 'sub-02'], 'event': ['fall', 'sore muscles', 'fall']}
    save(pd.DataFrame(events), bids / 'phenotype' / 'adverse_events.tsv')


@pytest.fixture(scope='module')
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Return raw data, outputs and page of a trial with all parts."""
    root = tmp_path_factory.mktemp('trial')
    bids, out = write_trial(root, n=16)
    spoil(bids, out)
    run_group(bids, out, root / 'work')
    write_map(out), write_genes(out), write_mediation(out), write_figures(out)
    for label in ('01', '02', '03', '05', '06'):
        assemble_report(out, label)
    return bids, out, rebuild(bids, out).read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def out(trial: tuple[Path, Path, str]) -> Path:
    return trial[1]


@pytest.fixture(scope='module')
def html(trial: tuple[Path, Path, str]) -> str:
    return trial[2]


class TestContent:
    def test_primary_outcome_comes_first_with_its_numbers(self, html: str, out: Path) -> None:
        row = next(r for r in rows_of(out, 'outcomes') if (r['outcome'], r['model']) == ('nrs', 'clda'))
        said = section(html, 'summary')
        card = said[said.index('Average low back pain') : said.index('Connectivity of NAc')]
        assert 'primary outcome' in card
        assert f'{estimate(row)} points 95 % CI {interval(row)}' in card
        assert 'Lower at follow-up with exercise than with waitlist, which is better' in card
        n = [int(row[f'n_{arm}_seen']) for arm in ('treatment', 'control')]
        assert f'People with a value at follow-up: {n[0]} exercise, {n[1]} waitlist' in card
        known = [r for r in rows_of(out, 'values') if (r['outcome'], r['visit']) == ('nrs', 'followup')]
        assert sum(n) == sum(r['value'] != 'n/a' for r in known) < 16

    def test_every_effect_of_every_model_is_that_of_the_table(self, html: str, out: Path) -> None:
        said = section(html, 'outcomes')
        for row in rows_of(out, 'outcomes'):
            assert f'{estimate(row)} ({interval(row)})' in said, row
        assert said.index('Average low back pain') < said.index('Connectivity of NAc')

    def test_intervals_are_rounded_not_invented(self, out: Path) -> None:
        for row in rows_of(out, 'outcomes'):
            low, high = (float(word.replace('−', '-')) for word in interval(row).split(' to '))
            width = float(row['ci_high']) - float(row['ci_low'])
            assert [low, high] == pytest.approx(
                [float(row['ci_low']), float(row['ci_high'])], abs=0.05 * width
            )

    def test_baseline_has_all_numbers_and_no_p_value(self, html: str, out: Path) -> None:
        said = section(html, 'baseline')
        for row in rows_of(out, 'descriptives'):
            if row['visit'] == 'baseline':
                assert f'{float(row["mean"]):#.3g} ({float(row["sd"]):#.3g})' in said
        assert 'Age, mean (SD)' in said
        assert 'Sex, n (%)' in said
        assert not re.search(r'\bp [=<]|p value', said)

    def test_flow_counts_people_of_each_arm(self, html: str, out: Path) -> None:
        said = section(html, 'flow')
        rows = rows_of(out, 'participants')
        for session in ('pre', 'post'):
            seen = Counter(
                r['arm'] for r in rows
                if (r['data'], r['session_id']) == ('connectivity', f'ses-{session}') and r['status'] != 'missing'
            )  # fmt: skip
            name = 'Baseline' if session == 'pre' else 'Follow-up'
            part = said[said.index(f'{name} ({session})') :]
            assert part.split('Connectivity ')[1].startswith(f'{seen["exercise"]} {seen["waitlist"]}')
        assert 'Randomised 16' in said
        assert 'Connectivity, of these flagged 1 0' in said
        assert 'BDNF, all 4 samples 8 7' in said
        assert 'RNA, complete pairs 8 7' in said
        assert 'Mediation, connectivity 7 5' in said

    def test_flow_is_drawn_with_the_same_numbers(self, out: Path, html: str) -> None:
        drawn = (out / 'group' / 'figures' / 'flow.svg').read_text()
        words = [' '.join(word.split()) for word in re.findall(r'>([^<>]+)</text>', drawn)]
        assert {'Randomised', '16', 'exercise', 'waitlist', 'Analysis', 'Samples'} <= set(words)
        assert words.count('Allocated') == 2
        assert 'flow-figure_1' in html

    def test_blood_is_given_as_ratios(self, html: str, out: Path) -> None:
        said = section(html, 'biomarkers')
        for row in rows_of(out, 'biomarkers'):
            numbers = ('ratio', 'ratio_ci_low', 'ratio_ci_high')
            assert f'{estimate(row, *numbers)} ({interval(row, *numbers)})' in said
        assert said.index('Difference between arms, exercise over waitlist') < said.index(
            'After against before'
        )

    def test_genes_are_counted_and_the_first_is_the_clearest(self, html: str, out: Path) -> None:
        said = section(html, 'expression')
        rows = [row for row in rows_of(out, 'expression_deseq2') if row['contrast'] == 'difference']
        tested = [float(row['padj']) for row in rows if row['padj'] != 'n/a']
        called = sum(p < 0.1 for p in tested)
        assert f'{called} of {len(tested)} tested genes are called' in said
        assert said.index('GENE7 ') < min(said.index(f'GENE{n} ') for n in (0, 1, 2) if f'GENE{n} ' in said)
        assert FLAGS['within_arm_not_randomised'].title in said
        assert 'the best gene needs F = 9.44 on 1 and 60.2 degrees of freedom (p = 0.1 / 40)' in said
        assert 'the largest F seen is 31.1 (GENE7)' in said
        assert 'No cell counts were given as covariates' in said
        assert 'HALLMARK_A 40 0.51 1.83 4.0 × 10⁻⁴ 0.004 GENE7 GENE9' in said

    def test_what_limits_all_genes_is_said_once(self, out: Path, tmp_path: Path) -> None:
        """Of the sidecar: size factors and covariates; what rows or the page say already is not repeated."""
        copy = Path(shutil.copytree(out, tmp_path / 'out'))
        flags = ['size_factors_poscounts', 'dropped:age', 'within_arm_not_randomised', 'no_cell_counts']
        (copy / 'group' / 'expression_deseq2.json').write_text(json.dumps({'Flags': flags}))
        said = section(write_trial_report(copy).read_text(), 'expression')
        assert said.count(FLAGS['size_factors_poscounts'].title) == 1
        assert f'{FLAGS["dropped"].title} (age)' in said
        assert FLAGS['no_cell_counts'].title not in said
        assert said.count(FLAGS['within_arm_not_randomised'].title) == 2  # beside each contrast of changes
        genes = trial_results.genes(read_group_tables(copy))
        assert trial_results.gene_flags(copy, genes) == [flags[0], flags[1], flags[3]]
        assert trial_results.gene_flags(copy, []) == []

    def test_mediation_has_its_paths_and_what_agrema_asks(self, html: str) -> None:
        said = section(html, 'mediation')
        assert 'Indirect effect Connectivity of NAc and mPFC −0.84 (−1.50 to −0.30) 0.002 12' in said
        for field in ('Target effect', 'Model', 'Timing', 'Assumptions', 'Limits'):
            assert said.count(f' {field} ') == 2, field
        for field in ('People', 'Sensitivity', 'Power', 'Interval'):  # of the one that has a result
            assert said.count(f' {field} ') == 1, field
        assert '12 in every path (7 exercise, 5 waitlist); 4 left out' in said
        assert 'correlated by 0.41' in said
        assert (
            'mediator and outcome are both measured at follow-up: that the mediator comes first is assumed'
            in said.lower()
        )
        assert (
            '“score of the gene set set” of the last sample, the outcome at follow-up: that the mediator comes'
            in said.lower()
        )
        assert '31 % when both paths are of medium size' in said
        assert 'No result. 8 people are complete, 10 are needed' in said
        assert 'through “score of the gene set SET”' in said
        assert FLAGS['reference_post_randomisation'].title in said.lower()

    def test_mediators_in_series_are_named_in_words(self, out: Path) -> None:
        trial = read_trial_record(out)
        row = {
            'analysis': 's (fc_nac_mpfc>nrs) (without reference)',
            'arm': 'exercise',
            'mediators': 'fc_nac_mpfc;nrs',
            'mediator_visits': 'followup;followup',
            'outcome': 'odi',
            'outcome_visit': 'followup',
            'kind': 'continuous',
            'time_order': 'same_visit',
        }
        row |= {'structure': 'serial', 'flags': 'n/a', 'label': 's', 'covariates': 'n/a', 'note': 'too few'}
        (found,) = mediation_analyses(trial, {'mediation_models': [row], 'mediation': []})
        wanted = 'Connectivity of NAc and mPFC → Average low back pain, numeric rating scale'
        assert found.name == f's ({wanted}) (without reference)'
        assert dict(found.fields)['Timing'] == (
            'mediator and outcome are both measured at follow-up: that the mediator comes first is assumed; which '
            'mediator comes first is assumed'
        )

    def test_attendance_and_events_are_counted(self, html: str) -> None:
        said = section(html, 'safety')
        assert 'Training sessions attended of 42 planned' in said
        assert 'fall 1 1' in said
        assert 'sore muscles 1 0' in said

    def test_every_scan_has_a_row_and_missing_ones_a_reason(self, html: str, out: Path) -> None:
        table = html[html.index('id="scans"') :]
        rows = re.findall(r'<tr.*?</tr>', table[: table.index('</table>')], flags=re.DOTALL)[1:]
        scans = [row for row in rows_of(out, 'participants') if row['data'] in ('connectivity', 'tract')]
        assert len(rows) == len(scans)
        flagged = [text_of(row) for row in rows if 'class="flagged"' in row]
        assert sum('participant level not run' in row for row in flagged) == 4
        assert any(
            row.startswith('sub-05 exercise post Connectivity, task rest flagged ⚠ high motion')
            for row in flagged
        )
        assert any(' 5.0 80' in row for row in flagged)  # minutes kept, degrees of freedom

    def test_exclusions_have_reasons(self, html: str, out: Path) -> None:
        said = section(html, 'limits')
        for row in rows_of(out, 'participants'):
            if row['status'] == 'missing':
                assert f'{row["participant_id"]} {row["arm"]} {row["visit"]}' in said
        assert 'registered retrospectively' in said
        assert 'lists the numeric rating scale of pain as primary outcome' in said
        assert 'sub-02, sub-02-reference: no second sample' in said
        assert '--skip voxelwise' in said

    def test_methods_are_cited_and_the_run_is_told(self, html: str, out: Path) -> None:
        record = json.loads(next(out.glob('group/log/*/run.json')).read_text())
        assert without_folders(record['command']) in section(html, 'run')
        assert record['command'] == json.loads((out / 'group' / 'results.json').read_text())['command']
        assert record['versions']['numpy'] in section(html, 'run')
        assert 'arms share the mean at baseline [ 4 ]' in section(html, 'methods')
        assert 'Lu K' in section(html, 'methods')

    def test_no_folder_of_this_machine_is_told(self, html: str, out: Path) -> None:
        assert str(out.parent) not in html
        assert 'clbpe bids out group -w work' in section(html, 'run')

    def test_every_element_is_closed_and_no_name_stands_twice(self, html: str) -> None:
        assert Page(html.replace('/>', '></x>').replace('></x>', '/>')).all('section')
        names = re.findall(r'\sid="([^"]+)"', html)
        assert [name for name, n in Counter(names).items() if n > 1] == []

    def test_all_sections_are_in_the_contents(self, html: str) -> None:
        assert re.findall(r'<section id="(\w+)"', html) == list(SECTIONS)
        assert re.findall(r'<li><a href="#(\w+)">', html)[: len(SECTIONS)] == list(SECTIONS)


class TestResults:
    def test_json_holds_every_cell_of_every_table(self, out: Path) -> None:
        found = json.loads((out / 'group' / 'results.json').read_text())
        assert set(found['tables']) == {path.stem for path in (out / 'group').glob('*.tsv')}
        for name, rows in found['tables'].items():
            assert len(rows) == len(rows_of(out, name))
            assert rows or name in ('levels', 'missing', 'tipping', 'phenotype_report', 'reliable_changes')
            for row, cells in zip(rows, rows_of(out, name)):
                assert list(row) == list(cells)
                for value, cell in zip(row.values(), cells.values()):
                    assert (value is None) == (cell in ('n/a', '')), (name, cell)
                    is_text = value is None or isinstance(value, str | bool)
                    assert is_text or value == float(cell)
                    assert value is None or not is_text or str(value) == cell
        numbers = found['tables']['outcomes'][0]
        assert isinstance(numbers['estimate'], float)
        assert isinstance(numbers['n_treatment'], int)

    def test_json_says_what_made_it(self, out: Path) -> None:
        found = json.loads((out / 'group' / 'results.json').read_text())
        assert found['trial'] == 'CLBPE'
        assert found['arms'] == {'treated': ['exercise'], 'control': 'waitlist'}
        assert [visit['name'] for visit in found['visits']] == ['baseline', 'followup']
        assert found['random_seed'] == 20260101
        assert found['versions']['clbpe']

    def test_names_that_look_like_numbers_stay_text(self) -> None:
        rows = [{'gene_id': '7124', 'padj': '1e-5'}, {'gene_id': '3553', 'padj': 'n/a'}]
        assert typed('expression_deseq2', rows) == [
            {'gene_id': '7124', 'padj': 1e-5}, {'gene_id': '3553', 'padj': None},
        ]  # fmt: skip
        assert typed('phenotype_report', [{'value': '70'}]) == [{'value': '70'}]


class TestLinks:
    def test_all_links_inside_the_dataset_resolve(self, html: str, out: Path) -> None:
        links = set(re.findall(r'href="([^"]+)"', html))
        inside = {link for link in links if not link.startswith(('http', 'data:'))}
        assert len(inside) > 30
        for link in inside:
            path, _, name = unquote(link).partition('#')
            page = html if not path else (out / 'group' / path).read_text(encoding='utf-8')
            assert not name or re.search(rf'id="{re.escape(name)}"', page), link

    def test_people_without_a_page_have_no_link(self, html: str) -> None:
        table = html[html.index('id="scans"') :]
        assert 'href="../sub-01.html#function-sub-01_ses-pre_task-rest"' in table
        assert '<th scope="row">sub-07</th>' in table

    def test_people_in_figures_lead_to_their_pages(self, html: str) -> None:
        start = html.index('nrs_trajectories-figure_1')
        figure = html[start : html.index('</svg>', start)]
        assert set(re.findall(r'xlink:href="\.\./([^"]+)\.html"', figure)) == {
            'sub-01', 'sub-02', 'sub-03', 'sub-05', 'sub-06',
        }  # fmt: skip

    def test_style_sheets_of_figures_stay_out(self, tmp_path: Path) -> None:
        figure = Figure(figsize=(2, 2))
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], 'o', gid='person-sub-01')
        axes.imshow(np.random.default_rng(1).normal(size=(200, 200)), interpolation='none')
        svg = inline_svg(
            save_svg(figure, tmp_path / 'one.svg'), alt='Two dots', pages={'sub-01': '../sub-01.html'}
        )
        assert '<style' not in svg
        assert 'aria-label="Two dots"' in svg
        assert set(re.findall(r'url\(#(\w+)-', svg)) <= {'one'}
        assert svg.count('href="../sub-01.html"') == 1
        packed = len((tmp_path / 'one.svg').read_text())
        assert len(svg) < packed / 2
        assert lighter('data:image/png;base64,AAAA') == 'data:image/png;base64,AAAA'


def no_dwi(bids: Path, out: Path) -> None:
    for folder in out.glob('sub-*/dwi'):
        shutil.rmtree(folder)


def no_bdnf(bids: Path, out: Path) -> None:
    (bids / 'phenotype' / 'bdnf.tsv').unlink()


def no_phenotype(bids: Path, out: Path) -> None:
    shutil.rmtree(bids / 'phenotype')


def one_arm(bids: Path, out: Path) -> None:
    save(pd.read_csv(bids / 'participants.tsv', sep='\t').assign(group='exercise'), bids / 'participants.tsv')


def one_visit(bids: Path, out: Path) -> None:
    for folder in out.glob('sub-*/ses-post'):
        shutil.rmtree(folder)
    for path in out.glob('sub-*/dwi/*.tsv'):
        table = pd.read_csv(path, sep='\t', keep_default_na=False)
        save(table[table['session_id'] == 'pre'], path)
    pain = pd.read_csv(bids / 'phenotype' / 'nrs.tsv', sep='\t')
    save(pain.drop(columns='nrs_average_post'), bids / 'phenotype' / 'nrs.tsv')


ABSENT = {
    no_dwi: ('FA of the tract : no participant has results of it', 'Gene expression : not supplied: sourcedata/rnaseq/counts.tsv.gz is absent'),
    no_bdnf: ('BDNF : not supplied: phenotype/bdnf.tsv is absent', 'Mediation analyses connectivity-odi'),
    no_phenotype: ('Average low back pain, numeric rating scale : phenotype/nrs.tsv is absent', 'BDNF : not supplied'),
    one_arm: ('Arm waitlist : nobody is in it', 'Adverse events : not supplied: phenotype/adverse_events.tsv is absent'),
    one_visit: ('Visit post : nobody has data of it', 'Maps : left out by --skip voxelwise'),
}  # fmt: skip


class TestAbsence:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        'remove',
        [next(iter(ABSENT)), *(pytest.param(remove, marks=pytest.mark.long) for remove in [*ABSENT][1:])],
        ids=lambda remove: remove.__name__,
    )
    def test_what_is_absent_is_said_with_the_reason(self, tmp_path: Path, remove) -> None:
        bids, out = write_trial(tmp_path, n=8)
        remove(bids, out)
        html = run_group(bids, out, tmp_path / 'work').read_text(encoding='utf-8')
        said = section(html, 'summary')
        for words in ABSENT[remove]:
            assert words in said
        assert re.findall(r'<section id="(\w+)"', html) == list(SECTIONS)
        assert Page(html).all('section')

    def test_nothing_without_a_record_of_the_trial(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInputError, match=r'trial\.json is absent'):
            write_trial_report(tmp_path)


class TestTryingOut:
    def change(self, out: Path, tmp_path: Path, **parameters: object) -> str:
        copy = tmp_path / 'out'
        shutil.copytree(out, copy, ignore=shutil.ignore_patterns('sub-*', 'tpl-*'))
        (path,) = copy.glob('group/log/*/run.json')
        record = json.loads(path.read_text())
        record['parameters'] |= parameters
        path.write_text(json.dumps(record))
        return section(write_trial_report(copy).read_text(encoding='utf-8'), 'summary')

    def test_few_permutations_are_for_trying_out(self, out: Path, tmp_path: Path) -> None:
        said = self.change(out, tmp_path, skip=[], n_permutations=200)
        assert 'For trying out, not for conclusions' in said
        assert '--n-permutations 200 in place of 1,000' in said

    def test_sloppy_is_for_trying_out(self, out: Path, tmp_path: Path) -> None:
        assert '--sloppy' in self.change(out, tmp_path, sloppy=True)

    def test_defaults_are_not(self, html: str) -> None:
        assert 'trying out' not in html

    def test_failures_are_told_at_the_top(self, out: Path, tmp_path: Path) -> None:
        (path,) = out.glob('group/log/*/run.json')
        copy = tmp_path / 'out'
        shutil.copytree(out, copy, ignore=shutil.ignore_patterns('sub-*', 'tpl-*'))
        copied = copy / path.relative_to(out)
        copied.write_text(
            json.dumps({**json.loads(path.read_text()), 'errors': [{'node': 'fit', 'message': 'it broke'}]})
        )
        said = section(write_trial_report(copy).read_text(encoding='utf-8'), 'summary')
        assert '1 step failed: results are incomplete fit : it broke' in said


@pytest.fixture(scope='module')
def browser():
    """Return a headless Chromium without a network; skip where there is none."""
    found = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser')
    if not found:
        pytest.skip('no Chromium found; set CHROMIUM to its path')
    playwright = pytest.importorskip('playwright.sync_api')
    flags = '--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run'
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=flags.split())
        yield opened
        opened.close()


class TestBrowser:
    def open(self, browser, out: Path, width: int = 1280):
        context = browser.new_context(viewport={'width': width, 'height': 844}, offline=True)
        page = context.new_page()
        page.problems = []
        page.on('console', lambda message: message.type == 'error' and page.problems.append(message.text))
        page.on('pageerror', lambda error: page.problems.append(str(error)))
        page.on('requestfailed', lambda request: page.problems.append(request.url))
        page.goto((out / 'group' / 'report.html').as_uri())
        return page

    @pytest.mark.parametrize('width', [1280, 390])
    def test_opens_without_error_missing_figure_or_sideways_scrolling(
        self, browser, out: Path, width: int
    ) -> None:
        page = self.open(browser, out, width)
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        page.wait_for_timeout(200)
        assert page.problems == []
        assert page.evaluate('document.documentElement.scrollWidth') == width
        assert page.evaluate('[...document.images].every(i => i.complete && i.naturalWidth)')
        sizes = page.evaluate(
            "[...document.querySelectorAll('svg.drawn')].map(s => s.getBoundingClientRect().height)"
        )
        assert len(sizes) > 15
        assert min(sizes) > 50

    def test_tables_sort_by_number_and_by_word(self, browser, out: Path) -> None:
        page = self.open(browser, out)
        column = "[...document.querySelectorAll('#scans tbody tr')].map(r => r.cells[{}].textContent.trim())"
        page.locator('#scans thead button', has_text='Mean FD').click()
        shown = [float(text) for text in page.evaluate(column.format(6)) if text]
        assert shown == sorted(shown)
        page.locator('#scans thead button', has_text='Mean FD').press('Enter')
        shown = [float(text) for text in page.evaluate(column.format(6)) if text]
        assert shown == sorted(shown, reverse=True)
        assert page.locator('#scans thead th[aria-sort]').get_attribute('aria-sort') == 'descending'
        page.locator('#scans thead button', has_text='Participant').click()
        people = page.evaluate(column.format(0))
        assert people == sorted(people)

    def test_rows_are_filtered_by_words(self, browser, out: Path) -> None:
        page = self.open(browser, out)
        page.locator('input[data-filters=scans]').fill('sub-05 post')
        shown = page.locator('#scans tbody tr:visible')
        assert shown.count() == 2
        assert (
            page.locator('output[for=scans]').inner_text()
            == f'2 of {page.locator("#scans tbody tr").count()} rows'
        )

    def test_people_are_reached_by_keyboard(self, browser, out: Path) -> None:
        page = self.open(browser, out)
        people = page.locator('svg[aria-label^="Average low back pain"] a.person')
        assert people.evaluate_all("all => all.filter(a => a.getAttribute('tabindex') === '0').length") == 1
        people.first.focus()
        page.keyboard.press('ArrowRight')
        name = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert name != people.first.get_attribute('aria-label')
        page.keyboard.press('Enter')
        page.wait_for_url(f'**/{name}.html')
        assert page.locator('h1').inner_text() == f'Participant {name.removeprefix("sub-")}'

    def test_maps_can_be_looked_through(self, browser, out: Path) -> None:
        page = self.open(browser, out)
        place = page.locator(f'#NAc-{CONTRAST}')
        assert page.locator('canvas').count() == 0
        place.locator('button').press('Enter')
        canvas = place.locator('canvas')
        canvas.wait_for()
        page.wait_for_function("document.activeElement.classList.contains('brain')")
        before = canvas.evaluate('c => c.toDataURL()')
        page.keyboard.press('PageUp')
        assert canvas.evaluate('c => c.toDataURL()') != before
        pixels = 'c => [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data].filter((v, i) => i % 4 < 3 && v > 60).length'
        assert canvas.evaluate(pixels) > 1000
        settings = json.loads(place.get_attribute('data-settings'))
        assert settings['colorMap']['max'] == pytest.approx(7.5)
        assert page.problems == []

    def test_paper_has_everything_open_and_no_controls(self, browser, out: Path) -> None:
        page = self.open(browser, out)
        page.emulate_media(media='print')
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(
            "[...document.querySelectorAll('main details:not(.screen)')].every(part => part.open)"
        )
        assert not page.locator('nav').is_visible()
        assert not page.locator('.filter').first.is_visible()
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert not page.evaluate(
            "[...document.querySelectorAll('main details:not(.screen)')].every(part => part.open)"
        )

    def test_without_scripts_everything_is_there(self, browser, out: Path) -> None:
        context = browser.new_context(java_script_enabled=False, offline=True)
        page = context.new_page()
        page.goto((out / 'group' / 'report.html').as_uri())
        assert page.locator('#scans tbody tr').first.is_visible()
        assert page.locator('svg.drawn').first.is_visible()
        assert not page.locator('.filter').first.is_visible()
