"""What tests and benchmarks share: made data, local servers, fixtures."""
