"""Other implementations, one in each file: each plays the games of `speed_games` as its users would; `speed.py` times them."""
