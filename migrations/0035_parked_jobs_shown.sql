set role tessera_owner;

-- Whoever looks at how it stands with the chain sees what is parked, and why.
create policy listener_shows_parked_jobs on parked_jobs for select to tessera_listener using (current_tenant() is null);
grant select on parked_jobs to tessera_listener;

reset role;
