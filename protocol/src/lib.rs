//! What the operator and the sidecar say to each other
