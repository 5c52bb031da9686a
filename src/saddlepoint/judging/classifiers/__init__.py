"""The classifiers of the two-sample test, by kind of data."""
