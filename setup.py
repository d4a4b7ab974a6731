"""What setup.cfg cannot say: addresses, which only the publisher knows, and the first page with links that lead somewhere."""

import configparser
import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent


def publisher() -> configparser.SectionProxy:
    """Return the part of setup.cfg that a publisher fills in."""
    parser = configparser.ConfigParser()
    parser.read(HERE / 'setup.cfg')
    return parser['clbpe:release']


def first_page(url: str, version: str) -> str:
    """Return README for an index page: links into the repository, or their words where its address is not known."""
    text = (HERE / 'README.md').read_text(encoding='utf-8')
    pictures, links = r'!\[([^\]]*)\]\((?!https?:)([^)]+)\)', r'\[([^\]]*)\]\((?!https?:|#)([^)]+)\)'
    if not url:
        return re.sub(links, r'\1', re.sub(pictures, '', text))
    text = re.sub(pictures, rf'![\1]({url}/raw/v{version}/\2)', text)
    return re.sub(links, rf'[\1]({url}/blob/v{version}/\2)', text)


known = publisher()
setup(
    long_description=first_page(known['url'], known['version']),
    **({'url': known['url'], 'project_urls': {
        'Source': known['url'], 'Issues': f'{known["url"]}/issues', 'Changes': f'{known["url"]}/blob/main/CHANGES.md',
    }} if known['url'] else {}),
)  # fmt: skip
