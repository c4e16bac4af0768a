"""Drives the simulator with PayPal's official Python SDK. Any mismatch ends it with an error."""

import sys
import urllib.parse
import urllib.request
import uuid

from paypalserversdk.configuration import Configuration, Environment, Server
from paypalserversdk.exceptions.api_exception import ApiException
from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

BASE = f"http://127.0.0.1:{sys.argv[1]}"
Configuration.environments[Environment.SANDBOX] = {Server.DEFAULT: BASE}


def connect(secret="simulated-client-secret"):
    return PaypalServersdkClient(
        client_credentials_auth_credentials=ClientCredentialsAuthCredentials(
            o_auth_client_id="simulated-client-id", o_auth_client_secret=secret
        ),
        environment=Environment.SANDBOX,
    )


client = connect()
WHOLE = {"prefer": "return=representation"}


def euros(value):
    return {"currency_code": "EUR", "value": value}


def create(intent, value="20.00"):
    body = {
        "intent": intent,
        "purchase_units": [{"amount": euros(value), "custom_id": "A-2"}],
        "application_context": {"return_url": "https://shop.example/done"},
    }
    return client.orders.create_order({**WHOLE, "body": body}).body


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def approve(order, funding="balance"):
    page = next(link.href for link in order.links if link.rel == "approve")
    form = urllib.parse.urlencode({"action": "approve", "funding": funding}).encode()
    try:
        urllib.request.build_opener(Stay).open(page, form)
    except urllib.error.HTTPError as redirect:
        assert redirect.code == 303
        return redirect.headers["location"]
    raise AssertionError("the shopper was not sent back")


def captured():
    order = create("CAPTURE")
    approve(order)
    paid = client.orders.capture_order({**WHOLE, "id": order.id}).body
    return paid.purchase_units[0].payments.captures[0]


def fails(status, issue, call, options):
    try:
        call(options)
    except ApiException as error:
        assert error.response_code == status, error.response_code
        assert issue in error.response.text, error.response.text
        return
    raise AssertionError(f"{issue} was expected")


def order_is_approved_on_its_page_and_captured():
    order = create("CAPTURE")
    assert order.status == "CREATED"
    fails(422, "ORDER_NOT_APPROVED", client.orders.capture_order, {"id": order.id})
    assert f"token={order.id}" in approve(order)
    assert client.orders.get_order({"id": order.id}).body.status == "APPROVED"
    paid = client.orders.capture_order({**WHOLE, "id": order.id}).body
    assert paid.status == "COMPLETED"
    capture = paid.purchase_units[0].payments.captures[0]
    assert capture.custom_id == "A-2"
    assert capture.seller_receivable_breakdown.net_amount.value == "18.81"


def pending_capture_cannot_be_refunded():
    order = create("CAPTURE")
    approve(order, "echeck")
    paid = client.orders.capture_order({**WHOLE, "id": order.id}).body
    capture = paid.purchase_units[0].payments.captures[0]
    assert capture.status == "PENDING"
    assert capture.status_details.reason == "ECHECK"
    options = {"capture_id": capture.id, "body": {}}
    fails(422, "PENDING_CAPTURE", client.payments.refund_captured_payment, options)


def authorization_is_captured_in_part_and_closed():
    order = create("AUTHORIZE")
    approve(order)
    held = client.orders.authorize_order({**WHOLE, "id": order.id}).body
    authorization = held.purchase_units[0].payments.authorizations[0]
    assert authorization.status == "CREATED"
    options = {
        **WHOLE,
        "authorization_id": authorization.id,
        "body": {"amount": euros("15.00"), "final_capture": True},
    }
    capture = client.payments.capture_authorized_payment(options).body
    assert capture.final_capture is True
    options = {"authorization_id": authorization.id, "body": {}}
    fails(422, "AUTHORIZATION_ALREADY_CAPTURED", client.payments.capture_authorized_payment, options)


def same_request_id_refunds_once():
    capture = captured()
    options = {
        **WHOLE,
        "capture_id": capture.id,
        "paypal_request_id": str(uuid.uuid4()),
        "body": {"amount": euros("7.00"), "custom_id": "refund-1"},
    }
    first = client.payments.refund_captured_payment(options)
    again = client.payments.refund_captured_payment(options)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.body.id == again.body.id
    assert client.payments.get_refund({"refund_id": first.body.id}).body.custom_id == "refund-1"
    read = client.payments.get_captured_payment({"capture_id": capture.id}).body
    assert read.status == "PARTIALLY_REFUNDED"


def wrong_secret_and_unknown_id_have_their_own_errors():
    fails(404, "INVALID_RESOURCE_ID", client.orders.get_order, {"id": "NONE"})
    try:
        connect("another").orders.get_order({"id": "NONE"})
    except Exception as error:  # the SDK has no type of its own for it
        assert not isinstance(error, AssertionError)
        return
    raise AssertionError("a wrong secret was taken")


for check in [
    order_is_approved_on_its_page_and_captured,
    pending_capture_cannot_be_refunded,
    authorization_is_captured_in_part_and_closed,
    same_request_id_refunds_once,
    wrong_secret_and_unknown_id_have_their_own_errors,
]:
    check()
    print("python  ok  " + check.__name__.replace("_", " "))
