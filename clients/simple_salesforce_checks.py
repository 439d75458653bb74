"""Exercises simple-salesforce against a running local org.

    python simple_salesforce_checks.py https://localhost:PORT ca.pem

The client speaks https alone: the org answers it, by a certificate of its own that the second argument names.
"""

import importlib.metadata
import os
import pathlib
import re
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from urllib.parse import urlparse

import requests
from simple_salesforce import Salesforce, exceptions

NOBODY = "001000000000001AAA"
VERSION = "62.0"
DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "local-org.md"


class Plain(requests.Session):
    """Sends to http what the client addresses to https: for an org without TLS."""

    def request(self, method, url, **more):
        return super().request(method, url.replace("https://", "http://", 1), **more)


def rows(client):
    """The rows below the heading of a client: method and the code of its documented error."""
    found, inside = {}, False
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            inside = line == f"### {client}"
        cells = [cell.strip().replace("`", "") for cell in line.split("|")]
        if inside and len(cells) == 4 and cells[1] != "method" and not cells[1].startswith("---"):
            found[cells[1]] = cells[2]
    if not found:
        sys.exit(f"docs/local-org.md has no table for {client}")
    return found


class Checks:
    """One method after another: success_* and error_* by the names of the table."""

    def __init__(self, address, certificate):
        self.address = address.rstrip("/")
        self.session = requests.Session() if certificate else Plain()
        if certificate:
            # Else REQUESTS_CA_BUNDLE, where the machine sets it, would count for more than the argument.
            self.session.trust_env = False
            self.session.verify = certificate
        grant = {"grant_type": "client_credentials", "client_id": "tandem", "client_secret": "tandem-secret"}
        token = self.session.post(f"{self.address}/services/oauth2/token", data=grant, timeout=30).json()
        self.token = token["access_token"]
        self.org = self.connect(self.token)
        self.stranger = self.connect("00D!no-token")
        self.number = 0

    def connect(self, token):
        place = urlparse(self.address)
        return Salesforce(instance=place.netloc, session_id=token, version=VERSION, session=self.session)

    def name(self):
        self.number += 1
        return f"simple-{os.getpid()}-{self.number}"

    def account(self):
        return self.org.Account.create({"Name": self.name()})["id"]

    def loaded(self):
        """The id of a job that loaded one good row and one without a name."""
        rows = [{"Name": self.name(), "Phone": "1"}, {"Name": "", "Phone": "2"}]
        [job] = self.org.bulk2.Account.insert(records=rows, wait=1)
        return job["job_id"]

    def checks(self):
        org, stranger = self.org, self.stranger
        now = datetime.now(timezone.utc)
        minutes = lambda count: now + timedelta(minutes=count)
        unknown = "750000000000001AAA"

        def made(condition):
            assert condition

        def many(found, count):
            assert len(found) == count, found

        def update():
            record = self.account()
            made(org.Account.update(record, {"Phone": "42"}) == 204)
            made(org.Account.get(record)["Phone"] == "42")

        def upsert():
            key = self.name()
            made(org.Account.upsert(f"Customerp_Id__c/{key}", {"Name": "one"}) == 201)
            made(org.Account.upsert(f"Customerp_Id__c/{key}", {"Name": "two"}) in (200, 204))
            made(org.Account.get_by_custom_id("Customerp_Id__c", key)["Name"] == "two")

        def custom_id():
            key = self.name()
            org.Account.create({"Name": "x", "Customerp_Id__c": key})
            made(org.Account.get_by_custom_id("Customerp_Id__c", key)["Name"] == "x")

        def delete():
            record = self.account()
            made(org.Account.delete(record) == 204)
            all_rows = org.query(f"SELECT IsDeleted FROM Account WHERE Id = '{record}'", include_deleted=True)
            made(all_rows["records"][0]["IsDeleted"] is True)

        def deleted_twice():
            record = self.account()
            org.Account.delete(record)
            org.Account.delete(record)

        def deleted():
            record = self.account()
            org.Account.delete(record)
            listed = org.Account.deleted(minutes(-10), minutes(10))["deletedRecords"]
            made(any(row["id"] == record for row in listed))

        def updated():
            record = self.account()
            made(record in org.Account.updated(minutes(-10), minutes(10))["ids"])

        def query_more():
            org.bulk2.Account.insert(records=[{"Name": self.name()} for _ in range(2001)], wait=1)
            page = org.query("SELECT Id FROM Account")
            made(page["done"] is False)
            made(org.query_more(page["nextRecordsUrl"], identifier_is_url=True)["records"])

        def bulk_update():
            record = self.account()
            org.bulk2.Account.update(records=[{"Id": record, "Phone": "7"}], wait=1)
            made(org.Account.get(record)["Phone"] == "7")

        def bulk_upsert():
            key = self.name()
            rows = [{"Customerp_Id__c": key, "Name": "bulk"}]
            org.bulk2.Account.upsert(records=rows, external_id_field="Customerp_Id__c", wait=1)
            made(org.Account.get_by_custom_id("Customerp_Id__c", key)["Name"] == "bulk")

        def bulk_delete(method):
            record = self.account()
            method(records=[{"Id": record}], wait=1)
            many(org.query(f"SELECT Id FROM Account WHERE Id = '{record}'")["records"], 0)

        def bulk_query(method):
            self.account()
            made("Id" in "".join(method("SELECT Id, Name FROM Account LIMIT 5")))

        def download():
            self.account()
            with tempfile.TemporaryDirectory() as folder:
                files = org.bulk2.Account.download("SELECT Id FROM Account LIMIT 5", path=folder)
                made(pathlib.Path(files[0]["file"]).read_text(encoding="utf-8").startswith('"Id"'))

        def download_wrong():
            with tempfile.TemporaryDirectory() as folder:
                org.bulk2.Account.download("SELECT Nothing FROM Account", path=folder)

        bulk = org.bulk2.Account
        nothing = org.bulk2.Nothing__c
        return {
            "Salesforce.describe": (lambda: made(org.describe()["sobjects"]), stranger.describe),
            "Salesforce.is_sandbox": (lambda: made(org.is_sandbox() in (True, False)), stranger.is_sandbox),
            "Salesforce.limits": (lambda: made(org.limits()["DailyApiRequests"]["Max"] > 0), stranger.limits),
            "Salesforce.query": (
                lambda: many(org.query(f"SELECT Id FROM Account WHERE Id = '{self.account()}'")["records"], 1),
                lambda: org.query("SELECT FROM Account"),
            ),
            "Salesforce.query_more": (query_more, lambda: org.query_more("01gNOTHING-2000")),
            "Salesforce.query_all": (
                lambda: made(org.query_all("SELECT Id FROM Account")["done"]),
                lambda: org.query_all("SELECT Nothing FROM Account"),
            ),
            "Salesforce.query_all_iter": (
                lambda: made(list(org.query_all_iter("SELECT Id FROM Account"))),
                lambda: list(org.query_all_iter("SELECT Id FROM Nothing__c")),
            ),
            "Salesforce.restful": (
                lambda: made("DailyApiRequests" in org.restful("limits")),
                lambda: org.restful("nothing/here"),
            ),
            "Salesforce.oauth2": (
                lambda: made(org.oauth2("userinfo")["preferred_username"] == "integration@tandem.example"),
                lambda: stranger.oauth2("userinfo"),
            ),
            "SFType.metadata": (lambda: made(org.Account.metadata()["objectDescribe"]), lambda: org.Nothing__c.metadata()),
            "SFType.describe": (lambda: made(org.Quote.describe()["name"] == "Quote"), lambda: org.Nothing__c.describe()),
            "SFType.get": (lambda: made(org.Account.get(self.account())["Id"]), lambda: org.Account.get(NOBODY)),
            "SFType.get_by_custom_id": (custom_id, lambda: org.Account.get_by_custom_id("Customerp_Id__c", "none")),
            "SFType.create": (lambda: made(self.account()), lambda: org.Account.create({"Phone": "1"})),
            "SFType.update": (update, lambda: org.Account.update(self.account(), {"Nothing": 1})),
            "SFType.upsert": (upsert, lambda: org.Account.upsert("Phone__c/1", {"Name": "x"})),
            "SFType.delete": (delete, deleted_twice),
            "SFType.deleted": (deleted, lambda: org.Account.deleted(minutes(10), minutes(-10))),
            "SFType.updated": (updated, lambda: org.Account.updated(minutes(-60 * 24 * 40), minutes(0))),
            "SFBulk2Type.insert": (lambda: made(self.loaded()), lambda: nothing.insert(records=[{"Name": "x"}])),
            "SFBulk2Type.update": (bulk_update, lambda: nothing.update(records=[{"Id": NOBODY, "Name": "x"}])),
            "SFBulk2Type.upsert": (
                bulk_upsert,
                lambda: bulk.upsert(records=[{"Nothing__c": "1"}], external_id_field="Nothing__c"),
            ),
            "SFBulk2Type.delete": (lambda: bulk_delete(bulk.delete), lambda: nothing.delete(records=[{"Id": NOBODY}])),
            "SFBulk2Type.hard_delete": (
                lambda: bulk_delete(bulk.hard_delete),
                lambda: nothing.hard_delete(records=[{"Id": NOBODY}]),
            ),
            "SFBulk2Type.query": (
                lambda: bulk_query(bulk.query),
                lambda: list(bulk.query("SELECT Nothing FROM Account")),
            ),
            "SFBulk2Type.query_all": (
                lambda: bulk_query(bulk.query_all),
                lambda: list(bulk.query_all("SELECT Nothing FROM Account")),
            ),
            "SFBulk2Type.download": (download, download_wrong),
            "SFBulk2Type.get_successful_records": (
                lambda: made("sf__Id" in bulk.get_successful_records(self.loaded())),
                lambda: bulk.get_successful_records(unknown),
            ),
            "SFBulk2Type.get_failed_records": (
                lambda: made("REQUIRED_FIELD_MISSING" in bulk.get_failed_records(self.loaded())),
                lambda: bulk.get_failed_records(unknown),
            ),
            "SFBulk2Type.get_unprocessed_records": (
                lambda: made("Name" in bulk.get_unprocessed_records(self.loaded())),
                lambda: bulk.get_unprocessed_records(unknown),
            ),
            "SFBulk2Type.get_all_ingest_records": (
                lambda: many(bulk.get_all_ingest_records(self.loaded())["successfulRecords"], 1),
                lambda: bulk.get_all_ingest_records(unknown),
            ),
        }


