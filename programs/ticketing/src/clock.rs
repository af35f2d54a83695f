use {
    crate::faults::Outcome,
    pinocchio::sysvars::{clock::Clock, Sysvar},
};

/// The cluster's clock in Unix seconds.
#[inline(never)]
pub fn now() -> Outcome<i64> {
    Ok(Clock::get()?.unix_timestamp)
}
