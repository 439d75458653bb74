"""Fills a new Tryton database with a small company: tryton_demo.py CONFIGURATION DATABASE

Parties with an address and somebody to write to, products, orders with lines, and a user for Tandem. Numbers alone
decide what is made, so every run makes the same.
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

with Transaction().start(database, 0):
    pool = Pool(database)
    pool.init()

with Transaction().start(database, 0, context={"_skip_warnings": True}) as transaction:
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
                "sale_uom": unit, "products": [("create", [{"description": f"No. {n + 1} of the catalogue"}])],
            }
            for n in range(20)
        ])
        products = [template.products[0].id for template in templates]
        create("sale.sale", *[
            {
                "party": parties[n % 40].id, "company": company.id, "currency": euro.id,
                "sale_date": datetime.date(2026, 1, 1) + datetime.timedelta(days=n), "reference": f"PO-{n + 1}",
                "lines": [("create", [
                    {
                        "type": "line", "product": products[(n + m) % 20], "quantity": float(m + 1), "unit": unit,
                        "unit_price": Decimal(10 + n + m) + Decimal("0.50"),
                    }
                    for m in range(1 + n % 3)
                ])],
            }
            for n in range(30)
        ])
    transaction.commit()
