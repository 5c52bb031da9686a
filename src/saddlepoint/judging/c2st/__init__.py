"""The certified classifier two-sample test (C2ST): splits, ensemble, stacking, betting bound, validity checks."""
