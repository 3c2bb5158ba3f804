"""Speed beside other log shippers: ``make bench`` or ``python -m bench``; docs/benchmarks.md says how and why."""
