"""Rules that span streams: courses with a capacity, usernames used once, invoices numbered without a gap.

The examples of the Dynamic Consistency Boundary, https://dcb.events: a decision reads the events that matter to it, whatever
their stream, and its append is refused if another event that would have mattered has come in since.
"""
