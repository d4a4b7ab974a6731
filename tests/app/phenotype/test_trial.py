import copy
import dataclasses
import json
import re
from pathlib import Path

import pytest

from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import DATA_DIR, DerivativeOutcome, TableOutcome, read_trial
from pipelines.errors import DataError, MissingInputError

SMALL = {
    'Arms': {'Table': 'participants.tsv', 'Column': 'group', 'Treatment': 'a', 'Control': 'b'},
    'Visits': {'baseline': {'Session': 'pre'}, 'followup': {'Session': 'ses-post'}},
    'Outcomes': {'nrs': {'Table': 'phenotype/nrs.tsv', 'Column': 'nrs', 'Units': 'points', 'Range': [0, 10]}},
}
PAGE = (Path(__file__).resolve().parents[3] / 'docs' / 'trial.md').read_text()
DEFAULT = json.loads((DATA_DIR / 'trial.json').read_text())


def write(tmp_path, content):
    path = tmp_path / 'trial.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(base, path, value):
    """Return a copy with the value at a dotted path replaced, or removed for ``...``."""
    content = copy.deepcopy(base)
    *parents, last = path.split('.')
    inner = content
    for part in parents:
        inner = inner[int(part)] if isinstance(inner, list) else inner[part]
    last = int(last) if isinstance(inner, list) else last
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return content


def test_the_order_of_keys_means_nothing(tmp_path):
    """Editors and programs sort the keys of an object as they like."""
    upside_down = {key: DEFAULT[key] for key in reversed(DEFAULT)}
    upside_down['BDNF'] = {**DEFAULT['BDNF'], 'Samples': dict(reversed(DEFAULT['BDNF']['Samples'].items()))}
    as_given, reversed_ = (read_trial(write(tmp_path, content)) for content in (DEFAULT, upside_down))
    assert reversed_ == as_given
    assert [sample.name for sample in as_given.biomarkers[0].samples] == [
        's7_pre',
        's7_post',
        's42_pre',
        's42_post',
    ]


def test_default_is_the_registered_trial():
    trial = read_trial()
    assert trial.is_default
    assert (trial.arms.treatment, trial.arms.control) == ('exercise', 'waitlist')
    assert [(v.name, v.session_id) for v in trial.visits] == [
        ('baseline', 'ses-pre'),
        ('followup', 'ses-post'),
    ]
    by_role = {
        role: [o.name for o in trial.outcomes.values() if o.role == role] for role in ('primary', 'secondary')
    }
    assert by_role == {
        'primary': ['nrs'],
        'secondary': ['odi', 'fc_nac_mpfc', 'icc_nac', 'icc_mpfc', 'fa_nac_mpfc'],
    }
    nrs = trial.outcomes['nrs']
    assert (nrs.low, nrs.high, nrs.minimal_important_change, nrs.minimal_important_percent) == (0, 10, 2, 30)
    assert trial.outcomes['odi'].items == tuple(f'odi_{n}' for n in range(1, 11))
    assert trial.outcomes['fc_nac_mpfc'].regions == ('NAc', 'mPFC')
    assert trial.outcomes['fa_nac_mpfc_left'].hemisphere == 'L'
    assert [(s.session_id, s.time) for s in trial.biomarkers[0].samples] == [
        ('ses-wk3', 'pre'), ('ses-wk3', 'post'), ('ses-wk14', 'pre'), ('ses-wk14', 'post'),
    ]  # fmt: skip
    assert [(v.name, v.session_id) for v in trial.expression.visits] == [
        ('first', 'ses-wk3'),
        ('last', 'ses-wk14'),
    ]
    assert trial.attendance.planned == 42


def test_outcomes_know_where_their_values_are():
    trial = read_trial()
    assert {type(o) for o in trial.outcomes.values()} == {TableOutcome, DerivativeOutcome}
    assert [o.name for o in trial.table_outcomes] == ['nrs', 'odi', 'submap85', 'sixmwd']
    assert len(trial.derivative_outcomes) + len(trial.table_outcomes) == len(trial.outcomes)
    assert (trial.outcomes['fa_nac_mpfc'].low, trial.outcomes['fa_nac_mpfc'].high) == (0, 1)


def test_a_trial_of_tables_only_is_enough(tmp_path):
    trial = read_trial(write(tmp_path, SMALL))
    assert not trial.is_default
    assert trial.name == 'trial'
    assert (trial.biomarkers, trial.expression, trial.mediation, trial.attendance) == ((), None, (), None)
    assert trial.visits[1].session_id == 'ses-post'
    assert trial.outcomes['nrs'].lower_is_better is None


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        read_trial().arms.column = 'arm'


def test_schema_is_a_schema():
    from jsonschema import Draft202012Validator

    schema = json.loads((DATA_DIR / 'trial.schema.json').read_text())
    assert Draft202012Validator.check_schema(schema) is None
    # an editor reads it beside the file it is named in
    assert (DATA_DIR / DEFAULT['$schema']).is_file()


def test_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / 'trial.json'
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(SMALL).encode())
    assert list(read_trial(path).outcomes) == ['nrs']


