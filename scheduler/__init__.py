"""WAKES: everything that runs. Clock, scenarios, replay and the command line."""
