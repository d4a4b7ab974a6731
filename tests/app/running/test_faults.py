"""One door for errors: whatever goes wrong is a line, a status that says what to do, and at most one crash file."""

import errno
import os
import resource
import shutil
import subprocess
import sys

import pytest

from bids_app import cli
from bids_app.running import faults, home
from bids_app.running.engine import read_crashes
from bids_app.running.faults import Raised, chain_of, judge, raised_in
from bids_app.settings import Settings
from pipelines.errors import DataError, OutputError
from tests.test_access import as_plain_user


@pytest.fixture
def settings(tmp_path):
    for name in ('raw', 'out', 'out/work'):
        (tmp_path / name).mkdir()
    return Settings(
        bids_dir=tmp_path / 'raw',
        output_dir=tmp_path / 'out',
        level='participant',
        work_dir=tmp_path / 'out/work',
    )


def system(number, path=None):
    return OSError(number, os.strerror(number), *([str(path)] if path else []))


def caused(error, cause):
    error.__cause__ = cause
    return error


def of(error, settings=None):
    return judge(chain_of(error), settings)


def test_memory_says_what_was_needed():
    numpys = type('_ArrayMemoryError', (MemoryError,), {})
    fault = of(
        numpys('Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type float64')
    )
    assert fault.exit_code == 75
    assert 'memory ran out: Unable to allocate 7.45 GiB' in fault.message
    assert '--low-mem' in fault.message
    bare = of(MemoryError())
    assert bare.exit_code == 75
    assert 'the program held' in bare.message


@pytest.mark.parametrize(
    ('variables', 'advice'),
    [
        ({'SLURM_JOB_ID': '7'}, 'ask Slurm for more (sbatch --mem=16G)'),
        ({'CLBPE_DOCKER_TAG': 'x'}, 'docker run --memory'),
        ({}, 'a machine with more'),
    ],
)
def test_more_memory_comes_from_who_grants_it(monkeypatch, variables, advice):
    for name in (
        'SLURM_JOB_ID',
        'CLBPE_DOCKER_TAG',
        'APPTAINER_CONTAINER',
        'SINGULARITY_CONTAINER',
        'container',
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert advice in of(MemoryError()).message


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT])
def test_a_full_scratch_disk_says_disk(settings, number):
    fault = of(system(number, settings.work_dir / 'x.npy'), settings)
    assert fault.exit_code == 75
    assert f'the disk of the work folder {settings.work_dir}' in fault.message
    assert 'disk, not memory' in fault.message
    assert of(system(number), settings).exit_code == 75  # a write tells no name


def test_a_full_output_disk_is_another_status(settings):
    path = settings.output_dir / 'sub-01' / 'map.nii.gz'
    fault = of(
        caused(OutputError(f'{path} cannot be written (No space left on device).'), system(errno.ENOSPC)),
        settings,
    )
    assert fault.exit_code == 73
    assert f'the disk of the output folder {settings.output_dir} is full' in fault.message


def test_what_is_written_with_drafts_into_a_full_work_folder_is_scratch(settings):
    """The work folder often lies in the output folder: the innermost counts."""
    path = settings.work_dir / 'group_tables' / 'trial.json'
    error = caused(OutputError(f'{path} cannot be written (No space left on device).'), system(errno.ENOSPC))
    assert of(error, settings).exit_code == 75


@pytest.mark.parametrize(
    ('error', 'word'),
    [
        (system(errno.EMFILE), 'ulimit -n'),
        (system(errno.EAGAIN), 'ulimit -u'),
        (RuntimeError("can't start new thread"), 'ulimit -u'),
        (system(errno.EFBIG), 'ulimit -f'),
        (system(errno.ENOMEM), 'memory ran out'),
        (ImportError('vlen.so: failed to map segment from shared object'), 'memory ran out: vlen.so'),
        (ImportError('vlen.so: cannot open shared object file: Too many open files'), 'ulimit -n'),
        (OSError('1701700 requested and 511968 written'), 'could not be written whole'),
    ],
)
def test_limits_are_told_by_name(error, word):
    fault = of(error)
    assert fault.exit_code == 75
    assert word in fault.message


