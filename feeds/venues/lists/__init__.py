"""How the venues write their lists of instruments: where they are, and what they say, by venue."""
