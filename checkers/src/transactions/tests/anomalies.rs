//! Each anomaly by hand.
