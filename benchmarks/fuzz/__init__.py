"""What `benchmarks.fuzz_parsers` is made of: damage to bytes, the parsers it is tried on, and the seeds it begins with."""
