"""``clbpe-plan``: how many people a trial needs, from its trial file."""
