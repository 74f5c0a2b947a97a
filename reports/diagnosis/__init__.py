"""The evidence table and the noisy-OR network over it."""