def code(problem):
    """The code of a refusal, wherever the client keeps it."""
    content = getattr(problem, "content", None)
    if isinstance(content, list) and content and "errorCode" in content[0]:
        return content[0]["errorCode"]
    found = re.search(r"errorCode'?\"?: '?\"?(\w+)", f"{content} {problem}")
    return found.group(1) if found else f"{type(problem).__name__}: {problem}"


def main():
    address, certificate = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)
    client = "simple-salesforce " + importlib.metadata.version("simple-salesforce")
    table, checks = rows(client), Checks(address, certificate).checks()
    failures = [f"{method}: in the table and not checked" for method in table if method not in checks]
    failures += [f"{method}: checked and not in the table" for method in checks if method not in table]
    for method, (success, error) in checks.items():
        try:
            success()
        except Exception as problem:  # whatever goes wrong is a finding
            failures.append(f"{method}: {type(problem).__name__}: {problem}")
        try:
            answer = error()
            failures.append(f"{method}: {table.get(method)} expected, it went well: {str(answer)[:200]}")
        except Exception as problem:
            if code(problem) != table.get(method):
                failures.append(f"{method}: {table.get(method)} expected, not {code(problem)} ({problem})")
    for failure in failures:
        print("FAILED ", failure)
    print(f"{client}: {len(checks)} methods, each once for success and once for its error; {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
