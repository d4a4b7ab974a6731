"""The table of every output: what writes a file and what finds it use the same row."""
