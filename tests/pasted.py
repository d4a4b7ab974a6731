"""Commands of pages, as a reader pastes them into a shell."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_FENCED = re.compile(r'^```(\w*)\n(.*?)^```$\n?', re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r'(?:^ {4}.*\n)+', re.MULTILINE)
_LISTED = re.compile(r'^(?:- |\d+\. ).*\n(?:(?: .*)?\n)*?(?=^\S|\Z)', re.MULTILINE)


def blocks(page: str, heading: str | None = None) -> list[str]:
    """Return the shell commands of a page by block, of the part under a heading alone where one is given.

    A block is fenced as ``bash``, or indented by four blanks outside of lists; parts of deeper headings belong to a part.
    """
    text = (REPOSITORY / page).read_text(encoding='utf-8')
    if heading is not None:
        text = part(text, heading)
    found = []
    for piece in re.split(r'(^```.*?^```$\n?)', _LISTED.sub('', text), flags=re.DOTALL | re.MULTILINE):
        fenced = _FENCED.fullmatch(piece)
        if fenced:
            found += [fenced[2]] if fenced[1] == 'bash' else []
        else:
            found += [
                re.sub('^ {4}', '', block[0], flags=re.MULTILINE) for block in _INDENTED.finditer(piece)
            ]
    return found


def commented(name: str) -> str:
    """Return the shell commands in the comment at the head of a file: its lines that are indented by three blanks."""
    return ''.join(re.findall(r'^# {3}(.*\n)', (REPOSITORY / name).read_text(encoding='utf-8'), re.MULTILINE))


def lines(block: str) -> list[str]:
    """Return the commands of a block, each as one line."""
    return [line for line in block.replace('\\\n', ' ').splitlines() if line.strip()]


def part(text: str, heading: str) -> str:
    """Return what stands under a heading up to the next one of its level."""
    (start,) = re.finditer(rf'^(#+) {re.escape(heading)}$', text, re.MULTILINE)
    end = re.compile(rf'^#{{1,{len(start[1])}}} ', re.MULTILINE).search(text, start.end())
    return text[start.end() : end.start() if end else None]


def filled(block: str, **words: object) -> str:
    """Return commands with what the page writes in capitals (``BIDS_DIR``) replaced by words of the reader."""
    for name, word in words.items():
        block, count = re.subn(rf'(?<![\w$]){name}(?!\w)', str(word), block)
        assert count, f'{name} is not in {block}'
    return block
