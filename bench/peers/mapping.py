"""The mapping of mapping.json, as both Python peers use it."""

import json
import pathlib

KEY = "Customerp_Id__c"
STEPS = json.loads(pathlib.Path(__file__).with_name("mapping.json").read_text(encoding="utf-8"))["steps"]


def belongs(step, item):
    """Whether a step writes this record of the ERP."""
    name, *value = step.get("only", ["id"])
    return item.get(name) is not None and value in ([], [item[name]])


def parent(step):
    """The property by which a line names its order or quote."""
    return next(iter(step["once"]))


def convert(step, item, named):
    """A record as Salesforce takes it, and what can be given on its create alone.

    `named(relationship, key)` writes a reference to the record with that external id, or to none.
    """
    record = {KEY: f"{step['key']}:{item['id']}", **step.get("constants", {})}
    for name, field in step.get("fields", {}).items():
        value = item.get(name)
        record[field] = step.get("values", {}).get(name, {}).get(value, value)
    once = {}
    for part, into in (("references", record), ("once", once)):
        for name, (relationship, prefix) in step.get(part, {}).items():
            value = item.get(name)
            into.update(named(relationship, None if value is None else f"{prefix}:{value}"))
    return record, once


def nested(relationship, key):
    """A reference as collections take it."""
    return {f"{relationship}Id": None} if key is None else {relationship: {KEY: key}}
