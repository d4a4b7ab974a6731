"""Workflow factories ``init_<noun>_wf``: nodes and connections, never arithmetic."""
