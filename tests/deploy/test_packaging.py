"""What a release has: an sdist with all that its tests need, and a wheel that runs in any folder of an environment of its own."""

import email
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.deploy.test_components import check_list
from tests.deploy.test_files import NUMBER

REPOSITORY = Path(__file__).resolve().parents[2]
IS_CLONE = (REPOSITORY / '.git').exists()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_CLONE, reason='a release is built of a clone with its history'),
]


def git(*words, cwd=REPOSITORY):
    return subprocess.run(['git', *words], cwd=cwd, check=True, capture_output=True, text=True).stdout


def run(*words, **options):
    return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=600, **options)


@pytest.fixture(scope='module')
def dist(once):
    """Return sdist, wheel and constraints of a shallow clone with what is changed here."""

    def make(folder):
        clone = folder / 'clone'
        git('clone', '--quiet', '--depth', '1', f'file://{REPOSITORY}', str(clone), cwd=folder)
        for name in git('ls-files', '-z', '--modified', '--others', '--exclude-standard').split('\0'):
            if name and (REPOSITORY / name).is_file():
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, clone / name)
        git('add', '--all', cwd=clone)
        environment = {**os.environ, 'CLBPE_VENV': sysconfig.get_path('scripts').removesuffix('/bin')}
        # the environment of this test is up to date by definition
        (clone / 'scripts/install').write_text('#!/bin/sh\n')
        done = run(clone / 'scripts/release', folder / 'dist', env=environment)
        assert done.returncode == 0, done.stdout + done.stderr

    return once('release', make) / 'dist'


def test_the_sdist_holds_all_that_its_tests_need(dist):
    (path,) = dist.glob('clbpe-*.tar.gz')
    with tarfile.open(path) as archive:
        held = {name.partition('/')[2] for name in archive.getnames()}
    tracked = set(filter(None, git('ls-files', '-z').split('\0')))
    assert {name for name in tracked if (REPOSITORY / name).exists()} - held == set()
    assert path.stat().st_size < 20e6


def test_the_wheel_holds_the_program_and_nothing_else(dist):
    (path,) = dist.glob('clbpe-*.whl')
    names = zipfile.ZipFile(path).namelist()
    top = {name.partition('/')[0] for name in names}
    assert {name for name in top if not name.endswith('.dist-info')} == {'bids_app', 'clbpe', 'pipelines'}
    data = {
        p.relative_to(REPOSITORY).as_posix()
        for p in (REPOSITORY / 'pipelines/data').iterdir()
        if p.suffix != '.md'
    }
    assert data <= set(names)
    templates = (REPOSITORY / 'bids_app/report/templates').iterdir()
    assert {p.relative_to(REPOSITORY).as_posix() for p in templates} <= set(names)
    assert not [name for name in names if Path(name).name.startswith(('test_', 'conftest'))]


def test_metadata_tells_the_number_and_leads_nowhere_unknown(dist):
    (path,) = dist.glob('clbpe-*.whl')
    with zipfile.ZipFile(path) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith('METADATA'))
        about = email.message_from_bytes(wheel.read(name))
    assert about['Version'] == path.name.split('-')[1]
    assert about['Version'] != '0.0'
    assert about['Author'] == 'CLBPE developers'
    assert about['Project-URL'] is None
    page = about.get_payload()
    assert 'clbpe BIDS_DIR OUTPUT_DIR' in page
    assert re.findall(r'\]\((?!https?:|#)', page) == []


def test_links_of_an_index_page_lead_into_the_repository(monkeypatch):
    monkeypatch.setattr('setuptools.setup', lambda **words: None)
    first_page = runpy.run_path(str(REPOSITORY / 'setup.py'))['first_page']
    page = first_page('https://host.test/lab/clbpe', '1.2.3')
    assert re.findall(r'\]\((?!https?:|#)', page) == []
    for target in re.findall(r'https://host\.test/lab/clbpe/(?:blob|raw)/v1\.2\.3/([^)#]+)', page):
        assert (REPOSITORY / target).exists(), target
    assert 'https://host.test/lab/clbpe/blob/v1.2.3/docs/usage.md' in page


