use {
    crate::{
        clock,
        events::{Emit, TicketRevoked},
        faults::{Fault, Outcome},
        instruction,
        passing::check_holding,
        state::{Config, Event, Organizer, RevokeReason, Ticket, TicketStatus},
        token::{authority::Authority, mint},
    },
    pinocchio::Address,
};

instruction! {
    /// Makes a ticket void: the NFT is burned, its mint and token account are closed. The ticket's account stays, so
    /// that the same ticket cannot be minted again. Possible after check-in and after cancellation too.
    revoke {
        accounts {
            authority: [signer],
            config: [],
            organizer: [],
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
        args {
            reason: RevokeReason,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let event = Event::load_of(accounts.event, accounts.organizer.address(), program)?;
    if args.reason == RevokeReason::None {
        return Err(Fault::BadArgument);
    }
    if accounts.rent_recipient.address() != &event.rent_recipient {
        return Err(Fault::BadAccount);
    }
    let auth = Authority::new(accounts.auth, accounts.event.address(), event.auth_bump, program)?;
    let address = *accounts.ticket.address();
    let ticket = Ticket::load_mut(accounts.ticket, accounts.event.address(), program)?;
    if ticket.status == TicketStatus::Revoked {
        return Err(Fault::Revoked);
    }
    check_holding(ticket, &address, accounts.mint, accounts.token, program)?;
    ticket.status = TicketStatus::Revoked;
    ticket.revoke_reason = args.reason;
    ticket.next_version()?;
    TicketRevoked {
        event: ticket.event,
        ticket: address,
        mint: ticket.mint,
        from: ticket.holder,
        reason: args.reason,
        version: ticket.version,
        unix_time: clock::now()?,
    }
    .emit();
    mint::burn_and_close(accounts.mint, accounts.token, accounts.rent_recipient, &auth);
    Ok(())
}
