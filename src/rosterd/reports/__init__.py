"""Pure functions of a run or of an access table."""
