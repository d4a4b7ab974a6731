"""Which pages the site has, and where their links lead: to pages, to copies of files, or into the repository."""

import configparser
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
SHOWN_FILES = ('.json', '.yaml', '.yml', '.sbatch', '.def', '.svg', '.png', '.tsv')
"""Files that pages offer: copied into the site."""

_LINK_OR_CODE = re.compile(
    r'^```.*?^```$|\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)|`[^`\n]+`',
    re.DOTALL | re.MULTILINE,
)
"""A block of code, a link into the repository (words, target, part of the page), or code in a line."""

Nav = dict[str, 'str | Nav']

NAV: Nav = {
    'Home': 'docs/index.md',
    'Start': {
        'Install': 'docs/start.md',
        'Tutorial': 'docs/tutorial.md',
        'Use': 'docs/usage.md',
        'Questions and answers': 'docs/faq.md',
        'Glossary': 'docs/glossary.md',
    },
    'Prepare': {
        'Inputs': 'docs/inputs.md',
        'The trial file': 'docs/trial.md',
        'Plan a trial': 'docs/planning.md',
        'Simulated data': 'docs/simulate.md',
    },
    'Analyses': {
        'Functional connectivity': 'docs/functional.md',
        'Diffusion and tracts': 'docs/diffusion.md',
        'The group': 'docs/group.md',
        'Gene expression': 'docs/expression.md',
        'Mediation': 'docs/mediation.md',
        'All options': 'docs/parameters.md',
    },
    'Results': {
        'For clinicians': 'docs/clinicians.md',
        'Reports': 'docs/report.md',
        'Outputs': 'docs/outputs.md',
        'How to cite': 'docs/cite.md',
        'Other programs': 'docs/comparison.md',
    },
    'Clusters and platforms': {
        'Docker, Slurm, CBRAIN': 'docs/deploy.md',
        'Apptainer': 'examples/apptainer.md',
        'What it survives': 'docs/reliability.md',
        'Speed': 'benchmarks/README.md',
    },
    'Notebooks': {
        'The interface': 'docs/notebooks.md',
        'Series': 'api/functional.md',
        'Tracts': 'api/diffusion.md',
        'Trials': 'api/statistics.md',
        'Examples': {},
    },
    'The project': {
        'Contributing': 'CONTRIBUTING.md',
        'The house': 'docs/house.md',
        'Changes': 'CHANGES.md',
        'Code of conduct': 'CODE_OF_CONDUCT.md',
        'Security': 'SECURITY.md',
    },
}
"""Titles and pages, by their paths in the repository; those of ``api`` and the examples are made."""


def release() -> dict[str, str]:
    """Return what only the publisher knows, from setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / 'setup.cfg')
    return dict(parser['clbpe:release'])


def examples() -> list[Path]:
    """Return the examples."""
    return sorted((REPOSITORY / 'examples/notebooks').glob('*.py'))


def paths(nav: Nav) -> Iterator[str]:
    """Yield the pages of a part of the table of contents."""
    for entry in nav.values():
        if isinstance(entry, str):
            yield entry
        else:
            yield from paths(entry)


def place(path: str) -> str:
    """Return where a page or a file of the repository lies in the site."""
    if path == 'README.md':
        return 'index.md'
    if path.startswith('examples/notebooks/'):
        return f'examples/{Path(path).stem}.md'
    if path.startswith('docs/'):
        return path.removeprefix('docs/')
    if path.endswith('.md'):
        return path.replace('/README.md', '.md').lower()
    return f'files/{path}'


WRITTEN = tuple(path for path in paths(NAV) if not path.startswith('api/'))
KNOWN = {*WRITTEN, 'README.md', *(f'examples/notebooks/{path.name}' for path in examples())}


def write(source: Path) -> None:
    """Put the written pages into a folder."""
    for path in WRITTEN:
        text = (REPOSITORY / path).read_text(encoding='utf-8')
        target = source / place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(figures(links(text, path, source), place(path)), encoding='utf-8')
    for name in ('style.css', 'iframe-worker.js'):
        shutil.copyfile(Path(__file__).with_name(name), source / name)


def links(text: str, page: str, source: Path) -> str:
    """Return a page whose links lead to pages of the site, to files copied into it, or into the repository."""

    def turned(found: re.Match[str]) -> str:
        words, target, part = found[1], found[2], found[3] or ''
        if not target:  # code, or an address
            return found[0]
        path = Path(os.path.normpath(Path(page).parent / target)).as_posix()
        real = REPOSITORY / path
        if not real.exists():
            raise SystemExit(f'{page}: {target} does not exist')
        if path in KNOWN:
            return f'[{words}]({relative(place(path), place(page))}{part})'
        if real.is_file() and real.suffix in SHOWN_FILES:
            copy = source / place(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(real, copy)
            return f'[{words}]({relative(place(path), place(page))})'
        url = release()['url']
        return f'[{words}]({url}/blob/main/{path})' if url else words

    return _LINK_OR_CODE.sub(turned, text)


def relative(target: str, page: str) -> str:
    """Return the address of a file of the site from a page of it."""
    return Path(os.path.relpath(target, Path(page).parent)).as_posix()


def figures(text: str, page: str) -> str:
    """Return a page with the figures of examples where it names them: ``<!-- figure: NAME -->``."""

    def shown(found: re.Match[str]) -> str:
        return f'![{found[2]}]({relative(f"examples/{found[1]}.png", page)})'

    return re.sub(r'<!-- figure: (\w+): (.*?) -->', shown, text)


def configure(stage: Path) -> None:
    """Write MkDocs' configuration beside the pages."""
    content = yaml.safe_load(Path(__file__).with_name('mkdocs.yml').read_text())
    NAV['Notebooks']['Examples'] = {  # type: ignore[index, assignment]
        title(path): f'examples/notebooks/{path.name}' for path in examples()
    }
    content['nav'] = placed(NAV)
    content['hooks'] = [str(Path(__file__).with_name('formulas.py'))]
    if release()['url']:
        content |= {'repo_url': release()['url'], 'site_url': ''}
    (stage / 'mkdocs.yml').write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def placed(nav: Nav) -> list[dict[str, object]]:
    """Return a part of the table of contents in MkDocs' form."""
    return [
        {
            name: (entry if entry.startswith('api/') else place(entry))
            if isinstance(entry, str)
            else placed(entry)
        }
        for name, entry in nav.items()
    ]


def title(path: Path) -> str:
    """Return the first line of an example."""
    return path.read_text().split('"""')[1].splitlines()[0].rstrip('.')
