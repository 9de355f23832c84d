//! Cryptography and formats of Sealward: pure, without I/O, clocks or globals
