"""The pure part: standard library only; no clock, disk, network or log."""