@pytest.mark.parametrize(('number', 'word'), [(errno.EFBIG, 'ulimit -f'), (errno.EMFILE, 'ulimit -n')])
def test_a_limit_that_a_file_met_is_told_before_the_file(settings, number, word):
    error = caused(
        OutputError('sub-01.html cannot be written'), system(number, settings.output_dir / '.draft')
    )
    assert of(error, settings).exit_code == 75
    assert word in of(error, settings).message


def test_our_own_errors_keep_their_words():
    assert of(DataError('x.nii is cut short')) == ('x.nii is cut short', 65)
    assert of(caused(DataError('x.nii has a header'), MemoryError())).exit_code == 65  # nonsense of a header


def test_anything_else_is_a_mistake():
    assert of(ZeroDivisionError('division by zero')) == ('ZeroDivisionError: division by zero', 1)
    assert of(KeyError()) == ('KeyError', 1)
    assert judge([], None).exit_code == 1


def test_chains_begin_with_what_was_raised_last():
    error = caused(DataError('outer'), ValueError('inner'))
    assert chain_of(error) == [('DataError', 'outer'), ('ValueError', 'inner')]
    own = ValueError('x')
    assert chain_of(caused(own, own)) == [('ValueError', 'x')]
    nested = caused(DataError('x.gmt: line 1'), DataError('line 1'))
    assert of(nested) == ('x.gmt: line 1', 65)
    text = 'Traceback:\n\tTraceback (most recent call last):\n\tnumpy._core._exceptions._ArrayMemoryError: Unable\nMemoryError'
    assert raised_in(text) == [Raised('MemoryError', ''), Raised('_ArrayMemoryError', 'Unable')]


def test_crash_files_of_steps_go_through_the_same_door(settings, tmp_path):
    """A file that may not be read is told as that, though a reader took it for damaged."""
    folder = tmp_path / 'crashes'
    folder.mkdir()
    head = 'Node: clbpe_wf.sub_01_wf.clean\nTraceback (most recent call last):\n'
    for number, line in enumerate(
        (
            'OSError: [Errno 28] No space left on device',
            'MemoryError',
            'pipelines.errors.DataError: cut short',
        )
    ):
        (folder / f'crash-{number}.txt').write_text(f'{head}{line}\n')
    assert [(each.label, each.exit_code) for each in read_crashes(folder, settings)] == [
        ('01', 75),
        ('01', 75),
        ('01', 65),
    ]


@pytest.mark.parametrize('text', ['', 'Node: clbpe_wf.save_outcomes_figures\nWorking directory: /w'])
def test_a_crash_file_without_an_error_met_a_full_disk_itself(settings, tmp_path, text):
    (tmp_path / 'crash-1.txt').write_text(text)
    (failure,) = read_crashes(tmp_path, settings)
    assert failure.exit_code == 75
    assert f'a file in the work folder {settings.work_dir} could not be written whole' in failure.message
    (tmp_path / 'crash-1.txt').write_text(f'{text}Traceback (most recent call last):\nzlib.error: Error -3')
    assert read_crashes(tmp_path, settings)[0].exit_code == 1  # whole, of a kind that nobody knows


# through the command line


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / 'data' / 'sub-01').mkdir(parents=True)
    return tmp_path / 'data'


def words_of(dataset, *more):
    return [
        str(dataset),
        str(dataset.parent / 'out'),
        'participant',
        '-w',
        str(dataset.parent / 'work'),
        *more,
    ]


def raising(error):
    def run(settings):
        raise error

    return run


