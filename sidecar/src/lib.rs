//! Serves the localhost endpoint with which an application decrypts
