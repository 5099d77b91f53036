"""A bank: accounts with balances, and transfers between them. The tutorial's application."""
