#!/usr/bin/env python3
"""Writes Northwind's dump for PostgreSQL as one for MariaDB and MySQL: convert.py NORTHWIND.SQL | mariadb northwind"""
import pathlib
import re
import sys

dump = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
types = {"character varying": "varchar", "real": "float", "bytea": "longblob"}
keys = dict(re.findall(r"ALTER TABLE ONLY (\w+)\s+ADD CONSTRAINT \w+ PRIMARY KEY \((.*?)\)", dump))

# A backslash in a text is a backslash, and all rows go in at once.
print("SET NAMES utf8mb4; SET sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'; START TRANSACTION;")
for statement in re.split(r";\n", dump):
    statement = re.sub(r"^--.*$", "", statement, flags=re.M).strip()
    if statement.startswith("CREATE TABLE"):
        for theirs, ours in types.items():
            statement = statement.replace(theirs, ours)
    elif statement.startswith("ALTER TABLE"):
        # A reference names the columns that it leads to.
        statement = statement.replace("ALTER TABLE ONLY", "ALTER TABLE")
        statement = re.sub(r"REFERENCES (\w+)$", lambda found: f"REFERENCES {found[1]} ({keys[found[1]]})", statement)
    elif not statement.startswith("INSERT INTO"):
        continue
    print(f"{statement};")
print("COMMIT;")
