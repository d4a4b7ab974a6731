"""Where every engine and all data are there (CLBPE_NO_SKIPS=1, continuous integration), a skipped test has failed."""

import re

import pytest

MAY_BE_SKIPPED = {
    'this Slurm enforces no memory': 'kernels with version 2 of cgroup alone: the Slurm of Debian 12 needs version 1',
}
"""Beginnings of the reasons that are accepted, and why."""


class Skips:
    """A plugin of pytest that names the tests that should have run, and fails."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that was skipped."""
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a whole module that was skipped."""
        self.note(report)

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Keep the reason unless it is on the list."""
        if not report.skipped or hasattr(report, 'wasxfail'):
            return
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple | list) else report.longrepr)
        reason = reason.removeprefix('Skipped: ')
        if not any(re.match(known, reason) for known in MAY_BE_SKIPPED):
            self.found[report.nodeid] = reason

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail where tests were skipped."""
        if self.found and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name them."""
        if self.found:
            terminalreporter.section('skipped, and nothing may be', red=True, bold=True)
            for nodeid, reason in self.found.items():
                terminalreporter.line(f'{nodeid}: {reason}')
