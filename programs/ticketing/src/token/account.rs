//! The token account that holds a ticket, at ["token", ticket, holder] and owned by the holder.
//!
//! It is an address of this program and not the holder's associated token account, so that the event's authority can
//! keep the power to close it: only so does its rent come back when a ticket is revoked, reissued or closed without
//! the holder's signature. Nobody else can create it, and it costs a third of the associated one in compute units.

use {
    super::authority::{Authority, Power},
    crate::{
        call::{call, Role},
        faults::Outcome,
        ids::TOKEN_2022,
        system::{self, NewAccount},
    },
    pinocchio::{
        cpi::{Seed, Signer},
        AccountView, Address,
    },
};

pub const TOKEN_SEED: &[u8] = b"token";
const TOKEN_ACCOUNT: usize = 165;

/// A token account to be created for a new holder.
pub struct NewHolding<'a> {
    pub payer: &'a AccountView,
    pub token: &'a AccountView,
    pub mint: &'a AccountView,
    pub ticket: &'a Address,
    pub holder: &'a Address,
}

/// Creates it, owned for the moment by the event's authority; `settle` gives it to the holder.
#[inline(never)]
pub fn open(new: &NewHolding, bump: u8, by: &Authority) -> Outcome {
    let bump = [bump];
    let seeds = [
        Seed::from(TOKEN_SEED),
        Seed::from(new.ticket.as_array()),
        Seed::from(new.holder.as_array()),
        Seed::from(&bump),
    ];
    let account = NewAccount {
        payer: new.payer,
        account: new.token,
        owner: &TOKEN_2022,
        space: TOKEN_ACCOUNT,
        final_space: TOKEN_ACCOUNT,
    };
    system::create(&account, &Signer::from(&seeds))?;
    init(new.token, new.mint, by.auth.address());
    by.hand_over(new.token, Power::CloseAccount, Some(by.auth.address()));
    Ok(())
}

/// With the token in it: gives the account to its holder and freezes it there.
#[inline(never)]
pub fn settle(token: &AccountView, mint: &AccountView, holder: &Address, by: &Authority) {
    by.hand_over(token, Power::OwnAccount, Some(holder));
    by.freeze(token, mint);
}

#[inline(never)]
fn init(token: &AccountView, mint: &AccountView, owner: &Address) {
    let mut data = [0u8; 33];
    data[0] = 18;
    data[1..33].copy_from_slice(owner.as_ref());
    call(&TOKEN_2022, [(token, Role::Write), (mint, Role::Read)], &data, &[]);
}

/// From one holder's account to the next.
pub struct Move<'a> {
    pub mint: &'a AccountView,
    pub from: &'a AccountView,
    pub to: &'a AccountView,
}

/// Moves the token on the signature of its owner, who has signed the transaction. Plain Transfer does, at half the
/// cost of TransferChecked: there are no decimals to check, and both accounts are known to be of this mint.
#[inline(never)]
pub fn move_as_owner(moved: &Move, owner: &AccountView) {
    let accounts = [(moved.from, Role::Write), (moved.to, Role::Write), (owner, Role::Sign)];
    call(&TOKEN_2022, accounts, &[3, 1, 0, 0, 0, 0, 0, 0, 0], &[]);
}

/// Moves the token as permanent delegate, without its owner. Only TransferChecked looks at the mint for one.
#[inline(never)]
pub fn move_as_delegate(moved: &Move, by: &Authority) {
    let accounts =
        [(moved.from, Role::Write), (moved.mint, Role::Read), (moved.to, Role::Write), (by.auth, Role::Sign)];
    by.call(accounts, &[12, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// Closes an emptied account; its lamports go to `recipient`. One with a CPI guard is left behind: its holder can put
/// that even on a frozen account, Token-2022 then refuses to close it for a program, and no ticket could be revoked
/// from a holder who did that.
#[inline(never)]
pub fn close(token: &AccountView, recipient: &AccountView, by: &Authority) {
    if token.data_len() == TOKEN_ACCOUNT || !is_guarded(token) {
        by.close(token, recipient);
    }
}

/// Whether a token account has a CPI guard that is switched on. Extensions are type, length and value, behind the
/// account's type.
#[inline(never)]
fn is_guarded(token: &AccountView) -> bool {
    const CPI_GUARD: u16 = 11;
    // SAFETY: read only, and nothing writes to it meanwhile.
    let data = unsafe { token.borrow_unchecked() };
    let mut rest = data.get(TOKEN_ACCOUNT + 1..).unwrap_or(&[]);
    while let [t0, t1, l0, l1, behind @ ..] = rest {
        let kind = u16::from_le_bytes([*t0, *t1]);
        let length = u16::from_le_bytes([*l0, *l1]) as usize;
        if kind == CPI_GUARD {
            return behind.first() == Some(&1);
        }
        rest = behind.get(length..).unwrap_or(&[]);
    }
    false
}
