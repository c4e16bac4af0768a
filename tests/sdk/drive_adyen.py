"""Drives the simulator with Adyen's official Python SDK. Any mismatch ends it with an error."""

import json
import queue
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import Adyen
from Adyen.util import is_valid_hmac_notification, is_valid_hmac_payload

BASE = f"http://127.0.0.1:{sys.argv[1]}"
MERCHANT = "CounterfoilTest"


def sdk(key):
    adyen = Adyen.Adyen(xapikey=key, platform="test")
    adyen.client._determine_api_url = lambda platform, endpoint: endpoint.replace(
        "https://checkout-test.adyen.com", BASE
    ).replace("https://management-test.adyen.com", BASE)
    return adyen


adyen = sdk("simulator")
payments = adyen.checkout.payments_api
modifications = adyen.checkout.modifications_api
webhooks = adyen.management.webhooks_merchant_level_api


def order(value, **extra):
    return {
        "merchantAccount": MERCHANT,
        "amount": {"currency": "EUR", "value": value},
        "reference": "order-9",
        "returnUrl": "https://shop.example/back",
        **extra,
    }


def card(holder="A. Shopper"):
    return {"type": "scheme", "holderName": holder, "encryptedCardNumber": "test_4111111111111111"}


def pay(api=payments, key=None, **extra):
    return api.payments(order(2000, **{"paymentMethod": card(), **extra}), idempotency_key=key).message


def fails(error_type, code, call, *arguments):
    try:
        call(*arguments)
    except error_type as error:
        assert error.error_code == code, error.error_code
        return
    raise AssertionError(f"{error_type.__name__} was expected")


received = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        received.put((self.rfile.read(int(self.headers["content-length"])), self.headers))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[accepted]")

    def log_message(self, *_):
        pass


receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()


def subscribe(kind):
    made = webhooks.set_up_webhook(
        {"type": kind, "url": f"http://127.0.0.1:{receiver.server_port}/", "active": True,
         "communicationFormat": "json"}, MERCHANT).message
    return made["id"], webhooks.generate_hmac_key(MERCHANT, made["id"]).message["hmacKey"]


def notice_of(psp):
    while True:
        notice = json.loads(received.get(timeout=20)[0])
        item = notice["notificationItems"][0]["NotificationRequestItem"]
        if item["pspReference"] == psp:
            return notice, item


_, HMAC_KEY = subscribe("standard")


def a_card_pays_and_its_notice_is_authentic():
    paid = pay()
    assert paid["resultCode"] == "Authorised"
    notice, item = notice_of(paid["pspReference"])
    assert is_valid_hmac_notification(notice, HMAC_KEY)
    item["amount"]["value"] += 1
    assert not is_valid_hmac_notification(notice, HMAC_KEY)


def a_refusal_is_an_answer():
    refused = pay(paymentMethod=card("CARD_EXPIRED"))
    assert (refused["resultCode"], refused["refusalReasonCode"]) == ("Refused", "6")


def links_and_sessions_are_made():
    links = adyen.checkout.payment_links_api
    link = links.payment_links(order(2500)).message
    assert links.get_payment_link(link["id"]).message["status"] == "active"
    closed = links.update_payment_link({"status": "expired"}, link["id"]).message
    assert closed["status"] == "expired"
    assert payments.sessions(order(2500)).message["sessionData"]


def modifications_are_received_and_told_later():
    held = pay(additionalData={"manualCapture": "true"})["pspReference"]
    amount = {"currency": "EUR", "value": 1500}
    request = {"merchantAccount": MERCHANT, "amount": amount}
    capture = modifications.capture_authorised_payment(request, held)
    assert capture.status_code == 201
    assert capture.message["status"] == "received"
    notice, item = notice_of(capture.message["pspReference"])
    assert (item["eventCode"], item["originalReference"]) == ("CAPTURE", held)
    assert is_valid_hmac_notification(notice, HMAC_KEY)
    for success in ["true", "false"]:
        refund = modifications.refund_captured_payment(request, held).message
        assert notice_of(refund["pspReference"])[1]["success"] == success
    fails(Adyen.AdyenAPIUnprocessableEntity, "167", modifications.refund_or_cancel_payment,
          {"merchantAccount": MERCHANT}, "NONE")


def the_same_key_gives_the_same_payment():
    key = f"python-{uuid.uuid4()}"
    assert pay(key=key)["pspReference"] == pay(key=key)["pspReference"]


def wrong_keys_and_accounts_have_their_own_errors():
    fails(Adyen.AdyenAPIAuthenticationError, "000", pay, sdk("live_client_key").checkout.payments_api)
    fails(Adyen.AdyenAPIInvalidPermission, "901", payments.payments,
          {**order(1), "merchantAccount": "SomeoneElse"})


def the_management_api_tells_who_one_is_and_tests_webhooks():
    me = adyen.management.my_api_credential_api.get_api_credential_details().message
    assert me["clientKey"].startswith("test_")
    hook, key = subscribe("merchant-notification")
    tested = webhooks.test_webhook({"types": ["CUSTOM"]}, MERCHANT, hook).message
    assert tested["data"][0]["status"] == "success"
    while True:
        body, headers = received.get(timeout=20)
        if "hmacsignature" in headers:
            break
    assert is_valid_hmac_payload(headers["hmacsignature"], key, body)
    assert not is_valid_hmac_payload(headers["hmacsignature"], key, body + b" ")


for check in [
    a_card_pays_and_its_notice_is_authentic,
    a_refusal_is_an_answer,
    links_and_sessions_are_made,
    modifications_are_received_and_told_later,
    the_same_key_gives_the_same_payment,
    wrong_keys_and_accounts_have_their_own_errors,
    the_management_api_tells_who_one_is_and_tests_webhooks,
]:
    check()
    print("python  ok  " + check.__name__.replace("_", " "))
receiver.shutdown()
