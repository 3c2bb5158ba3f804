"""The agent: follows files and publishes what is written to them, each line exactly once (docs/tailing.md)."""
