use {
    crate::faults::{Fault, Outcome},
    pinocchio::sysvars::{get_sysvar, rent::RENT_ID},
};

/// The lamports that make an account of this size rent-exempt, as the cluster says. Both forms of the rent sysvar are
/// known: lamports per byte and year, times a threshold of two years, and the newer lamports per byte, times one.
#[inline(never)]
pub fn rent_for(space: usize) -> Outcome<u64> {
    const OVERHEAD: u64 = 128;
    const ONE: u64 = 0x3FF0_0000_0000_0000;
    const TWO: u64 = 0x4000_0000_0000_0000;
    let mut raw = [0u8; 16];
    get_sysvar(&mut raw, &RENT_ID, 0)?;
    let (per_byte, threshold) = raw.split_at(8);
    let per_byte = u64::from_le_bytes(per_byte.try_into().map_err(|_| Fault::UnknownRent)?);
    let threshold = u64::from_le_bytes(threshold.try_into().map_err(|_| Fault::UnknownRent)?);
    let years = match threshold {
        ONE => 1,
        TWO => 2,
        _ => return Err(Fault::UnknownRent),
    };
    // Less than 2^40 lamports per byte, 2^21 bytes and 2 years make less than 2^62.
    if per_byte >= 1 << 40 || space >= 1 << 20 {
        return Err(Fault::MathOverflow);
    }
    Ok((OVERHEAD + space as u64).wrapping_mul(per_byte).wrapping_mul(years))
}
