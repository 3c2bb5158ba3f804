"""What passes through Redis: batches into streams, groups and leases out of them, and what is told about them."""
