#!/usr/bin/env python3
"""A small ERP that a program speaks for: it answers Tandem's lines (docs/program.md) out of a SQLite file: erp.py FILE

Whoever connects an ERP of his own keeps the loop at the end and writes the functions anew.
"""
import json
import sqlite3
import sys
from datetime import datetime, timezone

TEXT = {"type": "string"}
TYPES = {
    "Customer": {
        "name": {"type": "string", "required": True, "max_length": 80},
        "customerNumber": {"type": "string", "unique": True}, "email": TEXT, "phone": TEXT, "website": TEXT,
        "active": {"type": "boolean"}, "salesforceId": {"type": "string", "unique": True},
    },
    "Contact": {
        "lastName": {"type": "string", "required": True, "max_length": 80}, "firstName": TEXT, "email": TEXT,
        "phone": TEXT, "description": TEXT, "birthdate": {"type": "date"},
        "reportsToId": {"type": "reference", "references": ["Contact"]},
        "customerId": {"type": "reference", "references": ["Customer"]},
        "salesforceId": {"type": "string", "unique": True},
    },
}
PAGE = 500


class Refused(Exception):
    """A write that cannot be: its kind, the properties at fault, and why."""


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Erp:
    def __init__(self, file):
        self.db = sqlite3.connect(file, isolation_level=None, timeout=30)
        self.user = "nobody"
        self.db.executescript(
            "CREATE TABLE IF NOT EXISTS record (seq INTEGER, type TEXT, id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER,"
            " created TEXT, modified TEXT, author TEXT, deleted INTEGER DEFAULT 0, intent TEXT UNIQUE, body TEXT);"
            "CREATE INDEX IF NOT EXISTS by_seq ON record (seq);")

    def hello(self, ask):
        self.user = ask["secrets"].get("user", "tandem")
        return {"protocol": 1, "system": "small-erp", "name": "A small ERP", "user": self.user, "author": self.user,
                "can": {"conditional_write": True, "idempotent_create": True, "changes": True}}

    def describe(self, ask):
        return {"types": {name: {"properties": properties} for name, properties in TYPES.items()}}

    def shown(self, where, *values):
        rows = self.db.execute("SELECT type, id, version, created, modified, author, deleted, body, seq FROM record "
                               f"WHERE {where}", values).fetchall()
        return [{"type": type, "id": str(id), "version": version, "created": created, "modified": modified,
                 "author": author, "deleted": bool(deleted), "seq": seq,
                 "values": {**dict.fromkeys(TYPES[type]), **json.loads(body)}}
                for type, id, version, created, modified, author, deleted, body, seq in rows]

    def changes(self, ask):
        types = [name for name in ask["types"] if name in TYPES]
        # Every change gets the next number in the transaction that makes it, so none is overtaken.
        found = self.shown(f"seq > ? AND type IN ({','.join('?' * len(types))}) ORDER BY seq LIMIT {PAGE}", ask["since"] or 0, *types)
        since = found[-1]["seq"] if found else ask["since"] or 0
        return {"records": found, "since": since, "more": len(found) == PAGE}

    def list(self, ask):
        found = self.shown(f"type = ? AND id > ? AND NOT deleted ORDER BY id LIMIT {PAGE}", ask["type"], ask["after"] or 0)
        return {"records": found, "after": int(found[-1]["id"]) if len(found) == PAGE else None}

    def read(self, ask):
        ids = [int(id) for id in ask["ids"] if id.isascii() and id.isdigit()]
        return {"records": self.shown(f"type = ? AND id IN ({','.join('?' * len(ids))})", ask["type"], *ids)}

    def find(self, ask):
        key = lambda values: tuple(str(value or "").strip().casefold() for value in values)  # noqa: E731
        wanted = {key(values) for values in ask["values"]}
        alive = self.shown("type = ? AND NOT deleted", ask["type"])
        return {"records": [it for it in alive if key(it["values"].get(name) for name in ask["properties"]) in wanted]}

    def check(self, type, id, values):
        for name, value in values.items():
            known = TYPES[type].get(name)
            if known is None:
                raise Refused("invalid", [name], "there is no such property")
            if known.get("required") and not value:
                raise Refused("invalid", [name], "it must not be blank")
            if len(str(value or "")) > known.get("max_length", 32000):
                raise Refused("invalid", [name], "it is too long")
            if value and known.get("references") and not self.shown("id = ? AND NOT deleted", value):
                raise Refused("bad-reference", [name], f"there is no record {value}")
            if value and known.get("unique"):
                same = self.shown("type = ? AND NOT deleted AND json_extract(body, ?) = ?", type, f"$.{name}", value)
                if any(it["id"] != id for it in same):
                    raise Refused("duplicate", [name], f"record {same[0]['id']} has it")

    def create(self, ask):
        if again := self.shown("intent = ?", ask["key"]):
            return {"record": again[0]}
        self.check(ask["type"], None, {**dict.fromkeys(n for n, p in TYPES[ask["type"]].items() if p.get("required")),
                                       **ask["values"]})
        at = now()
        made = self.db.execute(
            "INSERT INTO record (seq, type, version, created, modified, author, intent, body) VALUES "
            "((SELECT coalesce(max(seq), 0) + 1 FROM record), ?, 1, ?, ?, ?, ?, ?)",
            (ask["type"], at, at, self.user, ask["key"], json.dumps(ask["values"])))
        return {"record": self.shown("id = ?", made.lastrowid)[0]}

    def change(self, ask):
        deleted = ask["do"] == "delete"
        found = self.shown("type = ? AND id = ? AND NOT deleted", ask["type"], ask["id"])
        if not found:
            return {"gone": True}
        if ask.get("only_if") not in (None, str(found[0]["version"])):
            return {"stale": True}
        values = ask.get("values", {})
        self.check(ask["type"], ask["id"], values)
        self.db.execute("UPDATE record SET seq = (SELECT max(seq) + 1 FROM record), version = version + 1, modified = ?, "
                        "author = ?, deleted = ?, body = ? WHERE id = ?",
                        (now(), self.user, deleted, json.dumps({**found[0]["values"], **values}), ask["id"]))
        return {"record": self.shown("id = ?", ask["id"])[0]}

    update = delete = change

    def answer(self, ask):
        self.db.execute("BEGIN IMMEDIATE")  # one request is one transaction
        try:
            answer = getattr(self, ask["do"])(ask)
        except Refused as refused:
            kind, properties, why = refused.args
            answer = {"refused": {"kind": kind, "properties": properties, "message": why}}
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")
        return answer


def serve(file):
    erp = Erp(file)
    for line in sys.stdin:
        ask = json.loads(line)
        print(json.dumps({"ask": ask["ask"], **erp.answer(ask)}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
