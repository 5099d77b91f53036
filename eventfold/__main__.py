"""`python -m eventfold`: the command line, where its script is not on the path."""

from eventfold.cli import main

if __name__ == "__main__":
    main()
