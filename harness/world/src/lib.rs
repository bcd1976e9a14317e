//! What the simulated and the live world share.