FAULTS = {
    'unknown key at the top': ('Outcome', {}, ['Outcome is no known key', 'Did you mean Outcomes?']),
    'unknown key in an outcome': ('Outcomes.nrs.Unit', 'points', ['Outcomes.nrs.Unit is no known key', 'Units']),
    'wrong case': ('Outcomes.nrs.range', [0, 1], ['Outcomes.nrs.range', 'Did you mean Range?']),
    'missing key': ('Arms.Control', ..., ['Arms.Control is missing']),
    'one visit alone': ('Visits.followup', ..., ['Outcomes.nrs: baseline is the only visit', '"Visits": ["baseline"]']),
    'no visit': ('Visits', {}, ['Visits is empty']),
    'no outcome': ('Outcomes', {}, ['Outcomes is empty', 'at least one']),
    'text for a number': ('Outcomes.nrs.MinimalImportantChange', '2', ['MinimalImportantChange: "2" is not a number']),
    'word for true': ('Outcomes.nrs.LowerIsBetter', 'yes', ['LowerIsBetter: "yes" is not true or false']),
    'list for an object': ('Arms', [], ['Arms: [] is not an object']),
    'one limit': ('Outcomes.nrs.Range', [0], ['Outcomes.nrs.Range: 1 values where 2']),
    'limits turned': ('Outcomes.nrs.Range', [10, 0], ['Outcomes.nrs.Range: 10 is not below 0']),
    'unknown role': ('Outcomes.nrs.Role', 'primery', ['Role: "primery"', 'Did you mean primary?']),
    'no column': ('Outcomes.nrs.Column', ..., ['Outcomes.nrs has neither Column nor Items']),
    'no units': ('Outcomes.nrs.Units', ..., ['Outcomes.nrs.Units is missing']),
    'a spreadsheet': ('Outcomes.nrs.Table', 'phenotype/nrs.xlsx', ['nrs.xlsx', 'tabs between the columns']),
    'absolute path': ('Outcomes.nrs.Table', '/data/nrs.tsv', ['/data/nrs.tsv', 'leads out of the dataset']),
    'path upwards': ('Arms.Table', '../participants.tsv', ['Arms.Table', 'leads out of the dataset']),
    'session with blank': ('Visits.baseline.Session', 'week 0', ['Visits.baseline.Session: "week 0"', 'letters and digits']),
    'same session': ('Visits.followup.Session', 'pre', ['Visits: baseline and followup are the same session pre']),
    'same arm': ('Arms.Control', 'A', ['two arms have the same name']),
    'empty name': ('Arms.Column', ' ', ['Arms.Column', 'is empty']),
    'name of an outcome': ('Outcomes.6mwd', {'Table': 'a.tsv', 'Column': 'a', 'Units': 'm'}, ['"6mwd" is no name']),
    'unknown derivative': ('Outcomes.x', {'Derivative': 'fa'}, ['Outcomes.x.Derivative: "fa"', 'tract_fa']),
    'one region': ('Outcomes.x', {'Derivative': 'roi_connectivity', 'Regions': ['NAc']}, ['1 regions where', 'has 2']),
    'items without an end': ('Outcomes.x', {'Derivative': 'tract_fa', 'Regions': ['NAc', 'mPFC', 'NAcL']}, ['Outcomes.x.Regions: 3 values; at most 2']),
    'unknown region': ('Outcomes.x', {'Derivative': 'intrinsic_connectivity', 'Regions': ['mpfc']}, ['mPFC']),
    'side of a region': (
        'Outcomes.x', {'Derivative': 'intrinsic_connectivity', 'Regions': ['NAc'], 'Hemisphere': 'L'},
        ['Outcomes.x.Hemisphere is of tracts only'],
    ),
    'column of a derivative': ('Outcomes.x', {'Derivative': 'tract_fa', 'Column': 'fa'}, ['Outcomes.x.Column is no known']),
    'items twice': ('Outcomes.nrs.Items', ['a', 'a'], ['Outcomes.nrs.Items', 'stands twice']),
    'range of no items': ('Outcomes.nrs.ItemRange', [0, 5], ['Outcomes.nrs', 'no Items']),
    'unknown mediator': (
        'Mediation', [{'Name': 'm', 'Mediators': ['nsr'], 'Outcome': 'nrs'}],
        ['Mediation.0.Mediators: "nsr"', 'Did you mean nrs?'],
    ),
    'mediator is outcome': ('Mediation', [{'Name': 'm', 'Mediators': ['nrs'], 'Outcome': 'nrs'}], ['at once']),
    'gene set without expression': (
        'Mediation', [{'Name': 'm', 'Mediators': ['expression:X'], 'Outcome': 'nrs'}], ['part Expression'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(('path', 'value', 'words'), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_by_the_path_of_its_key(tmp_path, path, value, words):
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, changed(SMALL, path, value)))
    message = str(caught.value)
    assert all(word in message for word in [*words, 'trial.json']), message
    # one line per fault, and no word of the schema's language
    assert len(message.splitlines()) == 2, message
    assert not any(word in message for word in ('schema', 'regex', 'valid under', 'instance'))


BLOOD = {
    'a time twice': ('BDNF.Samples.s7_post.Time', 'PRE', ['BDNF.Samples: two samples']),
    'limits turned': ('BDNF.LowerLimit', 9, ['BDNF.LowerLimit: 9 is not below UpperLimit 5']),
    'negative limit': ('BDNF.LowerLimit', -1, ['BDNF.LowerLimit: -1 is not above 0']),
    'a sample less': ('BDNF.Samples.s42_pre', ..., ['BDNF.Samples.s42_pre is missing']),
    'same visit': (
        'Expression.Visits.last.Session',
        'wk3',
        ['Expression.Visits: first and last are the same'],
    ),
    'one parallel': (
        'Mediation.0.Structure',
        'parallel',
        ['Mediation.0.Structure: parallel needs two or more'],
    ),
    'two single': ('Mediation.0.Mediators', ['odi', 'icc_nac'], ['Mediation.0.Structure: single needs one']),
    'all items missing': ('Outcomes.odi.MaxMissingItems', 10, ['MaxMissingItems: 10 leaves none of 10']),
}


@pytest.mark.parametrize(('path', 'value', 'words'), BLOOD.values(), ids=BLOOD)
def test_parts_that_contradict_each_other(tmp_path, path, value, words):
    base = changed(DEFAULT, 'BDNF.UpperLimit', 5)
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, changed(base, path, value)))
    assert all(word in str(caught.value) for word in words), caught.value


