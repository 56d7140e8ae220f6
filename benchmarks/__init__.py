"""Benchmarks: the speed of each kernel and stage, compared with the usual implementation."""
