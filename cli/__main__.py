"""`python -m cli`: the console command of the checkout in this folder, even if another version is installed."""

from cli.main import console

if __name__ == "__main__":
    console()
