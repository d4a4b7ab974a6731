"""Runs on real scans that take minutes: what each issue promised, measured."""
