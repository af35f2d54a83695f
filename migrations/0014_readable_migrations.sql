-- A process looks whether the database has what its code knows before it serves from it.
grant select (name) on schema_migrations to tessera_app, tessera_relay, tessera_listener;
