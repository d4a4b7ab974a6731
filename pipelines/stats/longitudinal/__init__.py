"""Repeated measures of the people of a trial: restricted likelihood, inference on contrasts, and the trial on top."""
