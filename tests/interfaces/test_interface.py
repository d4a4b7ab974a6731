"""The decorator that makes interfaces of functions, and every interface that it made."""

import importlib
import pickle
import pkgutil
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from nipype.interfaces.base import SimpleInterface, isdefined
from nipype.pipeline import engine as pe
from traits.api import TraitError

import pipelines.interfaces
from pipelines.interfaces import _interface
from pipelines.interfaces._interface import interface
from pipelines.interfaces.gallery import DrawFigures
from pipelines.interfaces.gather import Gather


class Copied(NamedTuple):
    copy: Path
    words: list[str]
    length: int


def copy_text(
    text: Path, kind: Literal['upper', 'lower'], times: int = 1, suffix: str | None = None, *, out_dir: Path
) -> Copied:
    """Copy a text."""
    content = getattr(text.read_text(), kind)() * times + (suffix or '')
    (out_dir / 'copy.txt').write_text(content)
    return Copied(out_dir / 'copy.txt', content.split(), len(content))


CopyText = interface(copy_text)


@pytest.fixture
def text(tmp_path):
    (tmp_path / 'text.txt').write_text('a b')
    return tmp_path / 'text.txt'


def test_runs_in_the_folder_of_its_node(text, tmp_path):
    node = pe.Node(
        CopyText(text=str(text), kind='upper', times=2), name='copy', base_dir=str(tmp_path / 'work')
    )
    outputs = node.run().outputs
    assert outputs.copy == str(tmp_path / 'work' / 'copy' / 'copy.txt')
    assert (outputs.words, outputs.length) == (['A', 'BA', 'B'], 6)


def test_defaults_are_those_of_the_function(text):
    inputs = CopyText().inputs
    assert inputs.times == 1
    assert not isdefined(inputs.suffix)
    with pytest.raises(ValueError, match='requires a value'):
        CopyText(kind='upper').run()


@pytest.mark.parametrize(('field', 'value'), [('text', '/absent.txt'), ('kind', 'title'), ('times', 'two')])
def test_wrong_types_are_refused_before_the_run(field, value):
    with pytest.raises(TraitError):
        CopyText(**{field: value})


def test_changed_code_changes_the_hash(text, monkeypatch):
    before = CopyText(text=str(text), kind='upper').inputs.get_hashval()[1]
    monkeypatch.setattr(_interface, 'code_version', lambda: 'other')
    assert interface(copy_text)(text=str(text), kind='upper').inputs.get_hashval()[1] != before


def test_digest_covers_the_sources_and_the_data():
    root = Path(pipelines.interfaces.__file__).parents[1]
    assert {path.name for path in _interface.sources(root)} >= {'clean.py', 'regions.json', 'itk.py'}


def every_interface():
    for module in pkgutil.iter_modules(pipelines.interfaces.__path__, 'pipelines.interfaces.'):
        for name, value in vars(importlib.import_module(module.name)).items():
            if (
                isinstance(value, type)
                and issubclass(value, SimpleInterface)
                and value not in (SimpleInterface, DrawFigures, Gather)  # made for what they are given
            ):
                yield pytest.param(value, id=name)


@pytest.mark.parametrize('kind', every_interface())
def test_every_interface_travels_to_a_worker(kind):
    """MultiProc and batch systems pickle nodes: the class must be found by its module and name."""
    node = pe.Node(kind(), name='node')
    again = pickle.loads(pickle.dumps(node))
    assert type(again.interface) is kind
    assert again.inputs.version == _interface.code_version()
