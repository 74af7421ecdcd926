"""Schedule and console of the running service."""
