"""The two local systems, fresh, with every call to them counted as it happens; and a person who works in them."""

import json
import os
import pathlib
import re
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

HEAD = re.compile(rb'"method":"([A-Z]+)","path":"([^"]*)"')


class System:
    """One local system. It writes its record of calls into a pipe, so that each call is an event here."""

    def __init__(self, tandem, place, *arguments):
        self.calls = 0
        self.kinds = {}
        self.heard = threading.Condition()
        place.mkdir(parents=True)
        pipe = place / "calls"
        os.mkfifo(pipe)
        threading.Thread(target=self._listen, args=(pipe,), daemon=True).start()
        command = [tandem, "sandbox", *arguments, "--until-stdin-closes", "--json", "--record", pipe]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started = self.process.stdout.readline()
        if not started:
            raise SystemExit(f"peers: {' '.join(map(str, arguments[:1]))} did not start")
        self.told = json.loads(started)
        self.url = self.told["url"]

    def _listen(self, pipe):
        with open(pipe, "rb") as lines:
            for line in lines:
                method, path = (part.decode() for part in HEAD.search(line[:20000]).groups())
                if not path.startswith(("/services/data", "/services/Soap", "/api/")):
                    continue
                with self.heard:
                    self.calls += 1
                    kind = f"{method} {re.sub('[?/].*', '', re.sub('^/(services/data/v[0-9.]+|api/v1)/', '', path))}"
                    self.kinds[kind] = self.kinds.get(kind, 0) + 1
                    self.heard.notify_all()

    def await_calls(self, number, ended):
        """Waits until so many calls were answered, or until the event says that no more will come."""
        with self.heard:
            self.heard.wait_for(lambda: self.calls >= number or ended.is_set())
            return self.calls >= number

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Pair:
    """A fresh ERP with its records, a fresh and empty org, and where a tool keeps what it remembers."""

    def __init__(self, tandem, place, records, seed, latency):
        self.place = place
        self.certificate = place / "ca.pem"
        self.org = System(tandem, place / "org", "salesforce", "--latency", str(latency), "--certificate", self.certificate)
        self.erp = System(
            tandem, place / "erp", "customerp", "--records", str(records), "--seed", str(seed), "--latency", str(latency)
        )
        self.tool = place / "tool"
        self.tool.mkdir()

    def end(self):
        self.org.end()
        self.erp.end()

    def calls(self):
        return self.org.calls, self.erp.calls


def ask(url, token=None, method="GET", body=None, form=None, headers=None):
    """One request and its answer as JSON."""
    head = dict(headers or {})
    data = None
    if token:
        head["Authorization"] = f"Bearer {token}"
    if body is not None:
        head["Content-Type"], data = "application/json", json.dumps(body).encode()
    if form is not None:
        data = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, data, head, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {url}: {error.code} {error.read().decode()[:300]}") from error


class Person:
    """Alice, who has an account in both systems, reads and edits records."""

    def __init__(self, pair):
        self.org, self.erp = pair.org.url, pair.erp.url
        form = {"grant_type": "client_credentials", "client_id": "alice", "client_secret": "alice-secret"}
        self.token = ask(f"{self.org}/services/oauth2/token", form=form, method="POST")["access_token"]
        self.key = "customerp-alice-token"

    def soql(self, text):
        path = "/services/data/v62.0/query?" + urllib.parse.urlencode({"q": text})
        while path:
            page = ask(self.org + path, self.token)
            yield from page["records"]
            path = page.get("nextRecordsUrl")

    def listing(self, collection):
        cursor = ""
        while cursor is not None:
            page = ask(f"{self.erp}/api/v1/{collection}?limit=1000{cursor}", self.key)
            yield from page["items"]
            cursor = page.get("nextCursor") and "&cursor=" + urllib.parse.quote(page["nextCursor"])

    def edit_org(self, name, number, fields):
        ask(f"{self.org}/services/data/v62.0/sobjects/{name}/{number}", self.token, "PATCH", fields)

    def edit_erp(self, collection, item, properties):
        headers = {"If-Match": f'"{item["version"]}"'}
        ask(f"{self.erp}/api/v1/{collection}/{item['id']}", self.key, "PATCH", properties, headers=headers)

    def written(self):
        """Records written since the start, by anybody: rows in the org, by the log of its changes, and in the ERP."""
        rows, since = 0, 0
        while True:
            page = ask(f"{self.org}/_local/log?since={since}")
            rows += len(page["entries"])
            if page["next"] == since or not page["entries"]:
                break
            since = page["next"]
        kinds = ask(f"{self.erp}/_local/calls")["byKind"]
        return rows, sum(kind["rows"] for name, kind in kinds.items() if name in ("create", "update", "delete"))
