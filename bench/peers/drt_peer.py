"""ERP to Salesforce, as a user of drt begins: its Salesforce destination, planned, then run.

    python drt_peer.py

It makes a project of drt in the current folder and has drt try it. Whatever drt says to it is told; the first line of standard output
says what it cannot do, in drt's own words. CUSTOMERP_URL, SALESFORCE_URL and the secrets come from the environment.
"""

import json
import os
import pathlib
import subprocess
import sys

PROFILES = """
customers:
  type: rest_api
  url: {erp}/api/v1/customers
  auth: {{ type: bearer, token_env: CUSTOMERP_TOKEN }}
  pagination: {{ type: cursor, limit: 1000, cursor_param: cursor, cursor_field: nextCursor }}
  result_path: items
  incremental: {{ start_param: updatedSince }}
"""

PROJECT = """
name: customerp
version: "0.1"
profile: customers
"""

SYNC = """
name: accounts
description: Customers as Accounts
model: customers
destination:
  type: salesforce_bulk
  instance_url_env: SALESFORCE_URL
  object_name: Account
  operation: upsert
  external_id_field: Customerp_Id__c
  poll_interval_seconds: 1
  client_id_env: SALESFORCE_CLIENT_ID
  client_secret_env: SALESFORCE_CLIENT_SECRET
  username_env: SALESFORCE_USERNAME
  password_env: SALESFORCE_PASSWORD
sync:
  mode: incremental
  cursor_field: updatedAt
  on_error: fail
"""


def drt(*arguments):
    """Runs drt, and tells whether it succeeded and what it said."""
    command = [pathlib.Path(sys.executable).with_name("drt"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def main():
    home = pathlib.Path.home() / ".drt"
    home.mkdir(exist_ok=True)
    (home / "profiles.yml").write_text(PROFILES.format(erp=os.environ["CUSTOMERP_URL"]))
    pathlib.Path("drt_project.yml").write_text(PROJECT)
    pathlib.Path("syncs").mkdir(exist_ok=True)
    pathlib.Path("syncs/accounts.yml").write_text(SYNC)
    # Its Salesforce destination signs in with a user's name and password and no other way.
    os.environ.setdefault("SALESFORCE_USERNAME", "integration@tandem.example")
    os.environ.setdefault("SALESFORCE_PASSWORD", "password-and-token")
    planned, plan = drt("plan", "accounts")
    ran, run = drt("run", "--select", "accounts", "--output", "json")
    print(plan, run, sep="\n", file=sys.stderr)
    reasons = []
    if not ran:
        told = json.loads(run[run.index("{") :])["syncs"][0]
        reasons.append(f"its Salesforce destination signs in by user name and password alone: {told['error']}")
    if not planned or "unavailable" in plan:
        reasons.append("drt plan: " + " ".join(plan.partition("Plan unavailable: ")[2].split()).partition(" — ")[0])
    print("cannot: " + "; ".join(reasons) if reasons else "it could")
    sys.exit(1 if reasons else 0)


if __name__ == "__main__":
    main()
