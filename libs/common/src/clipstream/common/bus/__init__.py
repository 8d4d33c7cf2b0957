"""RabbitMQ behind our own small interface: topology, publishing, consuming, retries."""
