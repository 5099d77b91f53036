"""Invoices are numbered 1, 2, 3 ... whoever they are for: no number is left out, and none is used twice."""

from typing import Annotated

from eventfold import Aggregate, Command, Event, Meta, Query, handles, replace


class InvoiceIssued(Event):
    number: int
    customer_id: str
    cents: int


class Invoices(Aggregate[InvoiceIssued]):
    last_number: int = 0

    def evolve(self, event: InvoiceIssued) -> "Invoices":
        return replace(self, last_number=event.number)


class IssueInvoice(Command):
    customer_id: str
    cents: Annotated[int, Meta(gt=0)]


def all_invoices(_command: IssueInvoice) -> Query:
    return Query.of(InvoiceIssued)


@handles(query=all_invoices, stream=lambda command: f"invoices-{command.customer_id}")
def issue_invoice(invoices: Invoices, command: IssueInvoice) -> list[InvoiceIssued]:
    return [InvoiceIssued(invoices.last_number + 1, command.customer_id, command.cents)]
