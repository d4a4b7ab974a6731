"""Our parts against what a user would pick instead; ``scripts/bench`` runs them all."""
