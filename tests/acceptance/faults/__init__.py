"""What is done to the program while it runs and to what it is given, and how it ends: each part is a run of ``scripts/accept``."""
