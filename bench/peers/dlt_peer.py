"""Two pipelines, as a user of dlt writes them: the ERP into Salesforce, then what people edited in Salesforce into the ERP.

    python dlt_peer.py

CUSTOMERP_URL, SALESFORCE_URL and the secrets come from the environment; dlt keeps its state in ./pipelines.
"""

import os
import sys

import dlt
from dlt.sources.helpers import requests
from dlt.sources.rest_api import rest_api_resources

from mapping import KEY, STEPS, belongs, convert, nested, parent

ERP = os.environ["CUSTOMERP_URL"] + "/api/v1/"
API = os.environ["SALESFORCE_URL"] + "/services/data/v62.0"
BEGINNING = "1970-01-01T00:00:00.000Z"
# What people edit in Salesforce and the ERP is to get: records whose fields are plain values on both sides.
BACK = [step for step in STEPS if step.get("fields") and "line_of" not in step and step["object"] != "Opportunity"]


class Org:
    """Salesforce by its REST API: queries and collections of 200."""

    def __init__(self):
        grant = {
            "grant_type": "client_credentials",
            "client_id": os.environ["SALESFORCE_CLIENT_ID"],
            "client_secret": os.environ["SALESFORCE_CLIENT_SECRET"],
        }
        self.session = requests.Client(raise_for_status=True).session
        told = self.session.post(os.environ["SALESFORCE_URL"] + "/services/oauth2/token", data=grant).json()
        self.session.headers["Authorization"] = "Bearer " + told["access_token"]
        self.user = told["id"].rsplit("/", 1)[1]
        self.refused = 0
        self.standard, self.entries = None, {}

    def rows(self, soql):
        page = self.session.get(f"{API}/query", params={"q": soql}).json()
        yield from page["records"]
        while not page["done"]:
            page = self.session.get(os.environ["SALESFORCE_URL"] + page["nextRecordsUrl"]).json()
            yield from page["records"]

    def by_key(self, name, fields, keys):
        listed = ",".join(f"'{key}'" for key in sorted(keys))
        return {row[KEY]: row for row in self.rows(f"SELECT {fields}, {KEY} FROM {name} WHERE {KEY} IN ({listed})")}

    def send(self, method, path, name, records):
        body = {"allOrNone": False, "records": [{"attributes": {"type": name}, **record} for record in records]}
        for record, result in zip(records, self.session.request(method, API + path, json=body).json()):
            if not result["success"]:
                self.refused += 1
                print(name, record.get(KEY), result["errors"], file=sys.stderr)

    def upsert(self, name, records):
        if records:
            self.send("PATCH", f"/composite/sobjects/{name}/{KEY}", name, records)

    def book(self):
        if not self.standard:
            self.standard = next(self.rows("SELECT Id FROM Pricebook2 WHERE IsStandard = true"))["Id"]
        return self.standard

    def price_entries(self, wanted):
        """The price book's entry for each product and currency; made where there is none."""
        if not wanted <= set(self.entries):
            self.look_for_prices()
        absent = sorted(wanted - set(self.entries))
        made = [
            {"Pricebook2Id": self.book(), "Product2": {KEY: product}, "CurrencyIsoCode": currency, "UnitPrice": 0, "IsActive": True}
            for product, currency in absent
        ]
        for at in range(0, len(made), 200):
            self.send("POST", "/composite/sobjects", "PricebookEntry", made[at : at + 200])
        if absent:
            self.look_for_prices()
        return self.entries

    def look_for_prices(self):
        soql = f"SELECT Id, CurrencyIsoCode, Product2.{KEY} FROM PricebookEntry WHERE Pricebook2Id = '{self.book()}'"
        self.entries = {(row["Product2"][KEY], row["CurrencyIsoCode"]): row["Id"] for row in self.rows(soql)}


def moment(value):
    return value.isoformat() if hasattr(value, "isoformat") else value


