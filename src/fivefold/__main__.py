"""The command line as a module: `python -m fivefold`."""

from fivefold.cli.main import main

if __name__ == "__main__":
    main()