@pytest.mark.parametrize(
    ('error', 'status', 'says'),
    [
        (
            ZeroDivisionError('division by zero'),
            1,
            'a mistake of the program: ZeroDivisionError: division by zero',
        ),
        (RecursionError('too deep'), 1, 'RecursionError'),
        (MemoryError(), 75, 'memory ran out'),
        (system(errno.ENOSPC), 75, 'disk, not memory'),
        (KeyboardInterrupt(), 75, 'run the same command again'),
        (DataError('x is damaged'), 65, 'clbpe: x is damaged'),
        (AssertionError(), 1, 'AssertionError'),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_main_lets_nothing_through(dataset, monkeypatch, capsys, error, status, says):
    monkeypatch.setattr(cli, '_run', raising(error))
    assert cli.main(words_of(dataset)) == status
    said = capsys.readouterr().err
    assert says in said
    assert said.startswith('clbpe: ')
    assert len(said.splitlines()) == 1
    crashes = list(dataset.parent.rglob('crash-*.txt'))
    assert len(crashes) == (status == 1)
    for crash in crashes:
        assert str(crash) in said
        assert 'Traceback (most recent call last)' in crash.read_text()
        assert 'participant -w' in crash.read_text()


def test_a_mistake_before_there_are_settings_is_told_too(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cli, 'make_settings', raising(ZeroDivisionError('x')))
    monkeypatch.setattr(faults, 'private_folder', lambda: tmp_path)
    assert cli.main([]) == 1
    (crash,) = tmp_path.rglob('crash-*.txt')
    assert str(crash) in capsys.readouterr().err


def test_a_crash_file_that_no_folder_takes_is_no_second_failure(monkeypatch, capsys, dataset):
    monkeypatch.setattr(cli, '_run', raising(ZeroDivisionError('x')))
    monkeypatch.setattr(faults.Path, 'write_text', raising_any(OSError('full')))
    assert cli.main(words_of(dataset)) == 1
    assert 'ZeroDivisionError: x' in capsys.readouterr().err


def raising_any(error):
    def call(*args, **options):
        raise error

    return call


def test_a_reader_that_goes_away_is_no_mistake(dataset):
    """``clbpe ... --help | head -1``."""
    command = [sys.executable, '-m', 'bids_app', '--help']
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('option', ['--nprocs', '--omp-nthreads'])
@pytest.mark.parametrize('value', ['0', '-1', '1.5', 'many'])
def test_a_number_of_processes_begins_with_one(dataset, capsys, option, value):
    assert cli.main(words_of(dataset, f'{option}={value}')) == 2
    assert f'{value!r}: a whole number from 1 on is needed' in capsys.readouterr().err


@pytest.mark.parametrize('size', [2, 4])
def test_a_scratch_disk_too_small_is_told_as_a_disk(dataset, tmp_path, monkeypatch, capsys, size):
    if os.geteuid() or not shutil.which('mount'):
        pytest.skip('only root can make a disk')
    work = tmp_path / 'work'
    work.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}m,mode=755', 'tmpfs', work]).returncode:
        pytest.skip('no disk can be made here')

    def fill(settings):
        with (settings.work_dir / 'maps.npy').open('wb') as file:
            while True:
                file.write(bytes(2**20))
        raise AssertionError(file)

    monkeypatch.setattr(cli, '_run', fill)
    try:
        assert cli.main(words_of(dataset)) == 75
    finally:
        subprocess.run(['umount', work], check=True)
    assert f'the disk of the work folder {work} is full (disk, not memory)' in capsys.readouterr().err


def test_a_limit_of_memory_is_told_with_what_was_needed(dataset):
    """The limit is that of ``ulimit -v``, in a process of its own."""
    code = (
        'import sys, numpy as np; from bids_app import cli\n'
        'cli._run = lambda settings: np.ones(2**34)\n'
        f'sys.exit(cli.main({words_of(dataset)!r}))'
    )
    limit = 6 * 2**30
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert 'memory ran out: Unable to allocate 128. GiB' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_limit_of_processor_time_is_told_before_the_kernel_kills(dataset):
    """``ulimit -t`` sets the second of the signal and that of the kill to the same."""
    code = (
        'import sys; from bids_app import cli\n'
        'def run(settings):\n    while True: pass\n'
        f'cli._run = run; sys.exit(cli.main({words_of(dataset)!r}))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (4, 4)),
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert 'stopped by the limit of its processor time (ulimit -t)' in done.stderr


def test_closed_input_is_no_damaged_file_and_no_empty_dataset(dataset):
    """As any user: 66 with owner and mode, whether the dataset or the folder of a participant is closed."""
    for folder in (dataset, dataset / 'sub-01'):
        folder.chmod(0)
        done = as_plain_user(sys.executable, '-m', 'bids_app', *words_of(dataset))
        folder.chmod(0o755)
        assert done.returncode == 66, done.stderr
        assert f'the folder {folder} belongs to ' in done.stderr
        assert 'mode d---------' in done.stderr
        assert 'Traceback' not in done.stderr


def test_a_closed_output_folder_says_whose_it_is(dataset):
    out = dataset.parent / 'out'
    out.mkdir(mode=0o555)
    done = as_plain_user(sys.executable, '-m', 'bids_app', *words_of(dataset))
    assert done.returncode == 73, done.stderr
    assert f'{out} cannot be written: the folder {out} belongs to ' in done.stderr


# a home of our own


@pytest.fixture
def plain_home(monkeypatch, tmp_path):
    home.private_folder.cache_clear()
    monkeypatch.setattr(home.tempfile, 'tempdir', str(tmp_path))
    for name in (
        'HOME',
        'CLBPE_DOCKER_TAG',
        'APPTAINER_CONTAINER',
        'SINGULARITY_CONTAINER',
        'container',
        *home._CACHES,
    ):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    home.private_folder.cache_clear()


def test_a_home_is_left_alone(plain_home, monkeypatch):
    monkeypatch.setenv('HOME', str(plain_home))
    home.settle_home()
    assert os.environ['HOME'] == str(plain_home)
    assert 'MPLCONFIGDIR' not in os.environ


@pytest.mark.parametrize('value', [None, '', '/absent', 'relative'])
def test_without_a_home_there_is_one_of_this_user(plain_home, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv('HOME', value)
    home.settle_home()
    own = plain_home / f'clbpe-{os.getuid()}'
    assert os.environ['HOME'] == str(own)
    assert os.environ['MPLCONFIGDIR'] == str(own / 'matplotlib')
    assert own.stat().st_mode & 0o777 == 0o700


def test_in_a_container_caches_are_of_the_user_and_the_home_stays(plain_home, monkeypatch):
    monkeypatch.setenv('HOME', str(plain_home))
    monkeypatch.setenv('CLBPE_DOCKER_TAG', 'x')
    home.settle_home()
    assert os.environ['HOME'] == str(plain_home)
    assert os.environ['XDG_CACHE_HOME'] == str(plain_home / f'clbpe-{os.getuid()}' / 'cache')


@pytest.mark.parametrize('harm', ['open', 'link', 'file', 'foreign'])
def test_a_folder_that_somebody_else_could_write_to_is_not_used(plain_home, harm):
    own = plain_home / f'clbpe-{os.getuid()}'
    match harm:
        case 'open':
            own.mkdir()
            own.chmod(0o777)
        case 'link':
            (plain_home / 'elsewhere').mkdir()
            own.symlink_to(plain_home / 'elsewhere')
        case 'file':
            own.write_text('')
        case 'foreign':
            if os.geteuid():
                pytest.skip('only root can give a folder away')
            own.mkdir(mode=0o700)
            os.chown(own, 12345, 12345)
    found = home.private_folder()
    assert found != own
    assert found.stat().st_mode & 0o777 == 0o700


def test_the_program_starts_without_home_and_user(dataset):
    """PyBIDS asks for the home when it is imported."""
    environment = {'PATH': os.environ['PATH']}
    code = (
        'import os, sys\n'
        'if os.getuid() == 0: os.setgroups([])\n'
        'from bids_app.cli import main\n'
        f'status = main({words_of(dataset, "--dry-run")!r}); import bids; sys.exit(status)'
    )
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True)
    assert done.returncode == 66, done.stderr
    assert 'Traceback' not in done.stderr
    assert 'no BOLD' in done.stdout
