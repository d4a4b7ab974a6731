"""A run that ends early is a line of the table, and the others go on."""

from types import SimpleNamespace

import pytest

from tests.acceptance import __main__ as accept
from tests.acceptance.checks import met
from tests.acceptance.marked import _cases
from tests.conftest import pytest_collection_modifyitems


def test_what_ends_a_run_early_is_told_and_the_next_one_runs(monkeypatch, capsys, tmp_path):
    def broken(context):
        raise ValueError('too many values to unpack')

    def whole(context):
        checks = met('whole')
        checks.note('is asked after the first', context.sloppy, context.sloppy)
        return checks

    monkeypatch.setattr(accept, 'RUNS', {'broken': broken, 'whole': whole})
    monkeypatch.setattr(accept, 'SIMULATED', {'broken', 'whole'})
    assert accept.main(['--sloppy', '--out', str(tmp_path), '--only', 'broken', 'whole']) == 1
    table = capsys.readouterr().out
    assert 'ValueError: too many values to unpack' in table
    assert (table.count('NOT MET'), table.count(' met ')) == (1, 1)


@pytest.mark.parametrize(
    ('asked', 'run'), [('', ['quick']), ('not container', ['quick']), ('long', ['quick', 'long'])]
)
def test_long_tests_run_where_they_are_asked_for(asked, run):
    left = []
    config = SimpleNamespace(
        option=SimpleNamespace(markexpr=asked),
        hook=SimpleNamespace(pytest_deselected=lambda items: left.extend(items)),
    )
    items = [
        SimpleNamespace(name=name, path=name, get_closest_marker=lambda mark, own=name: mark == own)
        for name in ('quick', 'long')
    ]
    pytest_collection_modifyitems(config, items)
    assert [item.name for item in items] == run
    assert [item.name for item in left] == [name for name in ('long',) if name not in run]


def test_a_report_tells_what_failed_and_what_did_not_run(tmp_path):
    report = tmp_path / 'report.xml'
    report.write_text(
        '<testsuites><testsuite>'
        '<testcase classname="tests.cases.test_bold" name="test_a" time="1.5">'
        '<properties><property name="inputs" value="120"/></properties></testcase>'
        '<testcase classname="tests.cases.test_bold" name="test_b" time="0"><failure message="assert 1 == 2&#10;more"/></testcase>'
        '<testcase classname="tests.cases.test_bold" name="test_c" time="0"><skipped message="no data"/></testcase>'
        '</testsuite></testsuites>'
    )
    assert _cases(report) == [
        ('test_bold test_a', 1.5, '', False, 120), ('test_bold test_b', 0, 'assert 1 == 2', False, 0),
        ('test_bold test_c', 0, 'no data', True, 0),
    ]  # fmt: skip
    assert _cases(tmp_path / 'absent.xml') == []
