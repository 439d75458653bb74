"""pyodata, as its users write with it, against two local OData services in v2."""

import datetime
import sys

import pyodata
import requests
from pyodata.exceptions import HttpError

COMPANY, PARTNERS = sys.argv[1:3]


def client(url):
    """A client with a session that has fetched its CSRF token."""
    session = requests.Session()
    session.auth = ("tandem", "odata-tandem-password")
    fetched = session.head(url + "/", headers={"x-csrf-token": "fetch"})
    session.headers.update({"x-csrf-token": fetched.headers["x-csrf-token"]})
    return pyodata.Client(url, session), session


def matching(request, tag):
    """The request with an entity tag to match."""
    request.add_headers({"If-Match": tag})
    return request


def expect_status(status, action):
    try:
        action()
    except HttpError as error:
        assert error.response.status_code == status, error.response.body
        return
    raise AssertionError(f"{status} expected")


def company():
    odata, session = client(COMPANY)
    schema = odata.schema
    assert [key.name for key in schema.entity_type("OrderLine").key_proprties] == ["OrderNumber", "LineNumber"]
    customers = odata.entity_sets.Customers
    assert customers.get_entities().count().execute() == 30

    # Page by page, along the links.
    page, numbers = customers.get_entities().select("Number,Name").execute(), []
    while True:
        numbers += [row.Number for row in page]
        if page.next_url is None:
            break
        page = customers.get_entities().next_url(page.next_url).execute()
    assert len(set(numbers)) == 30, numbers

    made = customers.create_entity().set(Name="O'Neil", CreditLimit="12.50", City="Köln").execute()
    found = customers.get_entities().filter("Name eq 'O''Neil' and CreditLimit eq 12.50M").execute()
    assert [row.Number for row in found] == [made.Number]
    by_hand = customers.get_entities()
    found = by_hand.filter(by_hand.City == "Köln").execute()
    assert made.Number in [row.Number for row in found]
    later = "ModifiedAt gt datetimeoffset'2999-01-01T00:00:00Z'"
    assert len(customers.get_entities().filter(later).execute()) == 0

    order = odata.entity_sets.Orders.create_entity()
    order.set(CustomerNumber=made.Number, OrderDate=datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc))
    order = order.execute()
    assert order.OrderDate.date() == datetime.date(2026, 1, 5), order.OrderDate
    lines = odata.entity_sets.OrderLines.create_entity()
    lines.set(OrderNumber=order.Number, LineNumber=1, Quantity="2.0000", UnitPrice="3.5000").execute()
    whole = odata.entity_sets.Orders.get_entity(Number=order.Number).expand("Lines").execute()
    assert [line.LineNumber for line in whole.Lines] == [1]

    # A change needs the entity tag; pyodata knows it from the entity.
    now = customers.get_entity(made.Number).execute()
    update = lambda: customers.update_entity(made.Number, method="MERGE").set(City="Ulm")
    expect_status(428, lambda: update().execute())
    matching(update(), now.etag).execute()
    expect_status(412, lambda: matching(update(), now.etag).execute())
    assert customers.get_entity(made.Number).execute().City == "Ulm"

    # A change set: all or nothing.
    def change_set(tag):
        changes = odata.create_changeset("c")
        changes.add_request(odata.entity_sets.Products.create_entity().set(Number="PX", Name="X"))
        changes.add_request(matching(customers.update_entity(made.Number, method="PATCH").set(City="Jena"), tag))
        batch = odata.create_batch("b")
        batch.add_request(changes)
        return batch.execute()

    expect_status(412, lambda: change_set("W/\"stale\""))
    assert odata.entity_sets.Products.get_entities().filter("Number eq 'PX'").count().execute() == 0
    change_set("*")
    assert odata.entity_sets.Products.get_entity("PX").execute().Name == "X"

    matching(odata.entity_sets.Products.delete_entity("PX"), "*").execute()
    expect_status(404, lambda: odata.entity_sets.Products.get_entity("PX").execute())

    # Without its token nothing is changed.
    session.headers.pop("x-csrf-token")
    expect_status(403, lambda: customers.create_entity().set(Name="x").execute())


def partners():
    odata, _ = client(PARTNERS)
    partners = odata.entity_sets.A_BusinessPartner
    one = partners.get_entity("1000001").execute()
    assert one.BusinessPartner == "0001000001"
    assert isinstance(one.LastChangeDate, datetime.datetime), one.LastChangeDate
    matching(partners.update_entity("1000001").set(BusinessPartnerIsBlocked=True), one.etag).execute()
    assert partners.get_entity("1000001").execute().BusinessPartnerIsBlocked is True
    expect_status(405, lambda: matching(partners.delete_entity("1000001"), "*").execute())
    addresses = one.nav("to_BusinessPartnerAddress").get_entities().execute()
    assert len(addresses) == 1


company()
partners()
print("pyodata: all as expected")
