"""Fills a new Tryton database with a small company: tryton_demo.py CONFIGURATION DATABASE

Parties with an address and somebody to write to, products, orders and quotes with lines, employees, projects with tasks,
invoices on a small chart of accounts, and a user for Tandem. Numbers alone decide what is made, so every run makes the same.
"""
import datetime
import sys
from decimal import Decimal

from trytond import config

config.update_etc(sys.argv[1])
from trytond.pool import Pool  # noqa: E402  (it reads the configuration when it is loaded)
from trytond.transaction import Transaction  # noqa: E402

database = sys.argv[2]
CITIES = ["Berlin", "Oslo", "Lyon", "Graz", "Turin", "Porto", "Ghent"]
GIVEN = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal"]
WORDS = ["Lamp", "Chair", "Table", "Shelf", "Door", "Clock", "Stool", "Bench", "Vase", "Tray"]
YEAR = 2026


def accounts(pool, company):
    """The smallest chart of accounts, with a year that is open, and what an invoice is booked on."""
    Chart = pool.get("account.create_chart", type="wizard")
    chart = Chart(Chart.create()[0])
    chart.account.company = company
    root = pool.get("ir.model.data").get_id("account", "account_template_root_en")
    chart.account.account_template = pool.get("account.account.template")(root)
    chart.transition_create_account()
    found = {
        kind: pool.get("account.account").search([(f"type.{kind}", "=", True), ("closed", "!=", True)], limit=1)[0]
        for kind in ("receivable", "payable", "revenue", "expense")
    }
    chart.properties.company = company
    chart.properties.account_receivable, chart.properties.account_payable = found["receivable"], found["payable"]
    chart.transition_create_properties()
    Chart.delete(chart._session_id)

    def sequence(kind):
        (kind,) = pool.get("ir.sequence.type").search([("name", "=", kind)], limit=1)
        values = {"name": str(YEAR), "sequence_type": kind.id, "company": company.id}
        return pool.get("ir.sequence.strict").create([values])[0].id

    kinds = ("out_invoice_sequence", "in_invoice_sequence", "out_credit_note_sequence", "in_credit_note_sequence")
    numbers = {"company": company.id, **dict.fromkeys(kinds, sequence("Invoice"))}
    Year = pool.get("account.fiscalyear")
    Year.create_period(Year.create([{
        "name": str(YEAR), "company": company.id, "start_date": datetime.date(YEAR, 1, 1), "end_date": datetime.date(YEAR, 12, 31),
        "move_sequence": sequence("Account Move"), "invoice_sequences": [("create", [numbers])],
    }]))
    return found


with Transaction().start(database, 0):
    pool = Pool(database)
    pool.init()

