"""The words of the system: ids, object keys, events and the envelope they travel in. Knows nothing of brokers or stores."""
