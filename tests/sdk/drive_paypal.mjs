// Drives the simulator with PayPal's official Node SDK. Any mismatch ends it with an error.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';
import zlib from 'node:zlib';

const [port, modules] = process.argv.slice(2);
const base = `http://127.0.0.1:${port}`;
const require = createRequire(modules + '/');
const paypal = require('@paypal/paypal-server-sdk');
const axios = require('axios');
const [clientId, clientSecret] = ['simulated-client-id', 'simulated-client-secret'];
const connect = (secret = clientSecret) => new paypal.Client({
  clientCredentialsAuthCredentials: { oAuthClientId: clientId, oAuthClientSecret: secret },
  environment: paypal.Environment.Sandbox,
  unstable_httpClientOptions: {
    adapter: (c) => axios.getAdapter('http')({ ...c, url: c.url.replace('https://api-m.sandbox.paypal.com', base) }),
  },
});
const client = connect();
const orders = new paypal.OrdersController(client);
const payments = new paypal.PaymentsController(client);
const reports = new paypal.TransactionSearchController(client);
const whole = { prefer: 'return=representation' };
const euros = (value) => ({ currencyCode: 'EUR', value });
const key = () => crypto.randomUUID();

const create = async (intent, value = '20.00', extra = {}) => (await orders.createOrder({
  ...whole, paypalRequestId: key(), ...extra,
  body: {
    intent,
    purchaseUnits: [{ amount: euros(value), customId: 'A-1', description: '<b>Chair</b>' }],
    paymentSource: { paypal: { experienceContext: { returnUrl: 'https://shop.example/done', userAction: 'PAY_NOW' } } },
  },
})).result;
const act = (order, form) => fetch(order.links.find((link) => link.rel === 'payer-action').href, {
  method: 'POST', body: new URLSearchParams(form), redirect: 'manual',
});
const approve = (order, funding = 'balance') => act(order, { action: 'approve', funding });
const captured = async (value = '20.00', funding = 'balance') => {
  const order = await create('CAPTURE', value);
  await approve(order, funding);
  const { result } = await orders.captureOrder({ ...whole, id: order.id });
  return [order, result.purchaseUnits[0].payments.captures[0]];
};
const fails = async (promise, status, issue) => {
  const error = await promise.then(() => assert.fail(`${issue} was expected`), (error) => error);
  assert.equal(error.statusCode, status, error);
  assert.equal(JSON.parse(error.body).details?.[0]?.issue, issue);
};
// The SDK has no webhooks: as a shop would call them by hand.
const byHand = async (method, path, body) => {
  const grant = await fetch(`${base}/v1/oauth2/token`, {
    method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
  });
  const { access_token: token } = await grant.json();
  const response = await fetch(base + path, {
    method, body, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  return response.status === 204 ? undefined : response.json();
};

const checks = {
  async 'an order is approved on its page and captured'() {
    const order = await create('CAPTURE');
    assert.equal(order.status, 'PAYER_ACTION_REQUIRED');
    const page = await (await fetch(order.links.find((link) => link.rel === 'payer-action').href)).text();
    assert.match(page, /Simulation/);
    assert.match(page, /&lt;b&gt;Chair/);
    await fails(orders.captureOrder({ id: order.id }), 422, 'ORDER_NOT_APPROVED');
    const back = (await approve(order)).headers.get('location');
    assert.match(back, new RegExp(`^https://shop.example/done\\?token=${order.id}&PayerID=`));
    assert.equal((await orders.getOrder({ id: order.id })).result.status, 'APPROVED');
    const { result } = await orders.captureOrder({ ...whole, id: order.id });
    const capture = result.purchaseUnits[0].payments.captures[0];
    assert.equal(capture.status, 'COMPLETED');
    assert.equal(capture.customId, 'A-1');
    assert.equal((await payments.getCapturedPayment({ captureId: capture.id })).result.amount.value, '20.00');
    await fails(orders.captureOrder({ id: order.id }), 422, 'ORDER_ALREADY_CAPTURED');
  },
  async 'declines are errors or declined captures'() {
    const order = await create('CAPTURE');
    await approve(order, 'instrument-declined');
    await fails(orders.captureOrder({ id: order.id }), 422, 'INSTRUMENT_DECLINED');
    const [, capture] = await captured('20.00', 'card-insufficient-funds');
    assert.equal(capture.status, 'DECLINED');
    assert.equal(capture.processorResponse.responseCode, '5120');
    const challenged = await create('CAPTURE');
    await approve(challenged, 'challenge');
    assert.match(await (await act(challenged, { action: 'fail' })).text(), /Your bank declined/);
    const mocked = { id: challenged.id, paypalMockResponse: '{"mock_application_codes":"TRANSACTION_REFUSED"}' };
    await fails(orders.captureOrder(mocked), 422, 'TRANSACTION_REFUSED');
  },
  async 'an authorization is captured in parts, voided, not renewed too soon'() {
    const order = await create('AUTHORIZE');
    await approve(order);
    const { result } = await orders.authorizeOrder({ ...whole, id: order.id });
    const held = result.purchaseUnits[0].payments.authorizations[0];
    const authorizationId = held.id;
    assert.equal(held.status, 'CREATED');
    await fails(payments.reauthorizePayment({ authorizationId, body: {} }), 422, 'REAUTHORIZATION_TOO_SOON');
    const part = await payments.captureAuthorizedPayment({ ...whole, authorizationId, body: { amount: euros('5.00') } });
    assert.equal(part.result.supplementaryData.relatedIds.orderId, order.id);
    const read = await payments.getAuthorizedPayment({ authorizationId });
    assert.equal(read.result.status, 'PARTIALLY_CAPTURED');
    const voided = await payments.voidPayment({ ...whole, authorizationId });
    assert.equal(voided.result.status, 'VOIDED');
    await fails(payments.captureAuthorizedPayment({ authorizationId, body: {} }), 422, 'AUTHORIZATION_VOIDED');
  },
  async 'refunds in parts, and the same id once'() {
    const [, capture] = await captured();
    const refund = { ...whole, captureId: capture.id, paypalRequestId: key(), body: { amount: euros('7.00') } };
    const first = await payments.refundCapturedPayment(refund);
    const again = await payments.refundCapturedPayment(refund);
    assert.equal(first.statusCode, 201);
    assert.equal(again.statusCode, 200);
    assert.equal(again.result.id, first.result.id);
    const refunded = await payments.getRefund({ refundId: first.result.id });
    assert.equal(refunded.result.status, 'COMPLETED');
    await fails(payments.refundCapturedPayment({ captureId: capture.id, body: { amount: euros('13.01') } }),
      422, 'REFUND_AMOUNT_EXCEEDED');
    await payments.refundCapturedPayment({ captureId: capture.id, body: {} });
    assert.equal((await payments.getCapturedPayment({ captureId: capture.id })).result.status, 'REFUNDED');
  },
  async 'balances and the search'() {
    await captured();
    const { result } = await reports.searchBalances({ currencyCode: 'EUR' });
    assert.ok(Number(result.balances[0].totalBalance.value) > 0);
    const now = Date.now();
    const found = await reports.searchTransactions({
      startDate: new Date(now - 86400e3).toISOString(), endDate: new Date(now + 60e3).toISOString(),
      fields: 'all', pageSize: 100, page: 1,
    });
    // What happened in the last three hours is not reported yet.
    assert.equal(found.result.totalItems, 0);
  },
  async 'a wrong secret and an unknown id have their own errors'() {
    const wrong = new paypal.OrdersController(connect('another'));
    const error = await wrong.getOrder({ id: 'NONE' }).then(() => assert.fail(), (error) => error);
    assert.match(`${error.statusCode} ${error.body} ${error.message}`, /401|invalid_client|not authorized|token/i);
    await fails(orders.getOrder({ id: 'NONE' }), 404, 'INVALID_RESOURCE_ID');
  },
  async 'a delivered webhook is signed by the certificate that it names'() {
    let receive;
    const received = new Promise((resolve) => { receive = resolve; });
    const server = http.createServer((request, response) => {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        response.writeHead(200, { connection: 'close' }).end();
        server.close();
        receive([Buffer.concat(chunks), request.headers]);
      });
    });
    await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
    const webhook = await byHand('POST', '/v1/notifications/webhooks', JSON.stringify({
      url: `http://127.0.0.1:${server.address().port}/hook`,
      event_types: [{ name: 'PAYMENT.CAPTURE.COMPLETED' }],
    }));
    const [, capture] = await captured();
    const [body, headers] = await received;
    assert.equal(JSON.parse(body).resource.id, capture.id);
    const [id, time] = [headers['paypal-transmission-id'], headers['paypal-transmission-time']];
    const signed = `${id}|${time}|${webhook.id}|${zlib.crc32 ? zlib.crc32(body) : crc32(body)}`;
    const pem = await (await fetch(headers['paypal-cert-url'])).text();
    const [leaf, issuer] = pem.match(/-----BEGIN[\s\S]+?END CERTIFICATE-----/g)
      .map((one) => new crypto.X509Certificate(one));
    assert.ok(leaf.verify(issuer.publicKey));
    assert.match(leaf.subjectAltName, /messageverificationcerts\.sandbox\.paypal\.com/);
    const signature = Buffer.from(headers['paypal-transmission-sig'], 'base64');
    assert.ok(crypto.verify('RSA-SHA256', signed, leaf.publicKey, signature));
    assert.ok(!crypto.verify('RSA-SHA256', `${signed}0`, leaf.publicKey, signature));
    const verdict = await byHand('POST', '/v1/notifications/verify-webhook-signature', `{
      "auth_algo": "${headers['paypal-auth-algo']}", "cert_url": "${headers['paypal-cert-url']}",
      "transmission_id": "${id}", "transmission_time": "${time}", "webhook_id": "${webhook.id}",
      "transmission_sig": "${headers['paypal-transmission-sig']}", "webhook_event": ${body}}`);
    assert.equal(verdict.verification_status, 'SUCCESS');
    await byHand('DELETE', `/v1/notifications/webhooks/${webhook.id}`);
  },
};

// Node before 22 has no CRC-32.
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`node    ok  ${name}`);
}
