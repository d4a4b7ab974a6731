"""Whether the page of a participant shows what is on disk: each job for a session adds a receipt."""

import pytest

from bids_app.cli import make_settings
from bids_app.outputs.chains import methods_of
from bids_app.participant.run import _report, is_page_current
from bids_app.running.manifest import Receipt, digest_of, receipts_folder


@pytest.fixture
def person(tmp_path):
    folder = tmp_path / 'sub-01'
    folder.mkdir()
    (folder / 'a.tsv').write_text('a')
    return folder


def finish(folder, name, content):
    """Write a file and its receipt, as a step does."""
    path = folder / f'{name}.tsv'
    path.write_text(content)
    Receipt(receipts_folder(folder) / f'{name}.json', folder.parent, {'fwhm': 6}, {}).write([path])


def test_a_page_is_current_until_another_step_finishes(person):
    assert not is_page_current(person.parent, '01')
    finish(person, 'ses-pre_connectivity', 'x')
    page = person.parent / 'sub-01.html'
    page.write_text(f'<meta name="clbpe-shows" content="{digest_of(person)}">')
    assert is_page_current(person.parent, '01')
    finish(person, 'ses-post_connectivity', 'y')
    assert not is_page_current(person.parent, '01')


def test_a_page_made_of_other_content_is_not_current(person):
    finish(person, 'ses-pre_connectivity', 'x')
    before = digest_of(person)
    finish(person, 'ses-pre_connectivity', 'z')
    assert digest_of(person) != before
    finish(person, 'ses-pre_connectivity', 'x')
    assert digest_of(person) == before, 'the same files made again are the same'


@pytest.mark.parametrize('nprocs', ['1', '2'])
def test_pages_of_several_people_are_all_written_and_told_in_their_order(tmp_path, nprocs, capfd):
    out = tmp_path / 'out'
    for label in ('01', '02', '03'):
        folder = out / f'sub-{label}'
        folder.mkdir(parents=True)
        finish(folder, 'ses-pre_connectivity', label)
    words = [str(tmp_path), str(out), 'participant', '-w', str(tmp_path / 'work'), '--nprocs', nprocs]
    _report(make_settings(words), ['01', '02', '03'])
    said = [line.split('sub-')[-1] for line in capfd.readouterr().out.splitlines()]
    assert said == ['01.html', '02.html', '03.html']
    assert all(is_page_current(out, label) for label in ('01', '02', '03'))


def test_methods_of_a_person_are_those_of_all_receipts(tmp_path):
    """Written by jobs for single sessions; a paragraph that two share stands once."""
    out = tmp_path / 'out'
    folder = out / 'sub-01'
    folder.mkdir(parents=True)
    for stage, texts in {
        'ses-pre_dwi': ('A tensor was fitted.', 'Fibres were tracked.'),
        'ses-pre_task-rest_connectivity': ('Noise was removed.',),
        'ses-post_task-rest_connectivity': ('Noise was removed.',),
    }.items():
        receipt = Receipt(receipts_folder(folder) / f'{stage}.json', out, {}, {}, texts)
        receipt.write([])
    assert methods_of(folder) == ['Noise was removed.', 'A tensor was fitted.', 'Fibres were tracked.']
    _report(make_settings([str(tmp_path), str(out), 'participant', '-w', str(tmp_path / 'w')]), ['01'])
    told = (folder / 'log' / 'CITATION.md').read_text()
    assert told.count('Noise was removed.') == 1
    assert 'Fibres were tracked.' in (out / 'sub-01.html').read_text()
