"""A billing backend on FastAPI and SQLModel, with the subscription lifecycle in its transactions.

Start here: `transaction.py` shows how a host embeds the store, `billing.py` what it makes of the
facts, `api.py` its endpoints.
"""
