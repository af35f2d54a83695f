//! Calls of Token-2022: the NFT of a ticket, and the token account that holds it.

pub mod account;
pub mod authority;
pub mod metadata;
pub mod mint;
