set role tessera_owner;

-- The two tables of a statement's rows have no statistics, so the planner may compare each row with each: 250,000 times
-- for a batch of 500. Without nested loops it hashes them.
alter function record_ticket_steps() set enable_nestloop = off;

reset role;
