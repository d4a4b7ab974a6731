"""The page of a trial, from the files of the group level alone."""
