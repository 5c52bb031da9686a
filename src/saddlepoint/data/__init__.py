"""Data: opening sources, splits, encoders from rows to network inputs and back, and writing samples."""
