"""The rivals' processes; each module is run by the Python of that rival's own environment."""
