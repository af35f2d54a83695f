use {
    crate::{
        clock,
        events::{ConfigChanged, Emit},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        instruction,
        state::{Config, MAX_PROTOCOL_FEE_BPS},
    },
    pinocchio::Address,
};

instruction! {
    /// Changes treasury, fee and pause; what is not given stays.
    set_config {
        accounts {
            admin: [signer],
            config: [writable],
        }
        args {
            treasury: Option<Address>,
            /// In 1/100 of a percent of a resale price, 1000 at most.
            protocol_fee_bps: Option<u16>,
            paused: Option<bool>,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    let config = Config::load_for_admin(accounts.config, accounts.admin, program)?;
    if let Some(treasury) = args.treasury {
        if treasury == SYSTEM {
            return Err(Fault::BadArgument);
        }
        config.treasury = treasury;
    }
    if let Some(bps) = args.protocol_fee_bps {
        if bps > MAX_PROTOCOL_FEE_BPS {
            return Err(Fault::BadArgument);
        }
        config.protocol_fee_bps = bps;
    }
    if let Some(paused) = args.paused {
        config.paused = paused.into();
    }
    ConfigChanged::of(config, clock::now()?).emit();
    Ok(())
}
