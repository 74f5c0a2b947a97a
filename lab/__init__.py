"""A small, real Veza on loopback: PostgreSQL, RabbitMQ, API, worker, storage, logs."""
