"""Which long run made which table of ``tests/golden``, and from what source: ``made.json``.

A fresh clone has no times of files, so what counts is what the source computes: the syntax trees of a study and of
every definition it reaches, without docstrings, comments and imports.  A reference to a definition stands for what
is defined, not for its name or place.  So moving, renaming or formatting code makes no table old; what computes
another number does, and so does a table that was edited by hand.
"""

import ast
import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / 'tests' / 'golden'
STUDIES = REPOSITORY / 'tests' / 'acceptance' / 'studies'
REGISTRY = GOLDEN / 'made.json'
COMPUTING = ('pipelines', 'bids_app', 'tests')
"""Packages whose definitions a study rests on where it reaches them."""

BESIDE = (
    'pipelines.errors',
    'pipelines.terms',
    'pipelines.interfaces._interface',
    'tests.acceptance.studies',
)
"""Modules of words, and of how steps are wrapped and trials divided among processes: they compute no number."""


class Source(NamedTuple):
    """What a table was computed from: one digest of everything, and one of each file to name what changed."""

    digest: str
    files: dict[str, str]


EVERYTHING = '*'


class Definition(NamedTuple):
    """A name at the top of a module, or everything that it defines."""

    module: str
    name: str


def is_wording(node: object) -> bool:
    """Return whether a statement computes nothing: an import, or text that documents what is beside it."""
    text = node.value if isinstance(node, ast.Expr) else None
    is_text = isinstance(text, ast.Constant) and isinstance(text.value, str)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom)


class Module:
    """The statements of a file by the names they define, and what its names refer to."""

    def __init__(self, name: str, path: Path, repository: Path) -> None:
        self.name, self.repository = name, repository
        self.is_package = path.name == '__init__.py'
        self.place = path.relative_to(repository).as_posix()
        self.tree = ast.parse(path.read_text())

    @cached_property
    def defined(self) -> dict[str, list[ast.stmt]]:
        """Statements by the name they define; those that define none under the empty name."""
        found: dict[str, list[ast.stmt]] = {}
        for node in self.tree.body:
            if not is_wording(node):
                for name in names_of(node) or ['']:
                    found.setdefault(name, []).append(node)
        return found

    @cached_property
    def refers(self) -> dict[str, Definition]:
        """What each imported name is."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    is_module = find_module(f'{base}.{alias.name}', self.repository) is not None
                    target = (f'{base}.{alias.name}', EVERYTHING) if is_module else (base, alias.name)
                    found[alias.asname or alias.name] = Definition(*target)
        return found

    def _base(self, node: ast.ImportFrom) -> str:
        parts = self.name.split('.') if self.is_package else self.name.split('.')[:-1]
        above = parts[: len(parts) - node.level + 1] if node.level else []
        return '.'.join([*above, *filter(None, [node.module])])


def names_of(node: ast.stmt) -> list[str]:
    """Return the names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, 'target', None)]
    return [
        part.id for target in targets if target for part in ast.walk(target) if isinstance(part, ast.Name)
    ]


def find_module(name: str, repository: Path) -> Path | None:
    """Return the file of a module of the computing packages."""
    is_beside = any(f'{name}.'.startswith(f'{beside}.') for beside in BESIDE)
    if name.split('.')[0] not in COMPUTING or is_beside:
        return None
    place = repository.joinpath(*name.split('.'))
    files = (place.with_suffix('.py'), place / '__init__.py')
    return next((path for path in files if path.is_file()), None)


