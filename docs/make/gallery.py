"""Run the examples: each becomes a page with its code, what it prints, and its figure."""

import contextlib
import io
import os
import re
import runpy
from pathlib import Path

from .pages import examples, title

os.environ.setdefault('MPLBACKEND', 'Agg')


def write(source: Path) -> None:
    """Put a page and a figure for every example into a folder."""
    folder = source / 'examples'
    folder.mkdir()
    for path in examples():
        printed = run(path, folder / f'{path.stem}.png')
        (folder / f'{path.stem}.md').write_text(page(path, printed), encoding='utf-8')


def run(path: Path, picture: Path) -> str:
    """Run an example, save its figure, and return what it prints."""
    import matplotlib.pyplot as plt

    plt.close('all')
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        runpy.run_path(str(path))
    plt.gcf().savefig(picture, dpi=110)
    plt.close('all')
    return out.getvalue()


def page(path: Path, printed: str) -> str:
    """Return an example as a page: its parts begin with ``# %%``, and comments below that are text."""
    about, code = path.read_text(encoding='utf-8').split('"""')[1:3]
    lines = [f'# {title(path)}', '', '\n'.join(about.splitlines()[2:]).strip(), '']
    lines += [f'![What the example draws]({path.stem}.png)', '']
    for part in re.split(r'^# %%\n', code, flags=re.MULTILINE):
        comment, rest = [], part.strip('\n').splitlines()
        while rest and rest[0].startswith('# ') and not rest[0].startswith('# fmt'):
            comment.append(rest.pop(0)[2:])
        lines += [' '.join(comment), '', '```python', *rest, '```', '']
    return '\n'.join([*lines, 'It prints', '', '```text', printed.rstrip(), '```', ''])
