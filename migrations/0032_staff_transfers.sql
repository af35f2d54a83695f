set role tessera_owner;

-- What staff do with a ticket of somebody else has a name and a reason.
alter table transfers add column ordered_by text;
alter table transfers add column reason text check (length(reason) between 1 and 500);
alter table transfers add constraint transfers_by_staff_have_a_reason check (ordered_by is null or reason is not null);
comment on column transfers.ordered_by is 'The staff who gave the ticket away in the place of its holder; null when the holder did.';
comment on column transfers.reason is 'What the holder is told; with ordered_by only.';

reset role;
