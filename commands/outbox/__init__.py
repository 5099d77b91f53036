"""The outbox: messages are stored in the transaction of what they tell of, and handed to a broker afterwards."""
