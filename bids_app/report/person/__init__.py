"""The page of a participant, from derivatives on disk alone."""
