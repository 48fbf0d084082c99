"""The policy packs, as YAML data; read by events/packs.py."""