# What is locked is locked from the beginning, or Tryton wants to begin again.
locked = ["account_configuration", "account_journal_period"]
with Transaction().start(database, 0, context={"_skip_warnings": True}, _lock_tables=locked) as transaction:
    create = lambda model, *values: pool.get(model).create(list(values))  # noqa: E731
    (euro,) = create("currency.currency", {"name": "Euro", "code": "EUR", "symbol": "€"})
    (own,) = create("party.party", {"name": "Sample Company"})
    (company,) = create("company.company", {"party": own.id, "currency": euro.id})
    groups = [group.id for group in pool.get("res.group").search([])]
    create(
        "res.user",
        {
            "name": "Tandem", "login": "tandem", "password": "tandem-secret", "groups": [("add", groups)],
            "companies": [("add", [company.id])], "company": company.id, "administrator": True,
        },
    )
    with transaction.set_context(company=company.id):
        unit = pool.get("product.uom").search([("symbol", "=", "u")])[0].id
        booked = accounts(pool, company)
        (sold,) = create("product.category", {
            "name": "Goods", "accounting": True, "account_revenue": booked["revenue"].id, "account_expense": booked["expense"].id,
        })
        parties = create("party.party", *[
            {
                "name": f"{CITIES[n % 7]} Trading {n + 1}",
                "addresses": [("create", [{"street": f"Main Street {n + 1}", "postal_code": f"{10_000 + n}", "city": CITIES[n % 7]}])],
                "contact_mechanisms": [("create", [
                    {"type": "phone", "value": f"+49 30 {5_550_000 + n}"},
                    {"type": "email", "name": f"{GIVEN[n % 8]} Miller {n + 1}", "value": f"miller{n + 1}@trading{n + 1}.example"},
                ])],
            }
            for n in range(40)
        ])
        templates = create("product.template", *[
            {
                "name": f"{WORDS[n % 10]} {n + 1}", "code": f"P{n + 1:03}", "type": "goods", "default_uom": unit, "salable": True,
                "sale_uom": unit, "account_category": sold.id, "products": [("create", [{"description": f"No. {n + 1} of the catalogue"}])],
            }
            for n in range(20)
        ])
        products = [template.products[0].id for template in templates]
        offered = {"quotation_date": datetime.date(YEAR, 1, 20), "quotation_validity": datetime.timedelta(days=30)}
        sales = create("sale.sale", *[
            {
                "party": parties[n % 40].id, "company": company.id, "currency": euro.id,
                "sale_date": datetime.date(YEAR, 1, 1) + datetime.timedelta(days=n), "reference": f"PO-{n + 1}",
                "invoice_address": parties[n % 40].addresses[0].id, "shipment_address": parties[n % 40].addresses[0].id,
                "invoice_method": "manual", "shipment_method": "manual", **({} if n < 30 else offered),
                "lines": [("create", [
                    {
                        "type": "line", "product": products[(n + m) % 20], "quantity": float(m + 1), "unit": unit,
                        "unit_price": Decimal(10 + n + m) + Decimal("0.50"),
                    }
                    for m in range(1 + n % 3)
                ])],
            }
            for n in range(36)
        ])
        # Six are offers, the last two of them accepted.
        pool.get("sale.sale").quote(sales[30:])
        pool.get("sale.sale").confirm(sales[34:])

        (staff,) = create("party.category", {"name": "Employee"})
        people = create("party.party", *[
            {
                "name": f"{name} Smith", "contact_mechanisms": [("create", [{"type": "email", "value": f"{name.lower()}@sample.example"}])],
                "categories": [("add", [staff.id])],
            }
            for name in GIVEN[:5]
        ])
        (chief,) = create("company.employee", {"party": people[0].id, "company": company.id})
        create("company.employee", *[{"party": person.id, "company": company.id, "supervisor": chief.id} for person in people[1:]])

        projects = create("project.work", *[
            {"name": f"{WORDS[n]} for {parties[n].name}", "type": "project", "company": company.id, "party": parties[n].id}
            for n in range(4)
        ])
        create("project.work", *[
            {
                "name": f"{task} the {WORDS[n].lower()}", "type": "task", "company": company.id, "parent": projects[n].id,
                "comment": f"Step {m + 1} of 2",
            }
            for n in range(4) for m, task in enumerate(["Measure", "Deliver"])
        ])

        (journal,) = pool.get("account.journal").search([("type", "=", "revenue")], limit=1)
        invoices = create("account.invoice", *[
            {
                "type": "out", "company": company.id, "currency": euro.id, "party": parties[n].id, "journal": journal.id,
                "invoice_address": parties[n].addresses[0].id, "account": booked["receivable"].id,
                "invoice_date": datetime.date(YEAR, 2, 1) + datetime.timedelta(days=n), "description": f"Delivery {n + 1}",
                "lines": [("create", [
                    {
                        "type": "line", "product": products[(n + m) % 20], "quantity": float(m + 1), "unit": unit, "account": booked["revenue"].id,
                        "unit_price": Decimal(20 + n), "description": f"Item {m + 1}", "company": company.id, "currency": euro.id,
                    }
                    for m in range(1 + n % 2)
                ])],
            }
            for n in range(10)
        ])
        pool.get("account.invoice").post(invoices[6:])
    transaction.commit()
