//! The programs this one calls or trusts. Its own address is not here: whatever address it is deployed at is the one
//! its accounts are derived from.

use {pinocchio::Address, solana_address::address};

pub static SYSTEM: Address = address!("11111111111111111111111111111111");
pub static TOKEN: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
pub static TOKEN_2022: Address = address!("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
pub static ASSOCIATED_TOKEN: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
pub static LOADER_V2: Address = address!("BPFLoader2111111111111111111111111111111111");
pub static LOADER_V3: Address = address!("BPFLoaderUpgradeab1e11111111111111111111111");
