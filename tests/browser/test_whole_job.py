"""The whole job, once: imports, an order over REST, mails, the customer's page, the tablet, the money, the books."""

import re
from pathlib import Path

from flask import Flask
from playwright.sync_api import expect

from pickup.core.db import db
from pickup.payments.models import Payment
from tests.api_client import ApiClient

FILES = {
    "stores": """ref,name,street,city,state,postcode,country,lat,lon,opening_hours,timezone
7,Larkspur Rogers,402 Millstone Road,Rogers,AR,72756,US,36.3313,-94.1490,24/7,
8,Larkspur Harrison,61 Hickory Square,Harrison,AR,72601,US,36.2690,-93.1391,24/7,
""",
    "products": 'sku,name,department\nMILK,"Whole milk, 1 gal",Dairy\nLOAF,Sourdough loaf,Bakery\n',
    "prices": "sku,currency,amount\nMILK,USD,3.49\nLOAF,USD,4.99\n",
    "stock": "store_ref,sku,on_hand\n7,MILK,10\n7,LOAF,10\n8,MILK,10\n8,LOAF,10\n",
}


def command(app: Flask, *words: str) -> str:
    done = app.test_cli_runner().invoke(args=words)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_one_order_from_the_click_to_the_counter(open_page, world, mailbox, database, tmp_path: Path):
    for kind, text in FILES.items():
        (tmp_path / f"{kind}.csv").write_text(text)
        assert "rejected 0" in command(database, "import", kind, str(tmp_path / f"{kind}.csv"))
    command(database, "staff", "create", "--store", "7", "--name", "Ana", "--role", "associate", "--pin", "4711")
    shop = ApiClient(database, command(database, "client", "create", "e-shop", "--scope", "shop"))

    answer = shop.order(world.order_body({"MILK": 2, "LOAF": 1}, {"postcode": "72756", "country": "US"}))
    assert (answer.status_code, answer.json["store"]["ref"]) == (201, "7")
    assert answer.json["total"] == {"amount": 1197, "currency": "USD"}
    world.work()
    assert "ready by" in mailbox.subjects()[-1]

    customer = open_page(viewport={"width": 390, "height": 844})
    customer.goto("/p/" + answer.json["pickup"]["url"].rpartition("/")[2])
    expect(customer.get_by_text("Larkspur Rogers").first).to_be_visible()
    tablet = open_page()
    tablet.goto("/staff")
    tablet.get_by_label("Store").fill("7")
    tablet.get_by_label("PIN").fill("4711")
    tablet.get_by_role("button", name="Sign in").click()
    tablet.get_by_role("button", name="Start picking").click()
    tablet.get_by_role("button", name="Ready").click()
    expect(tablet.locator(".toast", has_text=f"Order {answer.json['number']} is ready.")).to_be_visible()
    world.work()

    text = mailbox.mails[-1].get_body(("plain",)).get_content()
    (code,) = re.findall(r"^ {4}(\w{3}-\w{3}-\w{3})\s*$", text, re.MULTILINE)
    customer.reload()
    expect(customer.get_by_text(code).first).to_be_visible()
    tablet.get_by_label("Pickup code").fill(code)
    tablet.get_by_role("button", name="Hand over").click()
    expect(tablet.get_by_role("heading", name="Hand out now")).to_be_visible()
    world.work()

    assert shop.get(f"/v1/orders/{answer.json['id']}").json["status"] == "collected"
    assert db.session.query(Payment).one().status == "captured"
    assert "collected" in mailbox.subjects()[-1]
    assert len(mailbox.mails) == 3
    assert command(database, "stock", "reconcile").endswith("0 differences")
