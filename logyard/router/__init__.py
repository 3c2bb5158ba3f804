"""The router: runs the drains that Redis names, each on its own."""
