//! Supervised training on burn-train.
