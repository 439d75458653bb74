"""Fills a new Kinto server: kinto_demo.py ADDRESS. Numbers alone decide what is made, so every run makes the same."""
import base64
import json
import sys
import urllib.request

KEY = base64.b64encode(b"tandem:tandem-secret").decode()


def put(path, data):
    body = json.dumps({"data": data}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {KEY}"}
    urllib.request.urlopen(urllib.request.Request(f"{sys.argv[1]}/{path}", body, headers, method="PUT")).read()


put("accounts/tandem", {"password": "tandem-secret"})
put("buckets/erp", {})
for name in ("customers", "contacts", "employees", "products", "orders", "order_lines", "quotes", "quote_lines", "projects"):
    put(f"buckets/erp/collections/{name}", {})


def record(of, id, **values):
    put(f"buckets/erp/collections/{of}/records/{id}", values)
    return id


customers = []
for n in range(1, 31):
    customers.append(record("customers", f"customer-{n}", name=f"Customer {n}", phone=f"030 555{n:04}", city=["Berlin", "Oslo", "Lyon"][n % 3], creditLimit=f"{n}00.50"))
    record("contacts", f"contact-{n}", lastName=f"Miller {n}", email=f"miller{n}@customer{n}.example", customer=customers[-1])
manager = {}
for n in range(1, 6):
    mail = f"employee{n}@erp.example"
    manager = {"manager": record("employees", f"employee-{n}", firstName="Eve", lastName=f"Smith {n}", title="Clerk", email=mail, username=mail, **manager)}
    record("projects", f"project-{n}", name=f"Project {n}", dueDate=f"2026-0{n}-28", status=["planned", "active"][n % 2], customer=customers[n])
products = [record("products", f"product-{n}", name=f"Product {n}", text=f"Box of {n}") for n in range(1, 11)]
for n in range(1, 21):
    order = record("orders", f"order-{n}", number=f"A-{n}", orderDate=f"2026-01-{n:02}", customer=customers[n], comment=f"Order {n}", total=f"{n * 2 + 5}.00")
    for line, (amount, price) in enumerate([(2, f"{n}.00"), (2, "2.50")]):
        record("order_lines", f"line-{n}-{line}", order=order, product=products[(n + line) % 10], quantity=f"{amount}.00", price=price)
for n in range(1, 11):
    quote = record("quotes", f"quote-{n}", number=f"Q-{n}", title=f"Quote {n}", quoteDate=f"2026-02-{n:02}", validUntil=f"2026-05-{n:02}", status="presented", customer=customers[n], total=f"{n}.00")
    record("quote_lines", f"quote-line-{n}", quote=quote, product=products[n % 10], quantity="1.00", price=f"{n}.00")
