"""The group level: what can be computed, the workflow that computes it, and who is in it."""
