"""DECIDES: the pure core. Values in, values out; no I/O, no clock, no chance."""
