"""Where people come from: each source reads entries and proves that the read was complete."""
