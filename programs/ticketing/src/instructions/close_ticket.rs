use {
    crate::{
        clock,
        events::{Emit, TicketClosed},
        faults::{Fault, Outcome},
        instruction,
        passing::check_holding,
        state::{ClosedEvent, Config, Organizer, Ticket, TicketStatus},
        system,
        token::{
            authority::{Authority, Power},
            mint,
        },
    },
    pinocchio::{AccountView, Address},
};

instruction! {
    /// Closes a ticket of a closed event; its rent goes to the rent recipient. The NFT is burned, or, where the event
    /// keeps collectibles, left to its holder with nobody else having any power over it.
    close_ticket {
        accounts {
            authority: [signer],
            config: [],
            organizer: [],
            /// Closed before.
            event: [],
            /// ["auth", event].
            auth: [],
            ticket: [writable],
            mint: [writable],
            /// ["token", ticket, holder].
            token: [writable],
            rent_recipient: [writable],
            token_program: [] = TOKEN_2022,
        }
        args {}
    }
}

fn process(program: &Address, accounts: Accounts, _args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let event = ClosedEvent::load(accounts.event, program)?;
    if &event.organizer != accounts.organizer.address()
        || accounts.rent_recipient.address() != &event.rent_recipient
    {
        return Err(Fault::BadAccount);
    }
    let auth = Authority::new(accounts.auth, accounts.event.address(), event.auth_bump, program)?;
    let address = *accounts.ticket.address();
    let ticket = Ticket::load_mut(accounts.ticket, accounts.event.address(), program)?;
    check_holding(ticket, &address, accounts.mint, accounts.token, program)?;
    ticket.next_version()?;
    let has_token = ticket.status != TicketStatus::Revoked;
    let kept = has_token && event.keep_collectible.is_set();
    TicketClosed {
        event: ticket.event,
        ticket: address,
        mint: ticket.mint,
        from: ticket.holder,
        kept,
        version: ticket.version,
        unix_time: clock::now()?,
    }
    .emit();
    if kept {
        set_free(accounts.mint, accounts.token, accounts.rent_recipient.address(), &auth);
    } else if has_token {
        mint::burn_and_close(accounts.mint, accounts.token, accounts.rent_recipient, &auth);
    }
    system::close(accounts.ticket, accounts.rent_recipient)
}

/// Thaws the token and gives every power away. Should the holder burn it one day, whoever paid the mint's rent can
/// have it back; until then that power does nothing.
#[inline(never)]
fn set_free(mint: &AccountView, token: &AccountView, rent_recipient: &Address, auth: &Authority) {
    auth.thaw(token, mint);
    auth.hand_over(token, Power::CloseAccount, None);
    auth.hand_over(mint, Power::Freeze, None);
    auth.hand_over(mint, Power::PermanentDelegate, None);
    auth.hand_over(mint, Power::CloseMint, Some(rent_recipient));
}
