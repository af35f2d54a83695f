//! Program-derived addresses, always with the canonical bump: the highest that lies off the curve. With any other
//! bump the same seeds would have a second address, and a ticket index a second ticket.
//!
//! Hashing here and asking whether the result is on the curve costs about 400 compute units a bump, against 1,500 for
//! the runtime's create_program_address.

use {
    crate::faults::{Fault, Outcome},
    core::{cell::Cell, marker::PhantomData},
    pinocchio::{address::address_eq, syscalls::sol_sha256, AccountView, Address},
};

/// Up to three seeds; those that are not needed are empty, and last.
pub type Seeds<'a> = [&'a [u8]; 3];

/// The canonical bump of the address at these seeds, whatever it is.
pub fn bump_at(seeds: &Seeds, program: &Address) -> Outcome<u8> {
    search(seeds, program, &mut Address::new_from_array([0; 32]))
}

/// The canonical bump of an account that must be at these seeds.
#[inline(never)]
pub fn find_bump(account: &AccountView, seeds: &Seeds, program: &Address) -> Outcome<u8> {
    let mut address = Address::new_from_array([0; 32]);
    let bump = search(seeds, program, &mut address)?;
    require_same(account.address(), &address)?;
    Ok(bump)
}

/// Checks an address against seeds and a bump that was canonical when it was stored.
#[inline(never)]
pub fn check(address: &Address, seeds: &Seeds, bump: u8, program: &Address) -> Outcome {
    let mut derived = Address::new_from_array([0; 32]);
    Preimage::new(seeds, &Cell::new(bump), program).hash(&mut derived);
    require_same(address, &derived)
}

#[inline(always)]
fn require_same(address: &Address, derived: &Address) -> Outcome {
    if address_eq(address, derived) {
        Ok(())
    } else {
        Err(Fault::BadAccount)
    }
}

/// Finds the highest bump that gives an address off the curve, and that address.
#[inline(never)]
fn search(seeds: &Seeds, program: &Address, address: &mut Address) -> Outcome<u8> {
    let bump = Cell::new(u8::MAX);
    let preimage = Preimage::new(seeds, &bump, program);
    loop {
        preimage.hash(address);
        if !address.is_on_curve() {
            return Ok(bump.get());
        }
        bump.set(bump.get().checked_sub(1).ok_or(Fault::BadAccount)?);
    }
}

/// What an address is the hash of: seeds, bump, program and a marker, as the runtime wants slices to be laid out.
struct Preimage<'a> {
    parts: [Part; 6],
    count: u64,
    bump: PhantomData<&'a Cell<u8>>,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Part {
    start: *const u8,
    length: u64,
}

const MARKER: &[u8] = b"ProgramDerivedAddress";

impl<'a> Preimage<'a> {
    #[inline(always)]
    fn new(seeds: &Seeds<'a>, bump: &'a Cell<u8>, program: &'a Address) -> Self {
        let part = |bytes: &[u8]| Part { start: bytes.as_ptr(), length: bytes.len() as u64 };
        let bump = Part { start: bump.as_ptr(), length: 1 };
        let [first, second, third] = seeds.map(part);
        let (program, marker) = (part(program.as_ref()), part(MARKER));
        if third.length == 0 {
            let parts = [first, second, bump, program, marker, third];
            Preimage { parts, count: 5, bump: PhantomData }
        } else {
            let parts = [first, second, third, bump, program, marker];
            Preimage { parts, count: 6, bump: PhantomData }
        }
    }

    #[inline(always)]
    fn hash(&self, address: &mut Address) {
        // SAFETY: the parts are alive, and the syscall writes the 32 bytes of an address.
        unsafe {
            let parts = self.parts.as_ptr() as *const u8;
            sol_sha256(parts, self.count, address as *mut Address as *mut u8)
        };
    }
}
