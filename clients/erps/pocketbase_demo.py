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


def relation(name, of):
    return {"name": name, "type": "relation", "collectionId": of["id"], "maxSelect": 1}


def collection(name, *fields):
    """One whose Salesforce ids stand once, where it has any; `CREATE INDEX` because lists are read by the time of change."""
    text = [{"name": field, "type": "text", "required": field in ("name", "lastName", "title", "orderDate", "quoteDate", "quantity", "price"), "max": LENGTHS.get(field, 0)} for field in fields if isinstance(field, str)]
    rest = [field for field in fields if not isinstance(field, str)]
    indexes = [f"CREATE INDEX {name}_updated ON {name} (updated, id)"]
    if "salesforceId" in fields:
        indexes.append(f"CREATE UNIQUE INDEX {name}_salesforce ON {name} (salesforceId) WHERE salesforceId != ''")
    return post("collections", {"name": name, "type": "base", "fields": text + rest + TIMES, "indexes": indexes})


customers = collection("customers", "name", "phone", "city", "salesforceId")
collection("contacts", "lastName", "email", "salesforceId", relation("customer", customers))
employees = collection("employees", "firstName", "lastName", "role", "email", "username", "phone")
products = collection("products", "name", "text", "salesforceId")
orders = collection("orders", "number", "orderDate", "comment", "total", relation("customer", customers))
collection("order_lines", "quantity", "price", relation("order", orders), relation("product", products))
quotes = collection("quotes", "number", "title", "quoteDate", "validUntil", "status", "comment", "total", relation("customer", customers))
collection("quote_lines", "quantity", "price", relation("quote", quotes), relation("product", products))
collection("projects", "name", "description", "dueDate", "status", relation("customer", customers))


def record(of, **values):
    return post(f"collections/{of}/records", values)["id"]


ids = []
for n in range(1, 31):
    ids.append(record("customers", name=f"Customer {n}", phone=f"030 555{n:04}", city=["Berlin", "Oslo", "Lyon"][n % 3]))
    record("contacts", lastName=f"Miller {n}", email=f"miller{n}@customer{n}.example", customer=ids[-1])
for n in range(1, 6):
    mail = f"employee{n}@erp.example"
    record("employees", firstName="Eve", lastName=f"Smith {n}", role="Clerk", email=mail, username=mail)
    record("projects", name=f"Project {n}", dueDate=f"2026-0{n}-28", status=["planned", "active"][n % 2], customer=ids[n])
goods = [record("products", name=f"Product {n}", text=f"Box of {n}") for n in range(1, 11)]
for n in range(1, 21):
    order = record("orders", number=f"A-{n}", orderDate=f"2026-01-{n:02}", customer=ids[n], comment=f"Order {n}", total=f"{n * 2 + 5}.00")
    for line, (amount, price) in enumerate([(2, f"{n}.00"), (2, "2.50")]):
        record("order_lines", order=order, product=goods[(n + line) % 10], quantity=f"{amount}.00", price=price)
for n in range(1, 11):
    quote = record("quotes", number=f"Q-{n}", title=f"Quote {n}", quoteDate=f"2026-02-{n:02}", validUntil=f"2026-05-{n:02}", status="presented", customer=ids[n], total=f"{n}.00")
    record("quote_lines", quote=quote, product=goods[n % 10], quantity="1.00", price=f"{n}.00")
