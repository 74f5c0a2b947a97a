"""Tell people: policy, outbox, delivery."""
