"""The application that the processes of a rebuild find by its name; the database comes from the environment."""

from benchmarks.domain import application

app = application("sqlite:///rebuilt.db")
