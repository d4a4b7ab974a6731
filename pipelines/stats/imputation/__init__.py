"""Values that are missing: drawn at random, and as they might be if they are not missing at random."""
