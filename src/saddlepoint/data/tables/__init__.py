"""Tables as files and frames: reading, column types, schemas, forms, splitting files."""
