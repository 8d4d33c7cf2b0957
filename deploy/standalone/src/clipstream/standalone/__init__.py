"""Everything on one machine: private servers, supervised services, the demo."""
