"""Statistics of the outcomes of a trial: arrays and tables in, estimates out."""
