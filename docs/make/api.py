"""Pages of the public interface, made of signatures and docstrings (numpydoc) of the functions themselves."""

import inspect
import re
from pathlib import Path
from typing import Any

import clbpe

from .pages import examples, title

TITLES = {
    'functional': ('Series', 'Denoising and connectivity of BOLD series.'),
    'diffusion': ('Tracts', 'Tensors, fibre orientations and tracts of diffusion series.'),
    'statistics': ('Trials', 'Outcomes over visits, mediation, maps, biomarkers, gene expression, power.'),
}
LISTS = ('Parameters', 'Attributes', 'Returns', 'Raises')
FIRST = 'Lines of examples stand after `import numpy as np`, `import pandas as pd` and `from clbpe import *`.'


def write(source: Path) -> None:
    """Put a page for each module of the interface into a folder."""
    (source / 'api').mkdir()
    for room, names in clbpe.ROOMS.items():
        heading, about = TITLES[room]
        parts = [f'# {heading}', about, FIRST, *(entry(name) for name in names)]
        (source / 'api' / f'{room}.md').write_text('\n\n'.join(parts) + '\n', encoding='utf-8')


def entry(name: str) -> str:
    """Return what the interface has under a name, as a part of a page."""
    value = getattr(clbpe, name)
    used = [path for path in examples() if f'clbpe.{name}(' in path.read_text()]
    shown = (
        [f'Example: {", ".join(f"[{title(path)}](../examples/{path.stem}.md)" for path in used)}']
        if used
        else []
    )
    return '\n\n'.join(
        [f'## {name}', f'```python\n{signature(name, value)}\n```', *described(value, name), *shown]
    )


def signature(name: str, value: Any) -> str:
    """Return how something is called, an argument in a line where there are many."""
    own = []
    is_keyword = False
    for parameter in inspect.signature(value).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword:
            own.append('*')
            is_keyword = True
        default = '' if parameter.default is parameter.empty else f'={parameter.default!r}'
        own.append(f'{parameter.name}{default if len(default) < 40 else "=..."}')
    line = f'clbpe.{name}({", ".join(own)})'
    return line if len(line) < 90 else f'clbpe.{name}(\n    ' + ',\n    '.join(own) + ',\n)'


def described(value: Any, name: str) -> list[str]:
    """Return a docstring in Markdown, by its sections."""
    text = inspect.getdoc(value) or ''
    parts = re.split(r'^([A-Z]\w+)\n-{3,}\n', text, flags=re.MULTILINE)
    lines = [prose(parts[0])]
    for heading, body in zip(parts[1::2], parts[2::2]):
        match heading:
            case 'Examples':
                own = re.sub(rf'\b{value.__name__}\(', f'{name}(', body)
                # what comes from a neighbour of the module is public here
                own = re.sub(r'^ *>>> from \.\w+ import .*\n', '', own, flags=re.MULTILINE)
                lines += [doctest(own)]
            case known if known in LISTS:
                lines += [f'**{heading}**', listed(body)]
            case _:
                lines += [f'**{heading}**', prose(body)]
    return lines


def listed(body: str) -> str:
    """Return a list of names, each with what it is."""
    found, said = [], ''
    for line in body.strip('\n').splitlines():
        if line and not line.startswith(' '):
            found.append(f'- `{line.strip()}`:')
        elif line.strip():
            said = line.strip()
            found[-1] += f' {said}'
    return prose('\n'.join(found))


def doctest(body: str) -> str:
    """Return examples as code, the text between them as text."""
    blocks = []
    for block in re.split(r'\n\s*\n', body.strip('\n')):
        is_code = block.lstrip().startswith('>>>')
        blocks.append(f'```pycon\n{inspect.cleandoc(block)}\n```' if is_code else prose(block))
    return '\n\n'.join(blocks)


def prose(text: str) -> str:
    """Return reStructuredText of a docstring as Markdown: formulas, roles, literals, footnotes."""
    text = inspect.cleandoc(text)
    text = re.sub(
        r'^\.\. math::\s*\n?((?:[ \t]*\S.*\n?|\n(?=[ \t]))+)',
        lambda found: '\n$$\n' + inspect.cleandoc(found[1]) + '\n$$\n', text, flags=re.MULTILINE,
    )  # fmt: skip
    text = re.sub(r':math:`([^`]+)`', lambda found: f'${" ".join(found[1].split())}$', text)
    text = re.sub(r':\w+:`~?([^`]+)`', lambda found: f'`{found[1].rpartition(".")[2]}`', text)
    text = re.sub(r'``([^`]+)``', r'`\1`', text)
    text = re.sub(r'^\.\. \[(\d+)\] ', r'- [\1] ', text, flags=re.MULTILINE)
    text = re.sub(r'(?<!^- )\[(\d+)\]_', r'[\1]', text)
    return text.replace('::\n', ':\n')
