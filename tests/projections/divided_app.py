"""The shop with two partitions for each projection, for the command line and the processes that it starts."""

from eventfold import Application
from tests.projections.shop import EVENTS, divided

app = Application("sqlite:///shop.db", projections=divided(), events=EVENTS, name="shop")
