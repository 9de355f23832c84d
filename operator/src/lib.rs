//! Reconciles customer master keys into sealed key material
