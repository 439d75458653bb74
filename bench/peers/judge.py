"""What came of a run: duplicates and records left out, and the fate of every edit that a person made."""

# Each line: ERP collection, object, prefix of the external id; what is edited in Salesforce; what is edited in the ERP.
EDITED = [
    ("customers", "Account", "Customer", ("phone", "Phone"), ("city", "BillingCity")),
    ("contacts", "Contact", "Contact", ("title", "Title"), ("department", "Department")),
    ("products", "Product2", "Product", ("description", "Description"), ("category", "Family")),
    ("quotes", "Quote", "Quote", ("phone", "Phone"), ("billingCity", "BillingCity")),
    ("orders", "Order", "Order", ("customerReference", "PoNumber"), ("billingCity", "BillingCity")),
]
# What tells records of an object apart besides the external id. Lines have nothing else.
COUNTED = {
    "Account": ("customers", "Customer", "Name"),
    "Contact": ("contacts", "Contact", "Email"),
    "Product2": ("products", "Product", "ProductCode"),
    "Opportunity": ("quotes", "Quote", "Name"),
    "Quote": ("quotes", "Quote", "Customerp_Number__c"),
    "Order": ("orders", "Order", "OrderReferenceNumber"),
    "OrderItem": ("order-lines", "OrderLine", None),
    "QuoteLineItem": ("quote-lines", "QuoteLine", None),
}


def count(person):
    """Records in Salesforce that stand for one record of the ERP twice, and records of the ERP that nothing stands for."""
    twice = absent = 0
    for name, (collection, prefix, natural) in COUNTED.items():
        fields = "Id, Customerp_Id__c" + (f", {natural}" if natural else "")
        rows = list(person.soql(f"SELECT {fields} FROM {name}"))
        keys = [row["Customerp_Id__c"] for row in rows if row["Customerp_Id__c"]]
        found = [row[natural] for row in rows if natural and row[natural]]
        twice += max(len(keys) - len(set(keys)), len(found) - len(set(found)))
        absent += sum(f"{prefix}:{item['id']}" not in set(keys) for item in person.listing(collection)) if keys else len(
            list(person.listing(collection))
        )
    rows = list(person.soql("SELECT Product2Id, CurrencyIsoCode FROM PricebookEntry"))
    twice += len(rows) - len({(row["Product2Id"], row["CurrencyIsoCode"]) for row in rows})
    names = [row["Name"] for row in person.soql("SELECT Name FROM Division")]
    return twice + len(names) - len(set(names)), absent


def edit(person, most):
    """Edits of three kinds, each on as many records of each type: on both sides in different properties, on either side alone.

    Tells what was set where: (group, side, object, key of the org's row, collection, id, property, field, value).
    """
    made = []
    for collection, name, prefix, in_org, in_erp in EDITED:
        items = sorted(person.listing(collection), key=lambda item: int(item["id"]))
        rows = {row["Customerp_Id__c"]: row["Id"] for row in person.soql(f"SELECT Id, Customerp_Id__c FROM {name}")}
        # A fifth of a type at most: of more Tandem's guard asks a person first. In its favour, and README.md says so.
        each = min(most, max(1, len(items) // 15))
        # Spread over the data, so that old and new, open and closed records are among them.
        chosen = items[:: len(items) // (3 * each)][: 3 * each]
        for place, item in enumerate(chosen):
            group = ("both", "org", "erp")[place % 3]
            row = rows[f"{prefix}:{item['id']}"]
            about = (name, row, collection, item["id"])
            if group != "erp":
                value = f"set in the org {place}"
                person.edit_org(name, row, {in_org[1]: value})
                made.append((group, "org", *about, *in_org, value))
            if group != "org":
                value = f"set in the ERP {place}"
                person.edit_erp(collection, item, {in_erp[0]: value})
                made.append((group, "erp", *about, *in_erp, value))
    return made


def fates(person, made):
    """For each group of edits: how many there were, arrived, stand where they were made and did not travel, are lost."""
    org, erp = {}, {}
    for collection, name, _, (_, first), (_, second) in EDITED:
        org |= {row["Id"]: row for row in person.soql(f"SELECT Id, {first}, {second} FROM {name}")}
        erp |= {(collection, item["id"]): item for item in person.listing(collection)}
    groups = {}
    for group, side, _, row, collection, number, there, field, value in made:
        in_org, in_erp = org[row][field] == value, erp[collection, number][there] == value
        stands, travelled = (in_org, in_erp) if side == "org" else (in_erp, in_org)
        # A value that is gone where it was set and stands on the other side is kept by somebody, and no loss.
        fate = "arrived" if stands and travelled else "stayed" if stands or travelled else "lost"
        tally = groups.setdefault(f"{group}-{side}" if group == "both" else group, {"edits": 0, "arrived": 0, "stayed": 0, "lost": 0})
        tally["edits"] += 1
        tally[fate] += 1
    return groups
