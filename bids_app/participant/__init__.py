"""The participant level: scans of one person to workflows to files."""
