use {
    crate::{
        clock,
        events::{Emit, TicketResold},
        faults::{Fault, Outcome},
        instruction,
        passing::Passing,
        pay::{share, Currency, Purse},
        state::{Config, Event, Organizer, Ticket, TransferPolicy},
        token::authority::Authority,
    },
    pinocchio::Address,
};

instruction! {
    /// The holder sells the ticket on. Buyer and seller both sign; the price is paid here, split into the seller's
    /// proceeds, the organizer's royalty and the protocol's fee.
    resell {
        accounts {
            /// Pays for the buyer's token account.
            payer: [signer writable],
            seller: [signer],
            buyer: [signer],
            /// The organizer's authority, where the event's policy asks for it.
            approver: [optional signer],
            config: [],
            organizer: [],
            event: [],
            /// ["auth", event].
            auth: [],
            ticket: [writable],
            mint: [],
            /// ["token", ticket, seller].
            from_token: [writable],
            /// ["token", ticket, buyer].
            to_token: [writable],
            rent_recipient: [writable],
            /// The buyer, or their associated token account of the event's currency.
            payment_from: [writable],
            /// The seller, or their associated token account.
            payment_to_seller: [writable],
            /// The organizer's fee recipient, or its associated token account.
            payment_to_organizer: [writable],
            /// The treasury, or its associated token account.
            payment_to_treasury: [writable],
            /// The event's currency; none for SOL.
            currency_mint: [optional],
            /// The token program of the currency; none for SOL.
            currency_program: [optional],
            token_program: [] = TOKEN_2022,
            system_program: [] = SYSTEM,
        }
        args {
            /// In the smallest unit of the event's currency; face value times resale cap at most.
            price: u64,
            /// The least that the seller agrees to get after fees.
            min_proceeds: u64,
        }
    }
}

/// How a price is split.
struct Split {
    proceeds: u64,
    royalty: u64,
    protocol_fee: u64,
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    let config = Config::load(accounts.config, program)?;
    if config.paused.is_set() {
        return Err(Fault::Paused);
    }
    let organizer = Organizer::load(accounts.organizer, program)?;
    let event = Event::load_active(accounts.event, accounts.organizer.address(), program)?;
    match event.transfer_policy {
        TransferPolicy::Open | TransferPolicy::ResaleOnly => {}
        TransferPolicy::OrganizerApproved => {
            Organizer::require_approval(accounts.organizer, accounts.approver, program)?
        }
        _ => return Err(Fault::TransferDisabled),
    }
    let now = clock::now()?;
    event.require_transfers_open(now)?;
    let auth = Authority::new(accounts.auth, accounts.event.address(), event.auth_bump, program)?;
    let address = *accounts.ticket.address();
    let ticket = Ticket::load_mut(accounts.ticket, accounts.event.address(), program)?;
    if accounts.seller.address() != &ticket.holder {
        return Err(Fault::Unauthorized);
    }
    let cap = share(ticket.face_value, event.resale_cap_bps)?;
    if args.price > cap {
        return Err(Fault::PriceAboveCap);
    }
    let split = split(args.price, organizer.resale_fee_bps, config.protocol_fee_bps)?;
    if split.proceeds < args.min_proceeds {
        return Err(Fault::ProceedsTooLow);
    }
    let currency = Currency::named(&event.currency_mint, accounts.currency_mint, accounts.currency_program)?;
    currency.check_purse(accounts.payment_from, accounts.buyer.address())?;
    currency.check_purse(accounts.payment_to_seller, accounts.seller.address())?;
    currency.check_purse(accounts.payment_to_organizer, &organizer.fee_recipient)?;
    currency.check_purse(accounts.payment_to_treasury, &config.treasury)?;
    let passing = Passing {
        payer: accounts.payer,
        auth: &auth,
        ticket: &address,
        mint: accounts.mint,
        from_token: accounts.from_token,
        to: accounts.buyer.address(),
        to_token: accounts.to_token,
        rent_recipient: accounts.rent_recipient,
    };
    passing.begin(ticket, event, program)?;
    TicketResold {
        event: ticket.event,
        ticket: address,
        mint: ticket.mint,
        from: *accounts.seller.address(),
        to: ticket.holder,
        currency_mint: event.currency_mint,
        price: args.price,
        proceeds: split.proceeds,
        royalty: split.royalty,
        protocol_fee: split.protocol_fee,
        version: ticket.version,
        unix_time: now,
    }
    .emit();
    let purse = Purse { payer: accounts.buyer, source: accounts.payment_from, currency };
    purse.pay(accounts.payment_to_seller, split.proceeds)?;
    purse.pay(accounts.payment_to_organizer, split.royalty)?;
    purse.pay(accounts.payment_to_treasury, split.protocol_fee)?;
    passing.finish(ticket.token_bump, Some(accounts.seller))
}

/// Both fees are rounded down; together they are at most 60 % of the price, by their limits.
#[inline(never)]
fn split(price: u64, royalty_bps: u16, protocol_bps: u16) -> Outcome<Split> {
    let royalty = share(price, royalty_bps)?;
    let protocol_fee = share(price, protocol_bps)?;
    Ok(Split { proceeds: price - royalty - protocol_fee, royalty, protocol_fee })
}
