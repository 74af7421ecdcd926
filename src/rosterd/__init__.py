"""rosterd keeps a print fleet's users in step with the company directory."""

__version__ = "0.1.0"
