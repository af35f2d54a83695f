//! A ticket on its way from its holder to another, which transfer, resale and reissue share.

use {
    crate::{
        faults::{Fault, Outcome},
        ids::SYSTEM,
        pda,
        state::{Event, Ticket},
        token::{
            account::{self, Move, NewHolding, TOKEN_SEED},
            authority::Authority,
        },
    },
    pinocchio::{AccountView, Address},
};

pub struct Passing<'a> {
    pub payer: &'a AccountView,
    pub auth: &'a Authority<'a>,
    /// The ticket's address.
    pub ticket: &'a Address,
    pub mint: &'a AccountView,
    pub from_token: &'a AccountView,
    pub to: &'a Address,
    pub to_token: &'a AccountView,
    pub rent_recipient: &'a AccountView,
}

impl Passing<'_> {
    /// Checks everything, and makes `to` the holder in the ticket's state. The token follows with `finish`.
    #[inline(never)]
    pub fn begin(&self, ticket: &mut Ticket, event: &Event, program: &Address) -> Outcome {
        ticket.require_active()?;
        check_holding(ticket, self.ticket, self.mint, self.from_token, program)?;
        if self.rent_recipient.address() != &event.rent_recipient {
            return Err(Fault::BadAccount);
        }
        if self.to == &ticket.holder || self.to == &SYSTEM {
            return Err(Fault::BadArgument);
        }
        let seeds = [TOKEN_SEED, self.ticket.as_ref(), self.to.as_ref()];
        ticket.token_bump = pda::find_bump(self.to_token, &seeds, program)?;
        ticket.holder = *self.to;
        ticket.next_version()
    }

    /// Moves the token: on the signature of its owner if given, else as permanent delegate.
    #[inline(never)]
    pub fn finish(&self, bump: u8, owner: Option<&AccountView>) -> Outcome {
        let holding = NewHolding {
            payer: self.payer,
            token: self.to_token,
            mint: self.mint,
            ticket: self.ticket,
            holder: self.to,
        };
        account::open(&holding, bump, self.auth)?;
        self.auth.thaw(self.from_token, self.mint);
        let moved = Move { mint: self.mint, from: self.from_token, to: self.to_token };
        match owner {
            Some(owner) => account::move_as_owner(&moved, owner),
            None => account::move_as_delegate(&moved, self.auth),
        }
        account::settle(self.to_token, self.mint, self.to, self.auth);
        account::close(self.from_token, self.rent_recipient, self.auth);
        Ok(())
    }
}

/// That mint and token account are those of the ticket and its holder.
#[inline(never)]
pub fn check_holding(
    ticket: &Ticket,
    address: &Address,
    mint: &AccountView,
    token: &AccountView,
    program: &Address,
) -> Outcome {
    if mint.address() != &ticket.mint {
        return Err(Fault::BadAccount);
    }
    pda::check(
        token.address(),
        &[TOKEN_SEED, address.as_ref(), ticket.holder.as_ref()],
        ticket.token_bump,
        program,
    )
}
