//! Payments of a resale, in SOL or in the event's currency.

use {
    crate::{
        call::{call, Role},
        faults::{Fault, Outcome},
        ids::{ASSOCIATED_TOKEN, SYSTEM, TOKEN, TOKEN_2022},
        pda, system,
    },
    pinocchio::{AccountView, Address},
};

/// Face values and prices are at most this: 281,474 SOL, or 281 million of a currency with six decimals. A product
/// with any 16-bit number of basis points then fits into 64 bits.
pub const MAX_AMOUNT: u64 = (1 << 48) - 1;

/// `amount` times `bps` / 10000, rounded down.
pub fn share(amount: u64, bps: u16) -> Outcome<u64> {
    if amount > MAX_AMOUNT {
        return Err(Fault::MathOverflow);
    }
    Ok(amount.wrapping_mul(bps as u64) / 10_000)
}

/// Who pays, and in what.
pub struct Purse<'a> {
    /// Has signed.
    pub payer: &'a AccountView,
    /// `payer` itself for SOL, else its associated token account.
    pub source: &'a AccountView,
    pub currency: Currency<'a>,
}

pub enum Currency<'a> {
    Sol,
    Tokens { mint: &'a AccountView, token_program: &'a Address },
}

impl<'a> Currency<'a> {
    /// The currency that an event names. For tokens the mint has to be given, and decides by its owner which of the
    /// two token programs is called.
    #[inline(never)]
    pub fn named(name: &Address, mint: &'a AccountView, token_program: &AccountView) -> Outcome<Self> {
        if name == &SYSTEM {
            return Ok(Currency::Sol);
        }
        let program: &Address = if mint.owned_by(&TOKEN) { &TOKEN } else { &TOKEN_2022 };
        if mint.address() != name || !mint.owned_by(program) || token_program.address() != program {
            return Err(Fault::BadAccount);
        }
        Ok(Currency::Tokens { mint, token_program: program })
    }

    /// That `account` is where `owner` is paid: itself for SOL, else its associated token account.
    #[inline(never)]
    pub fn check_purse(&self, account: &AccountView, owner: &Address) -> Outcome {
        match self {
            Currency::Sol => {
                if account.address() != owner {
                    return Err(Fault::BadAccount);
                }
            }
            Currency::Tokens { mint, token_program } => {
                let seeds = [owner.as_ref(), token_program.as_ref(), mint.address().as_ref()];
                pda::find_bump(account, &seeds, &ASSOCIATED_TOKEN)?;
            }
        }
        Ok(())
    }
}

impl Purse<'_> {
    /// Pays into a checked destination. All of it has to arrive: a mint that takes a fee of transfers is refused.
    #[inline(never)]
    pub fn pay(&self, to: &AccountView, amount: u64) -> Outcome {
        // To oneself there is nothing to pay: a buyer who is also the organizer's fee recipient, say.
        if amount == 0 || to.address() == self.source.address() {
            return Ok(());
        }
        match self.currency {
            Currency::Sol => {
                system::transfer(self.source, to, amount);
                Ok(())
            }
            Currency::Tokens { mint, token_program } => {
                let before = balance(to)?;
                self.transfer_tokens(mint, token_program, to, amount)?;
                if balance(to)?.checked_sub(before) != Some(amount) {
                    return Err(Fault::PaymentShort);
                }
                Ok(())
            }
        }
    }

    #[inline(never)]
    fn transfer_tokens(
        &self,
        mint: &AccountView,
        token_program: &Address,
        to: &AccountView,
        amount: u64,
    ) -> Outcome {
        let mut data = [0u8; 10];
        data[0] = 12;
        data[1..9].copy_from_slice(&amount.to_le_bytes());
        data[9] = read(mint, 44)?[0];
        let accounts =
            [(self.source, Role::Write), (mint, Role::Read), (to, Role::Write), (self.payer, Role::Sign)];
        call(token_program, accounts, &data, &[]);
        Ok(())
    }
}

/// The amount that a token account of either token program holds.
#[inline(never)]
fn balance(account: &AccountView) -> Outcome<u64> {
    let bytes = read(account, 64)?;
    let mut amount = [0; 8];
    amount.copy_from_slice(bytes.get(..8).ok_or(Fault::BadAccount)?);
    Ok(u64::from_le_bytes(amount))
}

/// The account's bytes from `at` on, at least one.
#[inline(always)]
fn read(account: &AccountView, at: usize) -> Outcome<&[u8]> {
    // SAFETY: read only, and not held over a call of another program.
    let data = unsafe { account.borrow_unchecked() };
    match data.get(at..) {
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(Fault::BadAccount),
    }
}