class Reader:
    """Reads definitions and what they reach; ``own`` holds a digest of each that stands for no other."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.modules: dict[str, Module | None] = {}
        self.digests: dict[Definition, str] = {}
        self.own: dict[Definition, str] = {}

    def module(self, name: str) -> Module | None:
        """Return a module, or nothing where it is none of ours or computes nothing."""
        if name not in self.modules:
            path = find_module(name, self.repository)
            self.modules[name] = Module(name, path, self.repository) if path else None
        return self.modules[name]

    def digest(self, wanted: Definition) -> str:
        """Return the digest of a definition with all that it reaches."""
        module = self.module(wanted.module)
        if module is None:
            return '@'
        if wanted.name == EVERYTHING:
            every = [wanted._replace(name=name) for name in module.defined]
            return sha256(' '.join(sorted(map(self.digest, every))))
        if wanted.name not in module.defined and wanted.name in module.refers:  # handed on by a package
            return self.digest(module.refers[wanted.name])
        if wanted not in self.digests:
            self.digests[wanted] = '@'  # what refers to itself
            nodes = module.defined.get(wanted.name, [])
            self.own[wanted] = sha256(' '.join(outline(node, module, None) for node in nodes))
            self.digests[wanted] = sha256(' '.join(outline(node, module, self) for node in nodes))
        return self.digests[wanted]


def outline(node: object, module: Module, reader: Reader | None) -> str:
    """Return a syntax tree as text without places and names of ours; ``reader`` tells what is referred to."""
    wanted = reference(node, module)
    if wanted and wanted.module and wanted.module.split('.')[0] not in COMPUTING:
        return '.'.join(wanted)  # of a library
    if wanted:
        return reader.digest(wanted) if reader else '@'
    if isinstance(node, ast.AST):
        # the name of a definition is told by nobody who refers to it
        left_out = ('kind', 'type_comment', *(['name'] if node in module.tree.body else []))
        told = []
        for name, value in ast.iter_fields(node):
            kept = [part for part in value if not is_wording(part)] if isinstance(value, list) else value
            # what is absent is left out, for later versions of Python know more fields
            if kept not in (None, []) and name not in left_out:
                told.append(f'{name}={outline(kept, module, reader)}')
        return f'{type(node).__name__}({", ".join(told)})'
    if isinstance(node, list):
        return f'[{", ".join(outline(part, module, reader) for part in node)}]'
    return repr(node)


def reference(node: object, module: Module) -> Definition | None:
    """Return the definition that an expression refers to: a name of the module or imported, or one of a module."""
    if isinstance(node, ast.Name):
        if node.id in module.defined:
            is_read = isinstance(node.ctx, ast.Load)
            return Definition(module.name, node.id) if is_read else Definition('', '')
        return module.refers.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = module.refers.get(node.value.id)
        return Definition(found.module, node.attr) if found and found.name == EVERYTHING else None
    return None


def sha256(text: str) -> str:
    """Return the first digits of the checksum of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_of(study: Path, repository: Path = REPOSITORY) -> Source:
    """Return the digests of all that a study computes with."""
    reader, name = Reader(repository), '.'.join(study.relative_to(repository).with_suffix('').parts)
    reader.modules[name] = Module(name, study, repository)
    digest, files = reader.digest(Definition(name, EVERYTHING)), dict[str, list[str]]()
    for found, own in sorted(reader.own.items()):
        files.setdefault(reader.modules[found.module].place, []).append(own)
    return Source(digest, {place: sha256(' '.join(sorted(parts))) for place, parts in sorted(files.items())})


def read_registry() -> dict[str, dict]:
    """Return the registry: file name of a table to the study and digests it was made with."""
    return dict(json.loads(REGISTRY.read_text()))


def stamp(table: Path, name: str, source: Source) -> None:
    """Write down that a table was made by the study of this name, as its source was."""
    entry = {
        'command': f'scripts/accept --only {name}',
        'study': name,
        'content': hashlib.sha256(table.read_bytes()).hexdigest(),
        'digest': source.digest,
        'sources': source.files,
    }
    registry = {**(read_registry() if REGISTRY.exists() else {}), table.name: entry}
    REGISTRY.write_text(json.dumps(dict(sorted(registry.items())), indent=2) + '\n')


def changed(entry: dict, source: Source) -> list[str]:
    """Return the files whose computation is not that of the table; none where code only moved."""
    if source.digest == entry['digest']:
        return []
    before = entry['sources']
    found = sorted(name for name in {**before, **source.files} if before.get(name) != source.files.get(name))
    return found or ['what is called where']
