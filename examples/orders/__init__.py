"""An order service and a shipping service: two processes, two databases, and a broker between them."""
