"""One file a rival: each plays the games of `speed_games` as its users would, and is timed by `speed.py`."""
