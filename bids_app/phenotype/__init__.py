"""The tables of a trial and its trial file: one long, validated table of each kind."""
