"""Pure functions on arrays: numpy, scipy, dipy and antspyx only, no files, no random default."""
