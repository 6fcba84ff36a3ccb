//! The networks, one file each.

pub mod charlm;
