//! The event's "auth" address, which signs for mints and token accounts, and what only authorities do.

use {
    crate::{
        call::{call, Role},
        faults::Outcome,
        ids::TOKEN_2022,
        pda,
    },
    pinocchio::{
        cpi::{Seed, Signer},
        AccountView, Address,
    },
};

pub const AUTH_SEED: &[u8] = b"auth";

/// ["auth", event], found to be the account it claims to be.
pub struct Authority<'a> {
    pub auth: &'a AccountView,
    event: &'a Address,
    bump: [u8; 1],
}

/// What SetAuthority can change, in Token-2022's numbers.
#[derive(Clone, Copy)]
pub enum Power {
    MintTokens = 0,
    Freeze = 1,
    OwnAccount = 2,
    CloseAccount = 3,
    CloseMint = 6,
    PermanentDelegate = 8,
}

impl<'a> Authority<'a> {
    #[inline(always)]
    pub fn new(auth: &'a AccountView, event: &'a Address, bump: u8, program: &Address) -> Outcome<Self> {
        pda::check(auth.address(), &[AUTH_SEED, event.as_ref(), &[]], bump, program)?;
        Ok(Authority { auth, event, bump: [bump] })
    }

    /// Calls Token-2022 with this authority's signature.
    #[inline(always)]
    pub fn call<const N: usize>(&self, accounts: [(&AccountView, Role); N], data: &[u8]) {
        let seeds = [Seed::from(AUTH_SEED), Seed::from(self.event.as_array()), Seed::from(&self.bump)];
        call(&TOKEN_2022, accounts, data, &[Signer::from(&seeds)]);
    }

    /// Hands a power this authority holds over a mint or token account to another, or to nobody.
    #[inline(never)]
    pub fn hand_over(&self, of: &AccountView, power: Power, to: Option<&Address>) {
        let mut data = [0u8; 35];
        data[0] = 6;
        data[1] = power as u8;
        let mut length = 3;
        if let Some(address) = to {
            data[2] = 1;
            data[3..35].copy_from_slice(address.as_ref());
            length = 35;
        }
        self.call([(of, Role::Write), (self.auth, Role::Sign)], &data[..length]);
    }

    #[inline(never)]
    pub fn freeze(&self, token: &AccountView, mint: &AccountView) {
        self.call([(token, Role::Write), (mint, Role::Read), (self.auth, Role::Sign)], &[10]);
    }

    #[inline(never)]
    pub fn thaw(&self, token: &AccountView, mint: &AccountView) {
        self.call([(token, Role::Write), (mint, Role::Read), (self.auth, Role::Sign)], &[11]);
    }

    /// Closes an empty token account, or a mint without supply, and sends its lamports to `recipient`.
    #[inline(never)]
    pub fn close(&self, account: &AccountView, recipient: &AccountView) {
        self.call([(account, Role::Write), (recipient, Role::Write), (self.auth, Role::Sign)], &[9]);
    }
}
