"""Pure functions on arrays: numpy, scipy, dipy, SimpleITK and Greedy only, no files, no random default."""
