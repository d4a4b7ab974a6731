"""Arrays with known truth: series, confounds, heads, diffusion, counts, whole trials."""
