"""PostgreSQL: the pool, migrations, inbox and outbox."""
