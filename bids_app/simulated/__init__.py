"""Datasets with known truth, for demonstrations and tests; nothing of a run imports this room."""
