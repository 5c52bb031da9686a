"""Figures of training and samples: functions from arrays, records and callables to a matplotlib `Figure`."""
