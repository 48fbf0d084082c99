"""The daemon: never early, never lost, any number of them on one database."""
