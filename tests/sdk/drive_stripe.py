"""Drives the simulator with Stripe's official Python SDK. Any mismatch ends it with an error."""

import queue
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import stripe

BASE = f"http://127.0.0.1:{sys.argv[1]}"
HEADLESS = {"enabled": True, "allow_redirects": "never"}
client = stripe.StripeClient("sk_test_driver", base_addresses={"api": BASE})


def pay(amount, method, options=None, **extra):
    params = {
        "amount": amount,
        "currency": "eur",
        "payment_method": method,
        "confirm": True,
        "automatic_payment_methods": HEADLESS,
        **extra,
    }
    return client.v1.payment_intents.create(params, options or {})


def fails(error_type, code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except error_type as error:
        assert error.code == code, error.code
        return error
    raise AssertionError(f"{error_type.__name__} was expected")


def create_confirm_retrieve_update():
    intents = client.v1.payment_intents
    made = intents.create(
        {"amount": 1999, "currency": "eur", "automatic_payment_methods": HEADLESS,
         "metadata": {"order": "A-1", "with space & sign": "é=1"}}
    )
    assert made.status == "requires_payment_method"
    paid = intents.confirm(
        made.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge.payment_intent"]}
    )
    assert paid.status == "succeeded"
    assert paid.latest_charge.payment_intent.id == made.id
    assert paid.metadata["with space & sign"] == "é=1"
    updated = intents.update(made.id, {"metadata": {"order": ""}})
    assert "order" not in updated.metadata
    assert intents.retrieve(made.id).amount_received == 1999


def decline_is_a_card_error_with_the_intent_inside():
    error = fails(stripe.CardError, "card_declined", pay, 500, "pm_card_visa_chargeDeclined")
    assert error.http_status == 402
    assert error.error.decline_code == "generic_decline"
    assert error.error.payment_intent.status == "requires_payment_method"


def capture_a_part_cancel_refund():
    held = pay(1000, "pm_card_visa", capture_method="manual")
    assert held.status == "requires_capture"
    captured = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 600})
    assert captured.amount_received == 600
    refunds = client.v1.refunds
    assert refunds.create({"payment_intent": held.id, "amount": 100}).status == "succeeded"
    too_much = {"payment_intent": held.id, "amount": 501}
    fails(stripe.InvalidRequestError, "amount_too_large", refunds.create, too_much)
    other = pay(1000, "pm_card_visa", capture_method="manual")
    assert client.v1.payment_intents.cancel(other.id).status == "canceled"
    fails(stripe.InvalidRequestError, "payment_intent_unexpected_state",
          client.v1.payment_intents.capture, other.id)


def list_and_page_by_itself():
    customer = client.v1.customers.create({"email": "b@example.com"})
    made = []
    for n in range(7):
        params = {"amount": 100 + n, "currency": "usd", "customer": customer.id}
        made.insert(0, client.v1.payment_intents.create(params).id)
    page = client.v1.payment_intents.list({"customer": customer.id, "limit": 3})
    assert [intent.id for intent in page.auto_paging_iter()] == made


def same_key_gives_the_same_payment():
    options = {"idempotency_key": f"python-{uuid.uuid4()}"}
    first = pay(700, "pm_card_visa", options)
    again = pay(700, "pm_card_visa", options)
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    fails(stripe.IdempotencyError, None, pay, 701, "pm_card_visa", options)


def wrong_keys_and_unknown_ids_have_their_own_errors():
    live = stripe.StripeClient("sk_live_driver", base_addresses={"api": BASE})
    fails(stripe.AuthenticationError, None, live.v1.balance.retrieve)
    fails(stripe.InvalidRequestError, "resource_missing",
          client.v1.payment_intents.retrieve, "pi_none")
    assert client.v1.balance.retrieve().livemode is False


def delivered_webhook_passes_construct_event():
    received = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.put((body, self.headers["stripe-signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = client.v1.webhook_endpoints.create(
        {"url": f"http://127.0.0.1:{server.server_port}/hook",
         "enabled_events": ["payment_intent.succeeded"]}
    )
    pay(1234, "pm_card_visa")
    body, signature = received.get(timeout=20)
    event = client.construct_event(body, signature, endpoint.secret)
    assert event.type == "payment_intent.succeeded"
    assert event.data.object.amount == 1234
    try:
        client.construct_event(body, signature, "whsec_other")
    except stripe.SignatureVerificationError:
        pass
    else:
        raise AssertionError("a wrong secret was accepted")
    assert client.v1.webhook_endpoints.delete(endpoint.id).deleted
    server.shutdown()


for check in [
    create_confirm_retrieve_update,
    decline_is_a_card_error_with_the_intent_inside,
    capture_a_part_cancel_refund,
    list_and_page_by_itself,
    same_key_gives_the_same_payment,
    wrong_keys_and_unknown_ids_have_their_own_errors,
    delivered_webhook_passes_construct_event,
]:
    check()
    print("python  ok  " + check.__name__.replace("_", " "))
