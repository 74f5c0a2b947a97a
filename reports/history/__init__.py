"""Earlier runs: the store, incidents over time, trends."""
