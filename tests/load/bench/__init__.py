"""The bench: what a command costs in dragoman, beside what people would write or use in its place."""