def test_all_faults_are_told_at_once(tmp_path):
    content = changed(SMALL, 'Arms.Control', ...)
    content = changed(content, 'Outcomes.nrs.Range', 'wide')
    content['Covariate'] = ['age']
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, content))
    assert all(word in str(caught.value) for word in ('Arms.Control', 'Outcomes.nrs.Range', 'Covariates?'))


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('{"Arms": 1,}', ['no valid JSON', 'line 1']),
        ('', ['no valid JSON']),
        ('{"Range": [0, Infinity]}', ['no valid JSON', 'Infinity', 'null']),
        ('[1]', ['the file: [1] is not an object']),
        ('{"Arms": {}, "Arms": {}}', ['"Arms" stands twice']),
    ],
)
def test_what_is_no_trial_file(tmp_path, content, words):
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, content))
    assert all(word in str(caught.value) for word in [*words, 'trial.json'])


def test_absent_file_is_66(tmp_path):
    with pytest.raises(MissingInputError, match=r'nowhere\.json') as caught:
        read_trial(tmp_path / 'nowhere.json')
    assert caught.value.exit_code == 66


@pytest.mark.parametrize(
    'part', ['BDNF', 'Expression', 'Mediation', 'Attendance', 'AdverseEvents', 'Covariates']
)
def test_every_part_may_be_absent(tmp_path, part):
    content = changed(DEFAULT, part, ...)
    if part == 'Expression':  # mediators that are gene sets need it
        models = content['Mediation']
        content['Mediation'] = [m for m in models if not any(':' in name for name in m['Mediators'])]
    trial = read_trial(write(tmp_path, content))
    field = {'BDNF': 'biomarkers', 'AdverseEvents': 'adverse_events'}.get(part, part.lower())
    assert not getattr(trial, field)


def test_trial_files_of_the_documentation_are_sound(tmp_path):
    blocks = re.findall(r'```json\n(.*?)```', PAGE, re.DOTALL)
    names = [sorted(read_trial(write(tmp_path, block)).outcomes) for block in blocks]
    assert names == [
        ['nrs'],
        ['pain', 'rmdq'],
        ['rmdq'],
        ['catastrophising', 'response_time'],
        ['bdi', 'fc'],
        ['pain', 'recurrence'],
        ['pain', 'pgic'],
        ['function', 'pain'],
        ['classes', 'rmdq'],
        ['fa_left', 'fc_nac_mpfc', 'icc_nac', 'nrs', 'rmdq'],
        ['falls', 'nrs', 'pgic', 'sessions', 'working'],
        ['nrs'],
    ]


def test_example_of_the_documentation_can_be_run(tmp_path):
    files = re.findall(r'^`([^`\n]+)`[^`\n]*:\n\n```\w+\n(.*?)```', PAGE, re.DOTALL | re.MULTILINE)
    for name, content in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    tables = read_tables(tmp_path, read_trial(tmp_path / 'trial.json'))
    table = tables.outcomes.pivot(index='participant_id', columns='visit', values='value')
    assert table['baseline'].tolist() == [6, 5, 7, 6]
    assert table['followup'].isna().tolist() == [False, False, True, False]
    assert not tables.messages


def test_every_key_is_in_the_documentation():
    """What the schema allows, the page explains by name or by example."""
    schema = json.loads((DATA_DIR / 'trial.schema.json').read_text())
    keys, waiting = set(), [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            keys |= set(part.get('properties', {}))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    assert {key for key in keys if key not in PAGE} <= {'Description'}
