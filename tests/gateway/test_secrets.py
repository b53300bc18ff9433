"""Passwords that programs send: by GMCP, and by a page; no log, link, report or file has them."""

import json
from pathlib import Path

import structlog

from perdure import logs
from perdure.gateway.desk import Hasher
from perdure.gateway.telnet.codes import DO, GMCP, IAC, SB, SE
from perdure.store.accounts import SqlAccounts
from perdure.store.passwords import hash_password, verify_password
from tests.gateway.web.world import Web
from tests.gateway.world import running


def gmcp(package: str, data: object) -> bytes:
    """A message, as it travels."""
    return bytes((IAC, SB, GMCP)) + f"{package} {json.dumps(data)}".encode() + bytes((IAC, SE))


def test_what_clients_send_as_a_password_is_nowhere(tmp_path: Path) -> None:
    """Right and wrong ones by Char.Login, new and wrong ones at the page's prompts, all with debugging on (FM-96)."""
    right, wrong, new, mistyped = secrets = ["right-pw-1", "wrong-pw-2", "new-pw-3", "mistyped-pw-4"]
    accounts, hasher = SqlAccounts(tmp_path / "accounts.db"), Hasher(hash_password, verify_password)
    accounts.create("Ada", hash_password(right), "player")
    log_file = logs.setup("gateway", tmp_path, "debug")
    try:
        with running(tmp_path, accounts=accounts, hasher=hasher) as world:
            web = Web(world)
            client = world.player()
            client.sends(bytes((IAC, DO, GMCP)) + gmcp("Core.Supports.Set", ["Char.Login 1"]))
            client.sees_bytes(b"Char.Login.Default")
            client.sends(gmcp("Char.Login.Credentials", {"account": "Ada", "password": wrong}))
            client.sees_bytes(b'"success":false')
            client.sends(gmcp("Char.Login.Credentials", {"account": "Ada", "password": right}))
            client.sees_bytes(b'"success":true')
            web.host.joined()
            page = web.page()
            for line in ("Bob", "yes", new, mistyped, new, new):
                page.types(line)
            page.waits_for("token")
            web.host.joined()
            other = web.page()
            other.types("Bob", wrong)
            other.sees("not the password")
            shown = client.text + page.text + other.text + json.dumps([page.messages, other.messages])
            seen = shown + json.dumps(world.asks("sessions")) + repr(web.host.heard) + repr(world.events)
            web.finish()
    finally:
        structlog.reset_defaults()
        log_file.close()
        accounts.close()
    assert "login failed" in (tmp_path / "logs" / "gateway.jsonl").read_text()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for secret in secrets:
        assert secret not in seen
        assert not [path for path in files if secret.encode() in path.read_bytes()]
