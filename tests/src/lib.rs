//! Tests and benchmarks of the whole of Sealward
