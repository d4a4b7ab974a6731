"""Whether the page of a participant shows what is on disk: each job for a session adds a receipt."""

import pytest

from bids_app.participant.run import is_page_current
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
