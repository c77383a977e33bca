"""`python -m experiments.digits DATA`: every recipe with its accuracy on unheard training speakers."""

from experiments.digits.search import main

if __name__ == "__main__":
    main()
