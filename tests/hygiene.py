"""Budgets of the code: what exceeds one stands in ``hygiene.json``, a list that may only shrink.

``python -m tests.hygiene`` takes off what no longer exceeds its budget, and adds nothing.
"""

import ast
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LISTED = Path(__file__).with_name('hygiene.json')
ARGUMENTS, BODY = 6, 15
"""Arguments of a function, and lines of a function that a step calls (docstrings, signatures and the folder aside)."""

Found = dict[str, float]
"""Amount of what exceeds a budget by where it is; tests per line of every group."""


def sources() -> list[Path]:
    """Return the modules of the product."""
    return sorted(p for part in ('clbpe', 'bids_app', 'pipelines') for p in (REPOSITORY / part).rglob('*.py'))


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def _key(path: Path, function: ast.FunctionDef) -> str:
    return f'{path.relative_to(REPOSITORY).as_posix()}:{function.name}'


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    own = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument for argument in own if argument.arg not in ('self', 'cls', 'out_dir')]


def many_arguments() -> Found:
    """Return functions of more arguments than a frozen dataclass would leave them."""
    counted = {_key(p, f): len(_arguments(f)) for p in sources() for f in _functions(p)}
    return {key: count for key, count in counted.items() if count > ARGUMENTS}


def long_steps() -> Found:
    """Return the functions behind steps that do more than load, call and save."""
    found = {}
    for path in sources():
        tree = ast.parse(path.read_text())
        calls = [
            n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, 'id', '') == 'interface'
        ]
        steps = {call.args[0].id for call in calls if call.args and isinstance(call.args[0], ast.Name)}
        for function in (f for f in _functions(path) if f.name in steps):
            body = function.body[1:] if ast.get_docstring(function) is not None else function.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
            if lines > BODY:
                found[_key(path, function)] = lines
    return found


def untyped_objects() -> Found:
    """Return how often public functions of a module take or give ``dict[str, Any]``."""
    found: Found = {}
    for path in sources():
        shown = [f for f in _functions(path) if not f.name.startswith('_')]
        hints = [
            ast.unparse(hint)
            for f in shown
            for hint in (*(a.annotation for a in _arguments(f)), f.returns)
            if hint
        ]
        count = sum('dict[str, Any]' in hint for hint in hints)
        if count:
            found[path.relative_to(REPOSITORY).as_posix()] = count
    return found


_OF_TABLES = ('test_counts.py', 'test_tables.py')


def tests_per_line() -> Found:
    """Return the lines of tests per line of source of each group of modules, rounded down."""
    lines: dict[str, list[int]] = {}
    for path in sources():
        lines.setdefault(_group(path.relative_to(REPOSITORY).parts), [0, 0])[0] += _length(path)
    tests = REPOSITORY / 'tests'
    for path in tests.rglob('*.py'):
        group = _tested_by(path.relative_to(tests).parts)
        if group in lines:
            lines[group][1] += _length(path)
    return {
        group: math.floor(100 * own / source) / 100 for group, (source, own) in sorted(lines.items()) if own
    }


def _tested_by(parts: tuple[str, ...]) -> str:
    """Return the group of modules that a test is of; inputs people had are of what reads them."""
    match parts[0]:
        case 'app':
            return f'bids_app/{parts[1]}'
        case 'cases':
            return 'bids_app/phenotype' if parts[1] in _OF_TABLES else 'bids_app/scans'
        case room:
            return f'pipelines/{room}'


def _group(parts: tuple[str, ...]) -> str:
    return '/'.join(parts[:2]).removesuffix('.py')


def _length(path: Path) -> int:
    return len(path.read_text().splitlines())


MEASURES = {
    'arguments': many_arguments,
    'step lines': long_steps,
    'untyped objects': untyped_objects,
    'tests per line': tests_per_line,
}


def listed() -> dict[str, Found]:
    """Return the list."""
    return {name: dict(found) for name, found in json.loads(LISTED.read_text()).items()}


def worse(name: str, known: Found, found: Found) -> Found:
    """Return what is worse than the list says."""
    if name == 'tests per line':
        return {key: found.get(key, 0.0) for key, value in known.items() if found.get(key, 0.0) < value}
    return {key: value for key, value in found.items() if value > known.get(key, 0)}


def main() -> int:
    """Tighten the list; refuse to loosen it."""
    before = listed() if LISTED.exists() else {}
    after = {name: measure() for name, measure in MEASURES.items()}
    for name, found in after.items():
        for key, value in worse(name, before.get(name, found), found).items():
            print(f'{name}: {key} {value:g} is worse than {before[name].get(key, 0):g}', file=sys.stderr)
            return 1
    LISTED.write_text(json.dumps(after, indent=1, sort_keys=True) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
