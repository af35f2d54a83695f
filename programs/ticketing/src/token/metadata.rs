//! Name, symbol, uri and attributes, in the mint itself.

use {
    super::authority::Authority,
    crate::{
        call::{call, Role},
        ids::TOKEN_2022,
    },
    core::mem::MaybeUninit,
    pinocchio::{cpi::Signer, syscalls::sol_memcpy_, AccountView},
};

/// First eight bytes of sha256("spl_token_metadata_interface:initialize_account").
const INITIALIZE: [u8; 8] = [210, 225, 30, 162, 88, 184, 77, 141];
/// First eight bytes of sha256("spl_token_metadata_interface:updating_field"), and the tag of a field named by key.
const UPDATE_BY_KEY: [u8; 9] = [221, 233, 49, 45, 181, 202, 220, 200, 3];

/// Bytes that the metadata adds to the mint, without its attributes: type and length, editor, mint, the three strings
/// as they stand in Borsh, and the number of attributes.
pub const fn space(strings: usize) -> usize {
    4 + 32 + 32 + strings + 4
}

/// Writes name, symbol and uri (`strings`, in Borsh). Only `editor` may change or add to them later.
#[inline(never)]
pub fn initialize(mint: &AccountView, editor: &AccountView, strings: &[u8], by: &Authority) {
    let mut data = Buffer::new();
    data.push(&INITIALIZE);
    data.push(strings);
    let accounts = [(mint, Role::Write), (editor, Role::Read), (mint, Role::Read), (by.auth, Role::Sign)];
    by.call(accounts, data.bytes());
}

/// An attribute; `value` comes with its length in front, as Borsh has it.
pub struct Attribute<'a> {
    pub key: &'static [u8],
    pub value: &'a [u8],
}

impl Attribute<'_> {
    /// An empty one is left out.
    pub fn is_empty(&self) -> bool {
        self.value.len() == 4
    }

    /// Bytes that it adds to the mint.
    pub fn space(&self) -> usize {
        if self.is_empty() {
            0
        } else {
            4 + self.key.len() + self.value.len()
        }
    }
}

/// Adds an attribute. `signer` signs for `editor`.
#[inline(never)]
pub fn add_attribute(mint: &AccountView, editor: &AccountView, attribute: &Attribute, signer: &Signer) {
    let mut data = Buffer::new();
    data.push(&UPDATE_BY_KEY);
    data.push(&(attribute.key.len() as u32).to_le_bytes());
    data.push(attribute.key);
    data.push(attribute.value);
    let accounts = [(mint, Role::Write), (editor, Role::Sign)];
    call(&TOKEN_2022, accounts, data.bytes(), core::slice::from_ref(signer));
}

/// Room for the longest name, symbol and uri.
const ROOM: usize = 400;

/// Instruction data of varying length, copied by the runtime: a loop over the bytes costs ten times as much.
struct Buffer {
    bytes: [MaybeUninit<u8>; ROOM],
    length: usize,
}

impl Buffer {
    #[inline(always)]
    fn new() -> Self {
        Buffer { bytes: [const { MaybeUninit::uninit() }; ROOM], length: 0 }
    }

    /// What is passed on was bounded when it was read, so that `ROOM` is enough; past it, panics.
    #[inline(always)]
    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        assert!(end <= ROOM);
        // SAFETY: the target range lies inside `bytes`, which nothing else refers to.
        unsafe {
            let target = self.bytes.as_mut_ptr().add(self.length) as *mut u8;
            sol_memcpy_(target, part.as_ptr(), part.len() as u64);
        }
        self.length = end;
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the first `length` bytes have been written.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr() as *const u8, self.length) }
    }
}
