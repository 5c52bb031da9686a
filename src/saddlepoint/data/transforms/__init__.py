"""Column transformers of tables: cells to features and back, whole or out of core."""
