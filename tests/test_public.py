"""The interface for notebooks: its names and signatures stay, examples use each, and the packages it hands on are ours."""

import ast
import inspect
import json
import os
import re
import runpy
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import clbpe
from clbpe import home
from tests.pasted import blocks, part

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((REPOSITORY / 'examples/notebooks').glob('*.py'))
SIGNATURES = Path(__file__).with_name('public_interface.json')


def signatures():
    """Return what a notebook relies on: arguments of functions, fields and properties of classes."""
    found = {}
    for name in clbpe.__all__:
        value = getattr(clbpe, name)
        if inspect.isclass(value):
            found[name] = list(inspect.signature(value).parameters)
        else:
            own = inspect.signature(value).parameters.values()
            needed = inspect.Parameter.empty
            found[name] = [
                f'{"*" * (p.kind == p.KEYWORD_ONLY)}{p.name}{"" if p.default is needed else "="}' for p in own
            ]
    return found


@pytest.mark.parametrize('room', clbpe.ROOMS)
def test_names_are_those_of_the_modules(room):
    module = __import__(f'clbpe.{room}', fromlist=['__all__'])
    assert sorted(clbpe.ROOMS[room]) == sorted(module.__all__)
    for name in clbpe.ROOMS[room]:
        assert getattr(clbpe, name) is getattr(module, name)


def test_signatures_are_those_that_notebooks_were_written_for():
    """A change is deliberate: an argument that is new has a default, and ``public_interface.json`` and CHANGES.md tell it."""
    assert signatures() == json.loads(SIGNATURES.read_text())


def test_every_function_says_what_it_takes_and_returns():
    for name in clbpe.__all__:
        value = getattr(clbpe, name)
        assert inspect.getdoc(value), name
        if not inspect.isclass(value):
            assert 'Parameters' in value.__doc__ or len(inspect.signature(value).parameters) == 1, name
            assert 'return' in typing.get_type_hints(value), name


def used_by(path):
    """Return the names of the interface that an example uses."""
    tree = ast.walk(ast.parse(path.read_text()))
    return {
        node.attr for node in tree
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == 'clbpe'
    }  # fmt: skip


RETURNED = {'Cleaned', 'Gradients', 'Tract'}
"""Classes that nobody makes by hand: functions of the examples return them."""


def test_examples_use_the_whole_interface():
    used = set().union(*map(used_by, EXAMPLES))
    assert used | RETURNED == set(clbpe.__all__)
    assert not used & RETURNED


def test_the_lines_of_the_page_run(rng):
    known = {'series': rng.normal(100, 1, (120, 30)), 'confounds': rng.normal(size=(120, 3))}
    exec('\n'.join(blocks('docs/notebooks.md')), known)
    assert known['icc'].shape == (30,)
    assert np.isfinite(known['icc']).all()


def test_the_page_names_every_function():
    told = part((REPOSITORY / 'docs/notebooks.md').read_text(), 'In notebooks and scripts')
    rows = ''.join(line for line in told.splitlines() if line.startswith('|'))
    named = set(re.findall(r'`(\w+)`', rows))
    assert named == {name for name in clbpe.__all__ if not inspect.isclass(getattr(clbpe, name))}


def near(found, planted, within):
    return abs(found - planted) < within


TRUTHS = {
    'blood': lambda it: near(np.log(it['ratio'][0]), np.log(2), 0.35) and len(it['called']) >= 20
    and it['enriched'].padj['INFLAMED'] < 0.05,
    'connectivity': lambda it: near(it['connectivity'], np.arctanh(0.5), 3 * it['error'])
    and it['intrinsic'].icc[it['in_regions']].mean() > it['intrinsic'].icc[~it['in_regions']].mean() + 0.05
    and it['kept'].sum() == 238,
    'maps': lambda it: it['called'][it['ball']].mean() > 0.8 and it['called'][~it['ball']].mean() < 0.02,
    'planning': lambda it: it['enough'] == 60 and near(it['paths'][0.39][10], 0.76, 0.01),
    'mediation': lambda it: near(it['paths'].estimate.indirect, -1.2, 0.4) and it['paths'].p.indirect < 0.05,
    'tract': lambda it: near(it['fa_of_tract'], it['planted'], 0.02) and min(it['tract'].n_found) == 50,
    'trial': lambda it: near(it['fit'].effects[1].effect.estimate, -1.5, 0.6)
    and near(it['shift'].log_ratio.estimate, np.log(3), 1.0) and it['ratio'].log_ratio.estimate < 0,
}  # fmt: skip
"""What was planted, to about three standard errors of samples of this size."""


