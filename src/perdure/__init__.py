"""Perdure: a host for live multiplayer servers whose players stay while everything behind them changes."""

__version__ = "0.1.0"
