"""Pictures of the game: arrays, records and callables in, a matplotlib `Figure` out."""
