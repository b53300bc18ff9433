"""What a reload means, case by case, with Perdure and with other tools: ``python -m bench.semantics``.

peers       the other tools, each driven as its users drive it; runs in an environment that has them
perdure     the same game with Perdure
page        the table and docs/reference/reload-semantics.md
"""
