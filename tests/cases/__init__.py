"""Inputs that people really had: each changes one thing of a sound dataset, and has its right answer beside it."""
