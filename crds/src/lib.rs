//! The API types of sealward.dev, their rules, and the YAML generated from them
