"""One way, ERP to Salesforce, as a user of simple-salesforce writes it: what changed since the last run, by Bulk API 2.0.

    python simple_salesforce_peer.py

CUSTOMERP_URL, SALESFORCE_URL and the secrets come from the environment, the watermark from ./watermark.json.
"""

import json
import os
import pathlib
import sys
from urllib.parse import urlsplit

import requests
from simple_salesforce import Salesforce

from mapping import KEY, STEPS, belongs, convert, parent

WATERMARK = pathlib.Path("watermark.json")
# How long a job is left alone between two questions, in seconds: the library's own choice is 5.
WAIT = 0.5


class Customerp:
    def __init__(self):
        self.address = os.environ["CUSTOMERP_URL"] + "/api/v1/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer " + os.environ["CUSTOMERP_TOKEN"]

    def get(self, collection, **query):
        answer = self.session.get(self.address + collection, params=query, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def changes(self, collection, since):
        """What changed since the watermark, and the watermark for the next run."""
        query = {"limit": 1000} | ({"updatedSince": since} if since else {})
        page = self.get(collection, **query)
        items, as_of = page["items"], page["asOf"]
        while page.get("nextCursor"):
            page = self.get(collection, **query, cursor=page["nextCursor"])
            items += page["items"]
        return items, as_of


class Org:
    def __init__(self):
        address = os.environ["SALESFORCE_URL"]
        session = requests.Session()
        # Else REQUESTS_CA_BUNDLE, where the machine sets it, would count for more than the org's own authority.
        session.trust_env = False
        session.verify = os.environ["SALESFORCE_CA"]
        grant = {
            "grant_type": "client_credentials",
            "client_id": os.environ["SALESFORCE_CLIENT_ID"],
            "client_secret": os.environ["SALESFORCE_CLIENT_SECRET"],
        }
        token = session.post(f"{address}/services/oauth2/token", data=grant, timeout=60).json()["access_token"]
        self.api = Salesforce(instance=urlsplit(address).netloc, session_id=token, session=session, version="62.0")
        self.refused = 0

    def rows(self, soql):
        return self.api.query_all(soql)["records"]

    def load(self, name, records, **how):
        """Upserts, or inserts where no key is named, by a job; rows that the org refuses are told and counted."""
        if not records:
            return
        job = getattr(self.api.bulk2, name)
        results = job.upsert(records=records, wait=WAIT, **how) if how else job.insert(records=records, wait=WAIT)
        for result in results:
            if result["numberRecordsFailed"]:
                self.refused += result["numberRecordsFailed"]
                print(name, job.get_failed_records(result["job_id"]), file=sys.stderr)

    def upsert(self, name, records):
        self.load(name, records, external_id_field=KEY)

    def known(self, name, keys):
        """The keys of these records that the org has already: what is given once must not be sent again."""
        if len(keys) > 400:
            return {row[KEY] for row in self.rows(f"SELECT {KEY} FROM {name} WHERE {KEY} != null")}
        found = set()
        for at in range(0, len(keys), 200):
            listed = ",".join(f"'{key}'" for key in keys[at : at + 200])
            found |= {row[KEY] for row in self.rows(f"SELECT {KEY} FROM {name} WHERE {KEY} IN ({listed})")}
        return found

    def price_book(self, wanted):
        """The standard price book and its entry for each product and currency; made where there is none."""
        book = self.rows("SELECT Id FROM Pricebook2 WHERE IsStandard = true")[0]["Id"]

        def look():
            soql = f"SELECT Id, CurrencyIsoCode, Product2.{KEY} FROM PricebookEntry WHERE Pricebook2Id = '{book}'"
            return {(row["Product2"][KEY], row["CurrencyIsoCode"]): row["Id"] for row in self.rows(soql)}

        entries = look() if wanted else {}
        absent = sorted(wanted - set(entries))
        made = [
            {"Pricebook2Id": book, f"Product2.{KEY}": product, "CurrencyIsoCode": currency, "UnitPrice": 0, "IsActive": "true"}
            for product, currency in absent
        ]
        self.load("PricebookEntry", made)
        return book, look() if absent else entries


def flat(relationship, key):
    """A reference as a column of a CSV takes it; #N/A blanks it."""
    return {f"{relationship}.{KEY}": "#N/A" if key is None else key}


def cells(record):
    """Values as a CSV for the Bulk API takes them."""
    blank = {None: "#N/A", True: "true", False: "false"}
    return {name: blank.get(value, value) if value is None or isinstance(value, bool) else value for name, value in record.items()}


def read_changes(erp, watermarks):
    read, following = {}, {}
    for collection in dict.fromkeys(step["from"] for step in STEPS):
        read[collection], following[collection] = erp.changes(collection, watermarks.get(collection))
    # Orders and quotes whose lines changed have to be known, too: for their currency, and to unlock an order.
    for step in STEPS:
        if parents := step.get("line_of"):
            there = {item["id"] for item in read[parents]}
            absent = sorted({line[parent(step)] for line in read[step["from"]]} - there)
            for at in range(0, len(absent), 200):
                read[parents] += erp.get(parents, ids=",".join(absent[at : at + 200]))["items"]
    return read, following


def main():
    watermarks = json.loads(WATERMARK.read_text()) if WATERMARK.exists() else {}
    read, following = read_changes(Customerp(), watermarks)
    entry_of = {}
    for step in STEPS:
        if step.get("line_of"):
            currency = {item["id"]: item["currency"] for item in read[step["line_of"]]}
            for line in read[step["from"]]:
                entry_of[step["from"], line["id"]] = (f"Product:{line['productId']}", currency[line[parent(step)]])
    org, prices = Org(), None
    for step in STEPS:
        items = [item for item in read[step["from"]] if belongs(step, item)]
        if not items:
            continue
        if prices is None and (step.get("priced") or step.get("line_of")):
            prices = org.price_book(set(entry_of.values()))
        known = org.known(step["object"], [f"{step['key']}:{item['id']}" for item in items]) if step.get("once") else ()
        old, new = [], []
        for item in items:
            record, once = convert(step, item, flat)
            if step.get("priced"):
                record["Pricebook2Id"] = prices[0]
            if step.get("line_of"):
                once["PricebookEntryId"] = prices[1].get(entry_of[step["from"], item["id"]])
            there = not step.get("once") or record[KEY] in known
            (old if there else new).append(cells(record if there else record | once))
        org.upsert(step["object"], old)
        org.upsert(step["object"], new)
    if org.refused:
        sys.exit(f"{org.refused} records were refused: the watermark stays")
    temporary = WATERMARK.with_suffix(".new")
    temporary.write_text(json.dumps(following))
    temporary.replace(WATERMARK)


if __name__ == "__main__":
    main()
