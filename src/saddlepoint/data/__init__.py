"""Opens what the user named and turns it into numbers that a network can play with, and back."""
