"""Fills a new PocketBase server: pocketbase_demo.py ADDRESS. Numbers alone decide what is made, so every run makes the same."""
import json
import sys
import urllib.request

headers = {"Content-Type": "application/json"}


def post(path, body):
    request = urllib.request.Request(f"{sys.argv[1]}/api/{path}", json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request))


signed_in = post("collections/_superusers/auth-with-password", {"identity": "tandem@example.com", "password": "tandem-secret"})
headers["Authorization"] = signed_in["token"]
LENGTHS = {"salesforceId": 18}
TIMES = [
    {"name": "created", "type": "autodate", "onCreate": True},
    {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
]


def collection(name, *fields):
    """One whose Salesforce ids stand once; `CREATE INDEX` because lists are read by the time of change."""
    text = [{"name": field, "type": "text", "required": field in ("name", "lastName"), "max": LENGTHS.get(field, 0)} for field in fields if isinstance(field, str)]
    rest = [field for field in fields if not isinstance(field, str)]
    indexes = [
        f"CREATE UNIQUE INDEX {name}_salesforce ON {name} (salesforceId) WHERE salesforceId != ''",
        f"CREATE INDEX {name}_updated ON {name} (updated, id)",
    ]
    return post("collections", {"name": name, "type": "base", "fields": text + rest + TIMES, "indexes": indexes})


customers = collection("customers", "name", "phone", "city", "salesforceId")
relation = {"name": "customer", "type": "relation", "collectionId": customers["id"], "maxSelect": 1}
collection("contacts", "lastName", "email", "salesforceId", relation)
for n in range(1, 31):
    customer = {"name": f"Customer {n}", "phone": f"030 555{n:04}", "city": ["Berlin", "Oslo", "Lyon"][n % 3]}
    made = post("collections/customers/records", customer)
    post("collections/contacts/records", {"lastName": f"Miller {n}", "email": f"miller{n}@customer{n}.example", "customer": made["id"]})
