use {
    crate::{
        clock,
        events::{ConfigChanged, Emit},
        faults::{Fault, Outcome},
        ids::{LOADER_V2, LOADER_V3, SYSTEM},
        instruction, pda,
        state::{Config, Head, MAX_PROTOCOL_FEE_BPS},
        system,
    },
    pinocchio::{
        cpi::{Seed, Signer},
        AccountView, Address,
    },
};

instruction! {
    /// Creates the configuration, once. The signer becomes the admin, and has to be the program's upgrade authority
    /// if it has one. A program without one takes whoever comes first: initialize before giving the authority up.
    init_config {
        accounts {
            /// Pays for the account.
            payer: [signer writable],
            admin: [signer],
            config: [writable],
            /// This program.
            program: [],
            /// Where its upgrade authority is written, if its loader keeps one.
            program_data: [optional],
            system_program: [] = SYSTEM,
        }
        args {
            /// Receives the protocol fees.
            treasury: Address,
            /// In 1/100 of a percent of a resale price, 1000 at most.
            protocol_fee_bps: u16,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    if args.protocol_fee_bps > MAX_PROTOCOL_FEE_BPS || args.treasury == SYSTEM {
        return Err(Fault::BadArgument);
    }
    if accounts.program.address() != program {
        return Err(Fault::BadAccount);
    }
    require_upgrade_authority(accounts.program, accounts.program_data, accounts.admin.address())?;
    let bump = pda::find_bump(accounts.config, &[Config::SEED, &[], &[]], program)?;
    let bump_seed = [bump];
    let seeds = [Seed::from(Config::SEED), Seed::from(&bump_seed)];
    let config = Config {
        head: Head::of::<Config>(bump),
        admin: *accounts.admin.address(),
        pending_admin: SYSTEM,
        treasury: args.treasury,
        protocol_fee_bps: args.protocol_fee_bps,
        paused: false.into(),
    };
    ConfigChanged::of(&config, clock::now()?).emit();
    system::create_state(accounts.payer, accounts.config, program, &Signer::from(&seeds), config)
}

/// A loader-v3 program names its data account, which holds slot and, behind a tag, the authority. All zeros as the
/// authority is what test validators write for "none".
fn require_upgrade_authority(program: &AccountView, program_data: &AccountView, admin: &Address) -> Outcome {
    const PROGRAM: u32 = 2;
    const PROGRAM_DATA: u32 = 3;
    if program.owned_by(&LOADER_V2) {
        return Ok(());
    }
    if !program.owned_by(&LOADER_V3) || program.data_len() < 36 {
        return Err(Fault::BadAccount);
    }
    // SAFETY: both accounts are read only, and nothing writes to them meanwhile.
    let (program_bytes, data_bytes) =
        unsafe { (program.borrow_unchecked(), program_data.borrow_unchecked()) };
    let right = program_bytes[..4] == PROGRAM.to_le_bytes()
        && program_bytes[4..36] == *program_data.address().as_array()
        && program_data.owned_by(&LOADER_V3)
        && data_bytes.len() >= 45
        && data_bytes[..4] == PROGRAM_DATA.to_le_bytes();
    if !right {
        return Err(Fault::BadAccount);
    }
    let authority = &data_bytes[13..45];
    let has_authority = data_bytes[12] != 0 && authority != SYSTEM.as_array();
    if has_authority && authority != admin.as_array() {
        return Err(Fault::Unauthorized);
    }
    Ok(())
}
