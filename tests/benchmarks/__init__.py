"""Measurements that the README quotes. Run them with `python -m tests.benchmarks NAME`; pytest never does."""
