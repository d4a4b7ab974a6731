"""What a person has: raw scans, or those that fMRIPrep and QSIPrep left."""
