"""Namespaces, for tests that run as PID 1."""

import shutil
import subprocess


def may_unshare() -> bool:
    """Whether a process can be started as PID 1 of a namespace of its own."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )
