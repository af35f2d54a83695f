use {
    crate::{
        clock,
        events::{Emit, EventChanged},
        faults::{Fault, Outcome},
        ids::{SYSTEM, TOKEN, TOKEN_2022},
        instruction, pda,
        state::{Config, Event, EventStatus, Head, Organizer, TransferPolicy, Windows},
        system,
        token::authority::AUTH_SEED,
    },
    pinocchio::{
        cpi::{Seed, Signer},
        AccountView, Address,
    },
};

instruction! {
    /// Creates an event of an organizer.
    create_event {
        accounts {
            /// Pays for the account.
            payer: [signer writable],
            authority: [signer],
            config: [],
            organizer: [],
            event: [writable],
            /// Will get back the rent of what is closed. Writable here, to show that it can be.
            rent_recipient: [writable],
            /// What resales are paid in; none for SOL.
            currency_mint: [optional],
            system_program: [] = SYSTEM,
        }
        args {
            /// The event's id in the service, a UUID's 16 bytes.
            id: [u8; 16],
            gate_authority: Address,
            max_supply: u32,
            /// In 1/100 of a percent of the face value.
            resale_cap_bps: u16,
            transfer_policy: TransferPolicy,
            keep_collectible: bool,
            windows: Windows,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let address = *accounts.event.address();
    let rent_recipient = *accounts.rent_recipient.address();
    if args.max_supply == 0
        || args.gate_authority == SYSTEM
        || rent_recipient == SYSTEM
        || rent_recipient == address
    {
        return Err(Fault::BadArgument);
    }
    let currency_mint = currency(accounts.currency_mint, program)?;
    let organizer = *accounts.organizer.address();
    let bump = pda::find_bump(accounts.event, &[Event::SEED, organizer.as_ref(), &args.id], program)?;
    let auth_bump = pda::bump_at(&[AUTH_SEED, address.as_ref(), &[]], program)?;
    let event = Event {
        head: Head::of::<Event>(bump),
        organizer,
        id: args.id,
        auth_bump,
        gate_authority: args.gate_authority,
        currency_mint,
        rent_recipient,
        max_supply: args.max_supply,
        resale_cap_bps: args.resale_cap_bps,
        transfer_policy: args.transfer_policy,
        keep_collectible: args.keep_collectible.into(),
        windows: args.windows,
        status: EventStatus::Active,
    };
    EventChanged::of(&event, &address, clock::now()?).emit();
    let bump_seed = [bump];
    let seeds = [
        Seed::from(Event::SEED),
        Seed::from(organizer.as_array()),
        Seed::from(&args.id),
        Seed::from(&bump_seed),
    ];
    system::create_state(accounts.payer, accounts.event, program, &Signer::from(&seeds), event)
}

/// The currency's mint, which has to be an initialized one of either token program, or all zeros for SOL.
#[inline(never)]
fn currency(mint: &AccountView, program: &Address) -> Outcome<Address> {
    const MINT: usize = 82;
    const IS_INITIALIZED: usize = 45;
    const ACCOUNT_TYPE: usize = 165;
    const MULTISIG: usize = 355;
    if mint.address() == program {
        return Ok(SYSTEM);
    }
    // SAFETY: read only, and nothing writes to it meanwhile.
    let data = unsafe { mint.borrow_unchecked() };
    let of_token_program = mint.owned_by(&TOKEN) || mint.owned_by(&TOKEN_2022);
    // A multisig holds signers of its maker's choice where a mint has its type; no mint is as long as one.
    let of_mint_type = data.len() == MINT
        || (data.len() > ACCOUNT_TYPE
            && data.len() != MULTISIG
            && data[ACCOUNT_TYPE] == 1
            && mint.owned_by(&TOKEN_2022));
    if of_token_program && of_mint_type && data[IS_INITIALIZED] == 1 {
        Ok(*mint.address())
    } else {
        Err(Fault::BadAccount)
    }
}
