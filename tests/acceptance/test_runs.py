"""A run that ends early is a line of the table, and the others go on."""

from tests.acceptance import __main__ as accept
from tests.acceptance.checks import met


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
