"""The print queues of NDD Orbix: the one target."""
