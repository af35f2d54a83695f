use {
    crate::{
        account,
        faults::{Fault, Outcome},
        pda, state,
    },
    pinocchio::{AccountView, Address},
};

account! {
    /// One per tenant, at ["org", tenant].
    Organizer {
        /// The tenant's id in the service, a UUID's 16 bytes.
        tenant: [u8; 16],
        /// Creates events, mints, revokes and reissues tickets.
        authority: Address,
        /// May become authority by accepting; all zeros if nobody is proposed.
        pending_authority: Address,
        /// Receives the organizer's royalty of resales.
        fee_recipient: Address,
        /// The organizer's royalty, in 1/100 of a percent of a resale price.
        resale_fee_bps: u16,
    }
}

/// More than half of a resale is never royalty.
pub const MAX_RESALE_FEE_BPS: u16 = 5_000;

impl Organizer {
    pub const SEED: &'static [u8] = b"org";

    #[inline(always)]
    pub fn load<'a>(account: &'a AccountView, program: &Address) -> Outcome<&'a Self> {
        let organizer: &Self = state::load(account, program)?;
        pda::check(account.address(), &[Self::SEED, &organizer.tenant, &[]], organizer.head.bump, program)?;
        Ok(organizer)
    }

    /// Loads it only to see that `authority` is the organizer's. That it signed is a flag of the instruction.
    #[inline(never)]
    pub fn require_authority(account: &AccountView, authority: &AccountView, program: &Address) -> Outcome {
        if &Self::load(account, program)?.authority != authority.address() {
            return Err(Fault::Unauthorized);
        }
        Ok(())
    }

    /// `require_authority` for an account that need not be given, so that its signature is still to be looked for.
    #[inline(always)]
    pub fn require_approval(account: &AccountView, approver: &AccountView, program: &Address) -> Outcome {
        if !approver.is_signer() {
            return Err(Fault::Unauthorized);
        }
        Self::require_authority(account, approver, program)
    }

    /// For changes to the organizer itself.
    #[inline(always)]
    pub fn load_for_authority<'a>(
        account: &'a mut AccountView,
        authority: &AccountView,
        program: &Address,
    ) -> Outcome<&'a mut Self> {
        Self::require_authority(account, authority, program)?;
        state::load_mut(account, program)
    }
}
