"""Habits of the code that a reader counts on, checked on its syntax trees."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests import hygiene

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for part in ('clbpe', 'bids_app', 'pipelines') for p in (REPOSITORY / part).rglob('*.py'))
TESTS = sorted((REPOSITORY / 'tests').rglob('*.py'))
COMPARISONS = {
    'allclose',
    'array_equal',
    'isclose',
    'approx',
    'issubset',
    'startswith',
    'endswith',
    'exists',
    'is_file',
}
MODULE, FUNCTION, FACTORY = 300, 40, 120


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def functions(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef) -> int:
    """Return the lines of a function without its docstring."""
    documented = ast.get_docstring(function) is not None
    text = function.body[0].end_lineno - function.body[0].lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - text


@pytest.mark.parametrize('path', TESTS, ids=name_of)
def test_no_comparison_is_thrown_away(path):
    """``np.allclose(a, b)`` on a line of its own tests nothing."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Expr):
            continue
        called = getattr(node.value, 'func', None)
        word = getattr(called, 'attr', getattr(called, 'id', ''))
        assert not isinstance(node.value, ast.Compare), f'{name_of(path)}:{node.lineno}'
        assert word not in COMPARISONS, f'{name_of(path)}:{node.lineno} {word}'


@pytest.mark.parametrize('path', [p for p in TESTS if p.name.startswith('test_')], ids=name_of)
def test_every_test_can_fail(path):
    """A test without an assertion, an expected error or a checking call proves nothing."""
    checks = ('assert', 'raises', 'check_', 'expect', 'warns')
    for function in functions(path):
        if function.name.startswith('test_'):
            assert any(word in ast.unparse(function) for word in checks), f'{name_of(path)}: {function.name}'


@pytest.mark.parametrize('path', SOURCES, ids=name_of)
def test_sizes_stay_readable(path):
    assert len(path.read_text().splitlines()) <= MODULE
    for function in functions(path):
        limit = FACTORY if function.name.startswith('init_') else FUNCTION
        assert length(function) <= limit, f'{function.name}: {length(function)} lines'


@pytest.mark.parametrize('path', [p for p in SOURCES if 'numerics' in p.parts], ids=name_of)
def test_numerics_draw_from_a_generator_that_is_given(path):
    """Randomness is an argument; a hidden generator would make a run that nobody can repeat."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith('np.random.'):
            assert node.attr in ('Generator', 'random'), f'line {node.lineno}: {ast.unparse(node)}'


def test_text_names_no_machine():
    """What is published holds no path of the machine it was written on."""
    scripts = [path for path in (REPOSITORY / 'scripts').glob('*') if path.is_file()]
    for path in [*SOURCES, *TESTS, *REPOSITORY.glob('*.md'), *scripts]:
        for word in ('/wo' + 'rk/', '/ro' + 'ot/', '/ho' + 'me/'):
            assert word not in path.read_text(), f'{name_of(path)}: {word}'


SHARED_NAMES = {
    'Array', 'DISTRIBUTION', 'LOGGER', 'Mask', 'main',  # the same thing everywhere
    'coregister', 'flags', 'susceptibility',  # read with their module's name before them
}  # fmt: skip
"""Public names that stand in two modules; the list may only shrink."""


def public_names(path: Path):
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign():
                yield from (
                    part.id for target in node.targets for part in ast.walk(target)
                    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
                )  # fmt: skip
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def test_a_public_name_means_one_thing():
    homes: dict[str, set[str]] = {}
    for path in SOURCES:
        for name in public_names(path):
            # notebooks know some functions by other names, among them one of ours
            if not name.startswith('_') and 'clbpe' not in path.relative_to(REPOSITORY).parts:
                homes.setdefault(name, set()).add(name_of(path))
    twice = {name for name, places in homes.items() if len(places) > 1}
    assert twice - SHARED_NAMES == set()
    assert SHARED_NAMES - twice == set(), 'no longer shared: take it off the list'


ROLE = re.compile(r':(?:func|data|class|mod|attr|meth):`~?([.\w]+)`')


@cache
def words_of_modules() -> dict[str, set[str]]:
    """Return the words of each of our modules by its dotted name."""
    return {
        '.'.join(p.relative_to(REPOSITORY).with_suffix('').parts): set(re.findall(r'\w+', p.read_text()))
        for p in SOURCES
    }


@pytest.mark.parametrize('path', SOURCES, ids=name_of)
def test_references_lead_somewhere(path):
    """A docstring that names a function of ours names one that is there."""
    known = words_of_modules()
    own = '.'.join(path.relative_to(REPOSITORY).with_suffix('').parts)
    for target in ROLE.findall(path.read_text()):
        module, _, name = target.rpartition('.')
        if module.startswith(('pipelines', 'bids_app')):
            homes = [m for m in (module, f'{module}.__init__', target) if m in known]
        elif target.startswith('.'):
            homes = [m for m in known if m.endswith((f'.{module.lstrip(".")}', target))]
        else:
            homes = [own]
        assert any(name in known[home] or home.endswith(target) for home in homes), (
            f'{name_of(path)}: {target}'
        )


@pytest.mark.parametrize('name', hygiene.MEASURES)
def test_what_exceeds_a_budget_only_shrinks(name):
    known, found = hygiene.listed()[name], hygiene.MEASURES[name]()
    assert hygiene.worse(name, known, found) == {}
    if name != 'tests per line':
        assert known == found, 'it has shrunk: python -m tests.hygiene'


def test_a_list_of_budgets_sees_what_is_worse():
    assert hygiene.worse('arguments', {'a': 7}, {'a': 8, 'b': 7}) == {'a': 8, 'b': 7}
    assert hygiene.worse('arguments', {'a': 7}, {}) == {}
    assert hygiene.worse('tests per line', {'a': 1.2}, {'a': 1.1}) == {'a': 1.1}
    assert hygiene.worse('tests per line', {'a': 1.2}, {'a': 1.3}) == {}
