"""Words that two modules share."""
