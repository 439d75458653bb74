#!/usr/bin/env python3
"""Writes Northwind's tables as files, as an ERP exports them: export.py NORTHWIND.SQL FOLDER"""
import csv
import json
import pathlib
import re
import sqlite3
import sys

dump, folder = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"), pathlib.Path(sys.argv[2])
db = sqlite3.connect(":memory:")
db.row_factory = sqlite3.Row
for statement in re.split(r";\n", dump):
    statement = re.sub(r"^--.*$", "", statement, flags=re.M).strip()
    if statement.startswith(("CREATE TABLE", "INSERT INTO")):
        db.execute(statement)

folder.mkdir(parents=True, exist_ok=True)
# As people get it out of their spreadsheets.
tables = {
    "customers": "*",
    "products": "*",
    "employees": "employee_id, last_name, first_name, title, home_phone, reports_to",
}
for table, columns in tables.items():
    rows = db.execute(f"SELECT {columns} FROM {table}").fetchall()
    with open(folder / f"{table}.csv", "w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file, delimiter=";")
        sheet.writerow(rows[0].keys())
        sheet.writerows(rows)
# As programs write it.
queries = {
    "orders": "SELECT order_id, customer_id, order_date, ship_address, ship_city, ship_postal_code, ship_country FROM orders",
    "order_lines": "SELECT order_id || '-' || product_id AS line, order_id, product_id, unit_price, quantity FROM order_details",
}
for name, query in queries.items():
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
        for row in db.execute(query):
            file.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
