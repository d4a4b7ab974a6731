"""Outcomes that are no measurements: events, levels, counts and rates, in any number of arms."""
