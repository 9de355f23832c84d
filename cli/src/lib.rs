//! What people type
