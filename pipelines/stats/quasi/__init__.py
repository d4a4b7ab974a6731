"""Quasi-likelihood tests of counts: regressions at known dispersion, moderated quasi-dispersions, F tests."""
