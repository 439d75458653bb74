"""Sets the scene for clients/api-fuzz: a conflict that waits, and an OpenAPI document that knows what is there.

A fuzzer that invents every name finds nothing but `404`. Here a name is drawn half of the time from what the console
shows: flows, systems, record types, ids, items, runs, lines of the history. The document is the console's own
otherwise.
"""

import collections
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ADMIN = "token-of-ada"
PATIENCE = 90


def ask(url, body=None, token=ADMIN, method=None, form=False):
    """What an address answers, as JSON; nothing where there is none."""
    headers = {"Authorization": f"Bearer {token}", "If-Match": "*"} if token else {}
    data = None
    if form:
        data = urllib.parse.urlencode(body).encode()
    elif body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            text = reply.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read().decode(errors='replace')}")
    return json.loads(text) if text else None


def until(look):
    """Waits until something comes about."""
    began = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() - began > PATIENCE:
            sys.exit("what the fuzzer needs did not come about")
        time.sleep(0.2)


def make_conflict(api, customerp, salesforce):
    """Edits a product on both sides while its flow rests, which asks a person."""
    flow = f"{api}/flows/product-product2"
    links = until(lambda: ask(f"{api}/links?flow=product-product2")["rows"])
    first, second = links[0]["first"]["id"], links[0]["second"]["id"]
    ask(f"{flow}/pause", {})
    client = {"grant_type": "client_credentials", "client_id": "alice", "client_secret": "alice-secret"}
    token = ask(f"{salesforce}/services/oauth2/token", client, token=None, form=True)["access_token"]
    ours = f"{customerp}/api/v1/products/{first}"
    ask(ours, {"description": "ours"}, token="customerp-alice-token", method="PATCH")
    theirs = f"{salesforce}/services/data/v62.0/sobjects/Product2/{second}"
    ask(theirs, {"Description": "theirs"}, token=token, method="PATCH")
    record = f"{api}/records/salesforce/Product2/{second}"

    def seen():
        text = json.dumps(ask(record))
        return '"ours"' in text and '"theirs"' in text

    until(seen)
    ask(f"{flow}/resume", {})
    until(lambda: ask(f"{api}/items?standing=conflict")["rows"])


def names(api):
    """What is there, by the names that parameters have."""
    overview = ask(f"{api}/overview")
    links = ask(f"{api}/links?limit=200")["rows"]
    products = [link["second"] for link in links if link["flow"] == "product-product2"]
    items = [item["item"] for item in ask(f"{api}/items?limit=40")["rows"]]
    return {
        "flow": [flow["flow"] for flow in overview["flows"]],
        "system": [system["system"] for system in overview["systems"]],
        "records": {
            "system": ["salesforce"],
            "type": ["Product2"],
            "id": [product["id"] for product in products],
        },
        "cursor": [str(link["number"]) for link in links],
        "item": items,
        "run": [run["run"] for run in ask(f"{api}/runs?limit=20")["rows"]],
        "change": [change["number"] for change in ask(f"{api}/changes?limit=40")["rows"]],
        "standing": ["parked", "approval", "conflict", "deferred", "listed"],
        "event": ["edited", "wrote", "created", "linked"],
        "q": ["a", "an"],
    }


def knowing(document, known):
    """The document, whose parameters may also be what is there."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            # Names drawn one by one would hardly ever make a record: those of one type do.
            of = {**known, **known["records"]} if "{type}" in path else known
            for parameter in operation["parameters"]:
                there = of.get(parameter["name"])
                if there:
                    parameter["schema"] = {"anyOf": [{"enum": there}, parameter["schema"]]}
    return document


def told(report):
    """Says what was answered how often; only refusals would mean that nothing was tried."""
    counts = collections.Counter()

    def walk(value):
        if isinstance(value, dict):
            if "status_code" in value:
                counts[value["status_code"]] += 1
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    with open(report, encoding="utf-8") as lines:
        for line in lines:
            walk(json.loads(line))
    print("answers:", ", ".join(f"{status}: {count}" for status, count in sorted(counts.items())))
    if counts[401] > counts[200]:
        sys.exit("more was refused than answered: nothing was tried")


def main():
    if sys.argv[1] == "--told":
        return told(sys.argv[2])
    console, customerp, salesforce, target = sys.argv[1:]
    api = f"{console}/api/v1"
    make_conflict(api, customerp, salesforce)
    until(lambda: len(ask(f"{api}/overview")["flows"]) > 1)
    document = knowing(ask(f"{api}/openapi.json"), names(api))
    with open(target, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)


if __name__ == "__main__":
    main()
