//! One file per instruction, one verb each.

pub mod accept_admin;
pub mod accept_organizer_authority;
pub mod cancel_event;
pub mod check_in;
pub mod close_event;
pub mod close_ticket;
pub mod create_event;
pub mod init_config;
pub mod mint_ticket;
pub mod propose_admin;
pub mod propose_organizer_authority;
pub mod register_organizer;
pub mod reissue;
pub mod resell;
pub mod revoke;
pub mod set_config;
pub mod transfer_ticket;
pub mod update_event;
pub mod update_organizer;
