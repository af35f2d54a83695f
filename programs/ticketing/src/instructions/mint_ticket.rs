use {
    crate::{
        clock,
        events::{Emit, TicketMinted},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        instruction,
        pay::MAX_AMOUNT,
        pda,
        state::{Config, Event, Head, Organizer, RevokeReason, Ticket, TicketStatus},
        system,
        token::{
            account::{self, NewHolding, TOKEN_SEED},
            authority::{Authority, Power},
            metadata::{self, Attribute},
            mint::{self, BARE_MINT, MINT_SEED},
        },
        wire::Text,
    },
    pinocchio::{
        cpi::{Seed, Signer},
        Address,
    },
};

instruction! {
    /// Mints the ticket of an index to a holder, who does not sign: the ticket's account, a Token-2022 mint with its
    /// metadata, and the holder's token account with the one token, frozen. No more can ever be minted.
    mint_ticket {
        accounts {
            /// Pays for the three accounts.
            payer: [signer writable],
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
            holder: [],
            token_program: [] = TOKEN_2022,
            system_program: [] = SYSTEM,
        }
        args {
            /// Below the event's max_supply.
            index: u32,
            /// The ticket's id in the service, a UUID's 16 bytes.
            id: [u8; 16],
            /// In the smallest unit of the event's currency, below 2^48.
            face_value: u64,
            name: Text<'a, 64>,
            symbol: Text<'a, 16>,
            uri: Text<'a, 200>,
            /// These four become attributes of the NFT; an empty one is left out.
            attribute_event: Text<'a, 64>,
            attribute_type: Text<'a, 64>,
            attribute_seat: Text<'a, 64>,
            attribute_number: Text<'a, 64>,
        }
    }
}

/// Where the three metadata strings begin in the arguments: behind index, id and face value.
const STRINGS_AT: usize = 4 + 16 + 8;

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let event = Event::load_active(accounts.event, accounts.organizer.address(), program)?;
    let event_address = accounts.event.address();
    if args.index >= event.max_supply {
        return Err(Fault::IndexOutOfRange);
    }
    if args.face_value > MAX_AMOUNT {
        return Err(Fault::MathOverflow);
    }
    if accounts.holder.address() == &SYSTEM {
        return Err(Fault::BadArgument);
    }
    let auth = Authority::new(accounts.auth, event_address, event.auth_bump, program)?;
    let index = args.index.to_le_bytes();
    let ticket_bump =
        pda::find_bump(accounts.ticket, &[Ticket::SEED, event_address.as_ref(), &index], program)?;
    let ticket_address = *accounts.ticket.address();
    let mint_bump = pda::find_bump(accounts.mint, &[MINT_SEED, ticket_address.as_ref(), &[]], program)?;
    let token_seeds = [TOKEN_SEED, ticket_address.as_ref(), accounts.holder.address().as_ref()];
    let token_bump = pda::find_bump(accounts.token, &token_seeds, program)?;
    TicketMinted {
        event: *event_address,
        ticket: ticket_address,
        mint: *accounts.mint.address(),
        to: *accounts.holder.address(),
        index: args.index,
        id: args.id,
        face_value: args.face_value,
        version: 1,
        unix_time: clock::now()?,
    }
    .emit();

    let bump_seed = [ticket_bump];
    let ticket_seeds = [
        Seed::from(Ticket::SEED),
        Seed::from(event_address.as_array()),
        Seed::from(&index),
        Seed::from(&bump_seed),
    ];
    let ticket_signer = Signer::from(&ticket_seeds);
    let ticket = Ticket {
        head: Head::of::<Ticket>(ticket_bump),
        event: *event_address,
        index: args.index,
        id: args.id,
        mint: *accounts.mint.address(),
        holder: *accounts.holder.address(),
        token_bump,
        face_value: args.face_value,
        status: TicketStatus::Active,
        version: 1,
        checked_in_at: 0,
        revoke_reason: RevokeReason::None,
    };
    system::create_state(accounts.payer, accounts.ticket, program, &ticket_signer, ticket)?;
    create_mint(&accounts, &args, mint_bump, &auth, &ticket_signer)?;
    let holding = NewHolding {
        payer: accounts.payer,
        token: accounts.token,
        mint: accounts.mint,
        ticket: &ticket_address,
        holder: accounts.holder.address(),
    };
    account::open(&holding, token_bump, &auth)?;
    mint::mint_one(accounts.mint, accounts.token, &auth);
    account::settle(accounts.token, accounts.mint, accounts.holder.address(), &auth);
    auth.hand_over(accounts.mint, Power::MintTokens, None);
    Ok(())
}

/// The mint and its metadata, which the ticket's account may edit: so a reader finds the ticket from the mint.
#[inline(never)]
fn create_mint(
    accounts: &Accounts,
    args: &Args,
    bump: u8,
    auth: &Authority,
    ticket_signer: &Signer,
) -> Outcome {
    let attributes = [
        Attribute { key: b"event", value: args.attribute_event.borsh },
        Attribute { key: b"type", value: args.attribute_type.borsh },
        Attribute { key: b"seat", value: args.attribute_seat.borsh },
        Attribute { key: b"number", value: args.attribute_number.borsh },
    ];
    let strings_length = args.name.borsh.len() + args.symbol.borsh.len() + args.uri.borsh.len();
    let strings = &args.raw[STRINGS_AT..STRINGS_AT + strings_length];
    let mut final_space = BARE_MINT + metadata::space(strings_length);
    for attribute in &attributes {
        final_space += attribute.space();
    }
    let bump_seed = [bump];
    let seeds =
        [Seed::from(MINT_SEED), Seed::from(accounts.ticket.address().as_array()), Seed::from(&bump_seed)];
    mint::create(accounts.payer, accounts.mint, final_space, auth.auth.address(), &Signer::from(&seeds))?;
    metadata::initialize(accounts.mint, accounts.ticket, strings, auth);
    for attribute in &attributes {
        if !attribute.is_empty() {
            metadata::add_attribute(accounts.mint, accounts.ticket, attribute, ticket_signer);
        }
    }
    Ok(())
}
