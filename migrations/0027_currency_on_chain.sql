set role tessera_owner;

-- What an event got on the chain is fixed there, so it is kept here: neither the number of payers nor the configured
-- coins may change it later. A row from before has no recipient; the payer that its event was given by the hash of its
-- id is written when the worker meets it next, and it counts in no coin, as it was made.
alter table chain_events
  add column rent_recipient text,
  add column currency_mint text,
  add column currency_decimals smallint check (currency_decimals between 0 and 18),
  add constraint chain_events_coin check ((currency_mint is null) = (currency_decimals is null)),
  add constraint chain_events_coin_is_kept check (currency_mint is null or rent_recipient is not null);
comment on column chain_events.rent_recipient is 'Gets the rents of the event back; what is closed must name it.';
comment on column chain_events.currency_mint is 'The coin that face values are counted and resales paid in; null where none was configured, and then the resale cap on chain is 0.';

reset role;
