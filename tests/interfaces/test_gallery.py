"""The figures of a stage in one step: drawn from what is connected, again when that changes, in any process."""

import pickle
from pathlib import Path

import pytest
from nipype.interfaces.base import isdefined
from nipype.pipeline import engine as pe

from pipelines.interfaces._pictures import Figured
from pipelines.interfaces.gallery import DrawFigures, Plate
from pipelines.interfaces.gather import Gather


def copy(source: Path, end: str = '', more: Path | None = None, *, out_dir: Path) -> Figured:
    text = source.read_text() + (more.read_text() if more else '') + end
    path = out_dir / f'{end or "plain"}.png'
    path.write_text(text)
    return Figured(path)


GALLERY = {
    'plain': Plate(copy, (('image', 'source'),)),
    'ended': Plate(copy, (('image', 'source'), 'more'), {'end': 'x'}),
}


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'image.txt'
    path.write_text('a')
    return path


def test_every_figure_is_drawn_from_its_inputs(image, tmp_path):
    node = pe.Node(DrawFigures(GALLERY, image=str(image)), name='draw', base_dir=str(tmp_path))
    found = node.run().outputs.figures
    assert {name: Path(path).read_text() for name, path in found.items()} == {'plain': 'a', 'ended': 'ax'}
    assert {Path(path).parent for path in found.values()} == {tmp_path / 'draw'}


def test_only_what_a_figure_cannot_do_without_is_mandatory(image):
    step = DrawFigures(GALLERY)
    assert step.fields == ['image', 'more']
    assert set(step.inputs.traits(mandatory=True)) == {'image'}
    assert not isdefined(step.inputs.more) or step.inputs.more is None
    with pytest.raises(ValueError, match='image'):
        step.run()


def test_a_step_travels_to_a_worker_with_its_checksum(image):
    step = DrawFigures(GALLERY, image=str(image))
    other = pickle.loads(pickle.dumps(step))
    assert other.inputs.image == str(image)
    checks = [each.inputs.get_hashval('timestamp')[1] for each in (step, other)]
    assert checks[0] == checks[1]
    image.write_text('changed')
    assert step.inputs.get_hashval('timestamp')[1] != checks[0]
    fixed = DrawFigures(
        {**GALLERY, 'ended': Plate(copy, GALLERY['ended'].fields, {'end': 'y'})}, image=str(image)
    )
    assert fixed.inputs.get_hashval('timestamp')[1] != step.inputs.get_hashval('timestamp')[1]


def test_lists_keep_the_order_of_their_sources(image, tmp_path):
    node = pe.Node(Gather(['fa'], ['facts'], 3), name='gather', base_dir=str(tmp_path))
    for number in range(3):
        own = tmp_path / f'{number}.txt'
        own.write_text('')
        node.inputs.trait_set(**{f'fa_{number}': str(own), f'facts_{number}': {'n': number}})
    found = node.run().outputs
    assert [Path(path).name for path in found.fa] == ['0.txt', '1.txt', '2.txt']
    assert found.facts == [{'n': 0}, {'n': 1}, {'n': 2}]
