//! The mint of a ticket: no decimals, one token, and every authority with the event's "auth" address.

use {
    super::{account, authority::Authority},
    crate::{
        call::{call, Role},
        faults::Outcome,
        ids::TOKEN_2022,
        system::{self, NewAccount},
    },
    pinocchio::{cpi::Signer, AccountView, Address},
};

pub const MINT_SEED: &[u8] = b"mint";

/// A mint with close authority, permanent delegate and metadata pointer, before its metadata is written.
pub const BARE_MINT: usize = 166 + (4 + 32) + (4 + 32) + (4 + 64);

/// Creates the mint and sets it up.
#[inline(never)]
pub fn create(
    payer: &AccountView,
    mint: &AccountView,
    final_space: usize,
    auth: &Address,
    signer: &Signer,
) -> Outcome {
    let new = NewAccount { payer, account: mint, owner: &TOKEN_2022, space: BARE_MINT, final_space };
    system::create(&new, signer)?;
    init_close_authority(mint, auth);
    init_permanent_delegate(mint, auth);
    init_metadata_pointer(mint);
    init_mint(mint, auth);
    Ok(())
}

#[inline(never)]
fn init_close_authority(mint: &AccountView, auth: &Address) {
    let mut data = [0u8; 34];
    data[0] = 25;
    data[1] = 1;
    data[2..34].copy_from_slice(auth.as_ref());
    call(&TOKEN_2022, [(mint, Role::Write)], &data, &[]);
}

#[inline(never)]
fn init_permanent_delegate(mint: &AccountView, auth: &Address) {
    let mut data = [0u8; 33];
    data[0] = 35;
    data[1..33].copy_from_slice(auth.as_ref());
    call(&TOKEN_2022, [(mint, Role::Write)], &data, &[]);
}

/// The metadata is in the mint itself, and without an authority here it can never be said to be elsewhere.
#[inline(never)]
fn init_metadata_pointer(mint: &AccountView) {
    let mut data = [0u8; 66];
    data[0] = 39;
    data[34..66].copy_from_slice(mint.address().as_ref());
    call(&TOKEN_2022, [(mint, Role::Write)], &data, &[]);
}

/// No decimals; mint and freeze authority.
#[inline(never)]
fn init_mint(mint: &AccountView, auth: &Address) {
    let mut data = [0u8; 67];
    data[0] = 20;
    data[2..34].copy_from_slice(auth.as_ref());
    data[34] = 1;
    data[35..67].copy_from_slice(auth.as_ref());
    call(&TOKEN_2022, [(mint, Role::Write)], &data, &[]);
}

/// Mints the one token.
#[inline(never)]
pub fn mint_one(mint: &AccountView, to: &AccountView, by: &Authority) {
    let accounts = [(mint, Role::Write), (to, Role::Write), (by.auth, Role::Sign)];
    by.call(accounts, &[7, 1, 0, 0, 0, 0, 0, 0, 0]);
}

/// Burns the one token, as permanent delegate, and closes its account and its mint; their lamports go to
/// `recipient`.
#[inline(never)]
pub fn burn_and_close(mint: &AccountView, token: &AccountView, recipient: &AccountView, by: &Authority) {
    by.thaw(token, mint);
    let accounts = [(token, Role::Write), (mint, Role::Write), (by.auth, Role::Sign)];
    by.call(accounts, &[8, 1, 0, 0, 0, 0, 0, 0, 0]);
    account::close(token, recipient, by);
    by.close(mint, recipient);
}
