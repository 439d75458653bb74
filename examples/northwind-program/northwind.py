#!/usr/bin/env python3
"""Northwind by a program: the small ERP of examples/program with Northwind's record types.

Usage: northwind.py FILE            speak for the records in a SQLite file (docs/program.md)
       northwind.py FILE FOLDER     fill the file out of an export (examples/northwind-folder/export.py)
"""
import csv
import json
import pathlib
import sys

import small_erp

TEXT = {"type": "string"}
NAME = {"type": "string", "required": True, "max_length": 40}
DECIMAL, INTEGER, DATE = {"type": "decimal"}, {"type": "integer"}, {"type": "date"}


def reference(type):
    return {"type": "reference", "references": [type]}


# By record type: the file of the export, the column that tells its rows apart, and for each property its column and type.
TYPES = {
    "Customer": ("customers.csv", "customer_id", {
        "name": ("company_name", NAME), "phone": ("phone", TEXT), "fax": ("fax", TEXT), "address": ("address", TEXT),
        "city": ("city", TEXT), "region": ("region", TEXT), "postalCode": ("postal_code", TEXT), "country": ("country", TEXT)}),
    "Contact": ("customers.csv", "customer_id", {
        "name": ("contact_name", TEXT), "title": ("contact_title", TEXT), "customer": ("customer_id", reference("Customer"))}),
    "Employee": ("employees.csv", "employee_id", {
        "lastName": ("last_name", NAME), "firstName": ("first_name", TEXT), "title": ("title", TEXT), "phone": ("home_phone", TEXT),
        "manager": ("reports_to", reference("Employee"))}),
    "Product": ("products.csv", "product_id", {
        "name": ("product_name", NAME), "quantityPerUnit": ("quantity_per_unit", TEXT)}),
    "Order": ("orders.jsonl", "order_id", {
        "orderDate": ("order_date", DATE), "customer": ("customer_id", reference("Customer")),
        "shipStreet": ("ship_address", TEXT), "shipCity": ("ship_city", TEXT), "shipPostalCode": ("ship_postal_code", TEXT),
        "shipCountry": ("ship_country", TEXT)}),
    "OrderLine": ("order_lines.jsonl", "line", {
        "order": ("order_id", reference("Order")), "product": ("product_id", reference("Product")),
        "price": ("unit_price", DECIMAL), "quantity": ("quantity", INTEGER)}),
}
small_erp.TYPES = {name: {property: of for property, (_, of) in properties.items()}
                   for name, (_, _, properties) in TYPES.items()}


def rows(file):
    with open(file, newline="", encoding="utf-8") as text:
        if file.suffix == ".csv":
            yield from csv.DictReader(text, delimiter=";")
        else:
            yield from map(json.loads, text)


def fill(erp, folder):
    """One transaction. The records are counted first, for some refer to others that come later."""
    ids, at = {}, small_erp.now()
    for type, (file, key, _) in TYPES.items():
        for row in rows(folder / file):
            ids[type, str(row[key])] = str(len(ids) + 1)
    erp.db.execute("BEGIN")
    for type, (file, key, properties) in TYPES.items():
        for row in rows(folder / file):
            values = {}
            for name, (column, of) in properties.items():
                value = row[column]
                if value not in (None, ""):
                    values[name] = ids[of["references"][0], str(value)] if of["type"] == "reference" else value
                    if of["type"] == "decimal":
                        values[name] = str(value)
            id = ids[type, str(row[key])]
            erp.db.execute("INSERT INTO record (seq, type, id, version, created, modified, author, body) "
                           "VALUES (?, ?, ?, 1, ?, ?, 'northwind', ?)", (id, type, id, at, at, json.dumps(values)))
    erp.db.execute("COMMIT")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        fill(small_erp.Erp(sys.argv[1]), pathlib.Path(sys.argv[2]))
    else:
        small_erp.serve(sys.argv[1])
