"""What is measured while a game is played: a quick two-sample test, power, mode collapse, when to stop."""
