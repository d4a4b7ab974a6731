"""The programs: ``clbpe`` (also ``python -m clbpe``), ``clbpe-simulate`` and ``clbpe-plan``."""

import sys


def main() -> int:
    """Run ``clbpe``."""
    from bids_app.cli import main as run

    return run()


def simulate() -> int:
    """Run ``clbpe-simulate``."""
    from bids_app.simulated.cli import main as run

    return run()


def plan() -> int:
    """Run ``clbpe-plan``."""
    from bids_app.planning.cli import main as run

    return run()


if __name__ == '__main__':
    sys.exit(main())
