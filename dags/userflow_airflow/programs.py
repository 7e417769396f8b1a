"""Where the userflow binaries are, and what they get to see of this process's environment."""

import os
import shutil


class NotFound(FileNotFoundError):
    """A binary is not where it should be."""


def program(name: str) -> str:
    """The path of a binary: in the folder USERFLOW_BIN, else in PATH."""
    folder = os.environ.get("USERFLOW_BIN")
    found = shutil.which(name, path=folder or None)
    if found is None:
        raise NotFound(f"no {name} in {folder or 'PATH'}: build it, and set USERFLOW_BIN to the folder that has it")
    return found


def environment(**more: str) -> dict[str, str]:
    """Everything but Airflow's own settings: its keys and the address of its database are no business of a job."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW_", "_AIRFLOW_"))} | more