def test_constraints_are_the_lock(dist):
    lines = (dist / 'constraints.txt').read_text().splitlines()
    assert f'clbpe=={NUMBER}' in lines[0]
    assert lines[1:] == [
        line for line in (REPOSITORY / 'requirements.txt').read_text().splitlines() if line[0] != '#'
    ]


def test_the_list_of_components_is_of_the_wheel(dist):
    (path,) = dist.glob('clbpe-*.whl')
    check_list((dist / 'sbom.cdx.json').read_text(), path.name.split('-')[1])


@pytest.fixture(scope='module')
def installed(dist, once):
    """Return an environment with the wheel, beside the libraries of this one, and a folder with packages of our names."""

    def make(folder):
        venv.create(folder / 'env', symlinks=True)
        (wheel,) = dist.glob('clbpe-*.whl')
        python = folder / 'env/bin/python'
        done = run(
            sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps', '--no-index', wheel
        )
        assert done.returncode == 0, done.stderr
        own = Path(run(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))').stdout.strip())
        # a path file of a path file is not read: the editable installation of this checkout stays out
        (own / 'libraries.pth').write_text(sysconfig.get_path('purelib') + '\n')
        for name in ('pipelines', 'bids_app'):
            (folder / 'data' / name).mkdir(parents=True)
            (folder / 'data' / name / '__init__.py').write_text('raise SystemExit("not ours")\n')

    return once('installed', make)


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('clbpe', '--version'), 'clbpe {version}'),
        (('clbpe', 'data', 'out', 'nobody'), 'analysis level'),
        (('clbpe-simulate', '--help'), 'usage: clbpe-simulate'),
        (('clbpe-plan', 'trial.json', '--n', '60', '--sd', '2', '--trials', '20'), 'power'),
        (('python', '-m', 'clbpe', '--version'), 'clbpe {version}'),
        (('python', '-c', 'import clbpe, pipelines; print(clbpe.__version__, pipelines.__file__, clbpe.fisher_z(0.5))'), '0.549'),
    ],
)  # fmt: skip
def test_the_wheel_runs_beside_folders_of_our_names(installed, dist, words, said, tmp_path):
    (wheel,) = dist.glob('clbpe-*.whl')
    folder = tmp_path / 'data'
    shutil.copytree(installed / 'data', folder)
    text = (REPOSITORY / 'docs/planning.md').read_text()
    (folder / 'trial.json').write_text(re.search(r'```json\n(.*?)```', text, re.DOTALL)[1])
    done = run(installed / 'env/bin' / words[0], *words[1:], cwd=folder)
    assert said.format(version=wheel.name.split('-')[1]) in done.stdout + done.stderr
    assert str(REPOSITORY) not in done.stdout + done.stderr
    assert 'not ours' not in done.stderr
    assert done.returncode == (17 if 'nobody' in words else 0), done.stderr


@pytest.mark.parametrize('tag', ['v0.1.0', 'v9.9.9'])
def test_a_tag_is_the_number_that_is_written_down(tmp_path, tag):
    for name in ('setup.cfg', 'requirements.txt'):
        shutil.copy2(REPOSITORY / name, tmp_path / name)
    (tmp_path / 'scripts').mkdir()
    (tmp_path / 'none/bin').mkdir(parents=True)
    shutil.copy2(REPOSITORY / 'scripts/release', tmp_path / 'scripts/release')
    for name, text in (('scripts/install', '#!/bin/sh\n'), ('none/bin/python', '#!/bin/sh\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    git('init', '--quiet', cwd=tmp_path)
    git('add', '.', cwd=tmp_path)
    git('-c', 'user.name=a', '-c', 'user.email=a@b.test', 'commit', '--quiet', '-m', 'x', cwd=tmp_path)
    git('tag', tag, cwd=tmp_path)
    done = run(
        tmp_path / 'scripts/release',
        env={**os.environ, 'CLBPE_VENV': 'none', 'PATH': f'{tmp_path}:{os.environ["PATH"]}'},
    )
    assert (done.returncode == 0) == (tag == f'v{NUMBER}'), done.stderr
    assert done.returncode == 0 or done.stderr == f'the tag is {tag}, setup.cfg says {NUMBER}\n'
