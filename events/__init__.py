"""RECORDS: everything durable. One door in, one store, one history."""
