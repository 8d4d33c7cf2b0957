"""PostgreSQL for the services that own tables: pool, migrations, and messages in and out within one transaction."""
