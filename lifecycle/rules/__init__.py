"""The rules as data: one YAML file per chapter; read by scheduler/rulebook.py."""
