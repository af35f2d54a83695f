use {
    crate::{
        account,
        faults::{Fault, Outcome},
        pda,
        state::{self, Flag},
    },
    pinocchio::{AccountView, Address},
};

account! {
    /// One per deployed program, at ["config"]: who runs it, what it earns, and whether it stands still.
    Config {
        /// May change this account and register organizers.
        admin: Address,
        /// May become admin by accepting; all zeros if nobody is proposed.
        pending_admin: Address,
        /// Receives the protocol fee of resales.
        treasury: Address,
        /// The protocol's part of a resale price, in 1/100 of a percent.
        protocol_fee_bps: u16,
        /// While set, nothing can be done with organizers' events and tickets.
        paused: Flag,
    }
}

/// More than a tenth of a resale is never the protocol's.
pub const MAX_PROTOCOL_FEE_BPS: u16 = 1_000;

impl Config {
    pub const SEED: &'static [u8] = b"config";

    #[inline(always)]
    pub fn load<'a>(account: &'a AccountView, program: &Address) -> Outcome<&'a Self> {
        let config: &Self = state::load(account, program)?;
        pda::check(account.address(), &[Self::SEED, &[], &[]], config.head.bump, program)?;
        Ok(config)
    }

    /// Loads it only to see that the program is not paused.
    #[inline(never)]
    pub fn require_running(account: &AccountView, program: &Address) -> Outcome {
        if Self::load(account, program)?.paused.is_set() {
            return Err(Fault::Paused);
        }
        Ok(())
    }

    /// For the admin's own instructions: works while paused, and only for the admin.
    #[inline(always)]
    pub fn load_for_admin<'a>(
        account: &'a mut AccountView,
        admin: &AccountView,
        program: &Address,
    ) -> Outcome<&'a mut Self> {
        if &Self::load(account, program)?.admin != admin.address() {
            return Err(Fault::Unauthorized);
        }
        state::load_mut(account, program)
    }
}
