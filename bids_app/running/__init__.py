"""Run steps, follow them, and record what is done; knows nothing of images."""