def write(org, step, items):
    """Up to 200 records of the ERP by one step of the mapping."""
    # dlt makes moments of texts that look like one.
    items = [{name: moment(value) for name, value in item.items()} for item in items if belongs(step, item)]
    converted = [convert(step, item, nested) for item in items]
    if not converted:
        return
    name, known, locked = step["object"], {}, []
    if step.get("priced"):
        for record, _ in converted:
            record["Pricebook2Id"] = org.book()
    if step.get("once"):
        known = org.by_key(name, "Id", {record[KEY] for record, _ in converted})
    if step.get("line_of"):
        relationship, prefix = step["once"][parent(step)]
        keys = [f"{prefix}:{item[parent(step)]}" for item in items]
        above = org.by_key(relationship, "CurrencyIsoCode, Status", set(keys))
        wanted = [(f"Product:{item['productId']}", above[key]["CurrencyIsoCode"]) for item, key in zip(items, keys)]
        entries = org.price_entries(set(wanted))
        for (_, once), entry in zip(converted, wanted):
            once["PricebookEntryId"] = entries.get(entry)
        # The lines of an activated order are locked until it is a draft again.
        locked = [key for key, row in above.items() if row["Status"] == "Activated"]
    org.upsert("Order", [{KEY: key, "Status": "Draft"} for key in locked])
    org.upsert(name, [record if record[KEY] in known else record | once for record, once in converted])
    org.upsert("Order", [{KEY: key, "Status": "Activated"} for key in locked])


def load(org, number, step):
    """A run for one step: what changed in one collection of the ERP, through a function that writes it."""
    name = f"{number}_{step['object']}".lower()

    @dlt.destination(name=f"salesforce_{name}", batch_size=200, max_parallel_load_jobs=1)
    def salesforce(items, table):
        write(org, step, items)

    incremental = {"start_param": "updatedSince", "cursor_path": "updatedAt", "initial_value": BEGINNING}
    endpoint = {"path": step["from"], "params": {"limit": 1000}, "data_selector": "items", "incremental": incremental}
    client = {
        "base_url": ERP,
        "auth": {"type": "bearer", "token": os.environ["CUSTOMERP_TOKEN"]},
        "paginator": {"type": "cursor", "cursor_path": "nextCursor", "cursor_param": "cursor"},
    }
    resource = {"name": name, "primary_key": "id", "endpoint": endpoint}
    pipeline = dlt.pipeline(f"to_salesforce_{name}", destination=salesforce, pipelines_dir="pipelines")
    pipeline.run(rest_api_resources({"client": client, "resources": [resource]}))


def into_salesforce(org):
    """The first pipeline, a run for each step, so that parents are there before their children."""
    for number, step in enumerate(STEPS):
        load(org, number, step)


def into_customerp(org):
    """The second pipeline: what somebody else than this program changed in Salesforce."""
    bearer = {"Authorization": "Bearer " + os.environ["CUSTOMERP_TOKEN"]}

    @dlt.destination(name="customerp", batch_size=200, max_parallel_load_jobs=1)
    def customerp(items, table):
        step = next(step for step in BACK if step["object"] == table["name"])
        ids = ",".join(item[KEY].split(":")[1] for item in items)
        there = requests.get(ERP + step["from"], params={"ids": ids}, headers=bearer).json()["items"]
        current = {f"{step['key']}:{item['id']}": item for item in there}
        for item in items:
            record, changed = current[item[KEY]], {}
            for name, field in step["fields"].items():
                backwards = {there: here for here, there in step.get("values", {}).get(name, {}).items()}
                value = backwards.get(item.get(field), item.get(field))
                if value != record[name] and name != "confirmedAt":
                    changed[name] = value
            if changed:
                headers = bearer | {"If-Match": f'"{record["version"]}"'}
                requests.patch(f"{ERP}{step['from']}/{record['id']}", json=changed, headers=headers)

    def edited(step, since):
        # The loop guard: what this program wrote itself is no edit.
        soql = (
            f"SELECT {KEY}, SystemModstamp, {', '.join(step['fields'].values())} FROM {step['object']} "
            f"WHERE SystemModstamp >= {since.start_value} AND LastModifiedById != '{org.user}' AND {KEY} != null "
            "ORDER BY SystemModstamp"
        )
        for row in org.rows(soql):
            row.pop("attributes")
            yield row

    def resource(step):
        since = dlt.sources.incremental("SystemModstamp", initial_value=BEGINNING)
        return dlt.resource(edited, name=step["object"], primary_key=KEY)(step, since)

    pipeline = dlt.pipeline("to_customerp", destination=customerp, pipelines_dir="pipelines")
    pipeline.run([resource(step) for step in BACK])


def main():
    org = Org()
    into_salesforce(org)
    into_customerp(org)
    if org.refused:
        sys.exit(f"{org.refused} records were refused")


if __name__ == "__main__":
    main()
