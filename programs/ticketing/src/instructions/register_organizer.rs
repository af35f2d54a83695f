use {
    crate::{
        clock,
        events::{Emit, OrganizerChanged},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        instruction, pda,
        state::{Config, Head, Organizer, MAX_RESALE_FEE_BPS},
        system,
    },
    pinocchio::{
        cpi::{Seed, Signer},
        Address,
    },
};

instruction! {
    /// Registers a tenant's organizer. Only the admin can, so that nobody takes another tenant's id.
    register_organizer {
        accounts {
            /// Pays for the account.
            payer: [signer writable],
            admin: [signer],
            config: [],
            organizer: [writable],
            system_program: [] = SYSTEM,
        }
        args {
            tenant: [u8; 16],
            authority: Address,
            fee_recipient: Address,
            /// In 1/100 of a percent of a resale price, 5000 at most.
            resale_fee_bps: u16,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    let config = Config::load(accounts.config, program)?;
    if &config.admin != accounts.admin.address() {
        return Err(Fault::Unauthorized);
    }
    if config.paused.is_set() {
        return Err(Fault::Paused);
    }
    if args.resale_fee_bps > MAX_RESALE_FEE_BPS || args.authority == SYSTEM || args.fee_recipient == SYSTEM {
        return Err(Fault::BadArgument);
    }
    let bump = pda::find_bump(accounts.organizer, &[Organizer::SEED, &args.tenant, &[]], program)?;
    let bump_seed = [bump];
    let seeds = [Seed::from(Organizer::SEED), Seed::from(&args.tenant), Seed::from(&bump_seed)];
    let organizer = Organizer {
        head: Head::of::<Organizer>(bump),
        tenant: args.tenant,
        authority: args.authority,
        pending_authority: SYSTEM,
        fee_recipient: args.fee_recipient,
        resale_fee_bps: args.resale_fee_bps,
    };
    OrganizerChanged::of(&organizer, accounts.organizer.address(), clock::now()?).emit();
    system::create_state(accounts.payer, accounts.organizer, program, &Signer::from(&seeds), organizer)
}
