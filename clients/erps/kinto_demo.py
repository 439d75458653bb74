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
put("buckets/erp/collections/customers", {})
put("buckets/erp/collections/contacts", {})
for n in range(1, 31):
    customer = {"name": f"Customer {n}", "phone": f"030 555{n:04}", "city": ["Berlin", "Oslo", "Lyon"][n % 3], "creditLimit": f"{n}00.50"}
    put(f"buckets/erp/collections/customers/records/customer-{n}", customer)
    contact = {"lastName": f"Miller {n}", "email": f"miller{n}@customer{n}.example", "customer": f"customer-{n}"}
    put(f"buckets/erp/collections/contacts/records/contact-{n}", contact)