@pytest.mark.slow
@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.stem)
def test_an_example_finds_what_was_planted(path, capsys):
    import matplotlib.pyplot as plt

    plt.close('all')
    found = runpy.run_path(str(path))
    assert TRUTHS[path.stem](found)
    assert len(plt.get_fignums()) == 1
    assert len(capsys.readouterr().out.splitlines()) >= 3
    plt.close('all')


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(AttributeError, match=r"no 'seedmap'; it has .*seed_map"):
        clbpe.seedmap  # noqa: B018
    assert set(clbpe.__all__) <= set(dir(clbpe))


@pytest.mark.parametrize(
    ('words', 'error', 'message'),
    [
        ({'confounds': np.zeros((9, 2))}, ValueError, 'series has 30 volumes, confounds 9 rows'),
        ({'confounds': np.full(30, np.nan)}, ValueError, 'fill the first row of derivatives with 0'),
        ({'sample_mask': np.arange(30) < 2}, ValueError, '2 kept volumes'),
    ],
)
def test_what_cannot_be_cleaned_is_refused_with_the_remedy(words, error, message):
    with pytest.raises(error, match=message):
        clbpe.clean(np.random.default_rng(1).normal(size=(30, 4)), t_r=2.0, **words)


def test_a_confound_may_be_missing_where_a_volume_is_left_out():
    rng = np.random.default_rng(1)
    series, motion = rng.normal(size=(60, 4)), rng.normal(size=60)
    kept = np.arange(60) > 0
    whole = clbpe.clean(series, motion, t_r=2.0, sample_mask=kept)
    motion[0] = np.nan
    gap = clbpe.clean(series, motion, t_r=2.0, sample_mask=kept)
    assert np.array_equal(whole.series, gap.series)


def test_regions_of_a_tract_lie_apart():
    one = np.ones((2, 2, 2), bool)
    with pytest.raises(ValueError, match='the regions share 8 voxels'):
        clbpe.track_between(
            np.zeros((2, 2, 2, 45)), np.eye(4), (one, one), white=one, rng=np.random.default_rng(1)
        )


def run_beside(folder, *words):
    """Run Python in a folder, as a user with this checkout on the path would."""
    environment = {**os.environ, 'PYTHONPATH': f'{folder}{os.pathsep}{REPOSITORY}'}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def strangers(tmp_path):
    """Return a folder that holds other projects' packages of our names, first on Python's path."""
    for name in home.OURS:
        (tmp_path / name).mkdir()
        (tmp_path / name / '__init__.py').write_text('"""Somebody else\'s."""\n')
    return tmp_path


@pytest.mark.parametrize(
    'words', [('-m', 'clbpe', '--version'), ('-c', 'import clbpe; print("clbpe", clbpe.__version__)')]
)
def test_folders_of_our_names_are_no_obstacle(strangers, words):
    done = run_beside(strangers, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f'clbpe {clbpe.__version__}\n'


@pytest.mark.parametrize('name', home.OURS)
def test_a_stranger_that_is_imported_already_is_named(strangers, name):
    done = run_beside(strangers, '-c', f'import {name}; import clbpe')
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert f'package "{name}"' in said
    assert str(strangers / name) in said
    assert 'an environment of its own' in said


@pytest.mark.parametrize('name', home.OURS)
def test_a_package_that_another_project_overwrote_is_named(tmp_path, name, monkeypatch):
    """As installing the project ``pipelines`` of PyPI into the same environment does."""
    for each in home.OURS:
        (tmp_path / each).mkdir()
        own = '' if each == name else "DISTRIBUTION = 'clbpe'\n"
        (tmp_path / each / '__init__.py').write_text(own)
        monkeypatch.delitem(sys.modules, each)
    with pytest.raises(ImportError, match=f'"{name}" that Python has imported, {tmp_path}'):
        home.settle(tmp_path)


def test_a_package_that_is_gone_is_named(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, 'pipelines')
    with pytest.raises(ImportError, match=f'no package "pipelines" in {tmp_path}; install clbpe again'):
        home.settle(tmp_path)


if __name__ == '__main__':  # python -m tests.test_public, when the change is told
    SIGNATURES.write_text(json.dumps(signatures(), indent=1) + '\n')
