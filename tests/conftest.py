"""What every folder of tests has: pytest's own means to test a plugin."""

pytest_plugins = ["pytester"]
