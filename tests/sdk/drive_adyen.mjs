// Drives the simulator with Adyen's official Node SDK. Any mismatch ends it with an error.
import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';

const [port, modules] = process.argv.slice(2);
const require = createRequire(modules + '/');
const { Client, CheckoutAPI, ManagementAPI, hmacValidator } = require('@adyen/api-library');
const { default: HttpClient } = require('@adyen/api-library/lib/src/httpClient/httpURLConnectionClient');
const base = `http://127.0.0.1:${port}`;

// The SDK's own client speaks TLS only; this one differs in nothing else.
class Loopback extends HttpClient {
  createRequest(endpoint, options) {
    const url = new URL(endpoint);
    const query = options.params ? `?${new URLSearchParams(options.params)}` : '';
    const headers = { ...options.headers };
    if (options.idempotencyKey) headers['Idempotency-Key'] = options.idempotencyKey;
    return http.request({
      hostname: url.hostname, port: url.port, path: url.pathname + query, method: options.method, headers,
    });
  }
}
const client = (apiKey) => new Client({ apiKey, environment: 'TEST' }, new Loopback());
const at = (api, path) => { api.baseUrl = base + path; return api; };
const paymentsOf = (apiKey) => at(new CheckoutAPI(client(apiKey)).PaymentsApi, '/v72');
const payments = paymentsOf('simulator');
const links = at(new CheckoutAPI(client('simulator')).PaymentLinksApi, '/v72');
const modifications = at(new CheckoutAPI(client('simulator')).ModificationsApi, '/v72');
const management = new ManagementAPI(client('simulator'));
const merchantAccount = 'CounterfoilTest';
const order = (value, extra = {}) => ({
  merchantAccount, amount: { currency: 'EUR', value }, reference: 'order-9',
  returnUrl: 'https://shop.example/back', ...extra,
});
const card = (holderName = 'A. Shopper', number = '4111111111111111') => ({
  type: 'scheme', holderName, encryptedCardNumber: `test_${number}`, encryptedExpiryMonth: 'test_03',
  encryptedExpiryYear: 'test_2030', encryptedSecurityCode: 'test_737',
});
const pay = (extra = {}, options = {}) => (
  payments.payments(order(2000, { paymentMethod: card(), ...extra }), options)
);
const fails = async (promise, status, code) => {
  const error = await promise.then(() => assert.fail(`${code} was expected`), (error) => error);
  assert.equal(error.statusCode, status);
  assert.equal(error.errorCode, code);
};
// What a browser does on a page.
const submit = async (url, form) => {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
  return [answer.headers.get('location'), await answer.text()];
};

const received = [];
let wake = () => {};
const receiver = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(200, { connection: 'close' }).end('[accepted]');
    received.push([Buffer.concat(chunks).toString(), request.headers]);
    wake();
  });
});
await new Promise((listening) => { receiver.listen(0, '127.0.0.1', listening); });
const webhooks = at(management.WebhooksMerchantLevelApi, '/v3');
const subscribe = async (type) => {
  const made = await webhooks.setUpWebhook(merchantAccount, {
    type, url: `http://127.0.0.1:${receiver.address().port}/hook`, active: true, communicationFormat: 'json',
  });
  const { hmacKey } = await webhooks.generateHmacKey(merchantAccount, made.id);
  return [made.id, hmacKey];
};
// The next notice that fits.
const notice = async (fits) => {
  for (;;) {
    const index = received.findIndex(([body]) => fits(JSON.parse(body)));
    if (index >= 0) return received.splice(index, 1)[0];
    await new Promise((woken) => { wake = woken; });
  }
};
const itemOf = async (psp) => {
  const [body] = await notice((said) => said.notificationItems?.[0].NotificationRequestItem.pspReference === psp);
  return JSON.parse(body).notificationItems[0].NotificationRequestItem;
};
const [, hmacKey] = await subscribe('standard');

const checks = {
  async 'a card pays, and its notice is authentic'() {
    const paid = await pay();
    assert.equal(paid.resultCode, 'Authorised');
    const item = await itemOf(paid.pspReference);
    assert.equal(item.eventCode, 'AUTHORISATION');
    assert.equal(new hmacValidator().validateHMAC(item, hmacKey), true);
    assert.equal(new hmacValidator().validateHMAC({ ...item, success: 'false' }, hmacKey), false);
    assert.equal(new hmacValidator().validateHMAC(item, '00'.repeat(32)), false);
  },
  async 'a refusal is an answer'() {
    const refused = await pay({ paymentMethod: card('NOT_ENOUGH_BALANCE') });
    assert.equal(refused.resultCode, 'Refused');
    assert.equal(refused.refusalReasonCode, '12');
  },
  async 'a challenge is settled by the details'() {
    const sent = await pay({ paymentMethod: card('A. Shopper', '4917610000000000') });
    assert.equal(sent.resultCode, 'RedirectShopper');
    const [back] = await submit(sent.action.url, { answer: 'pass' });
    const redirectResult = new URL(back).searchParams.get('redirectResult');
    const done = await payments.paymentsDetails({ details: { redirectResult } });
    assert.equal(done.resultCode, 'Authorised');
    assert.equal(done.pspReference, sent.pspReference);
  },
  async 'a link is paid on its page'() {
    const link = await links.paymentLinks(order(2500, { reference: '<b>7</b>' }));
    assert.equal(link.status, 'active');
    assert.match(await (await fetch(link.url)).text(), /&lt;b&gt;7/);
    const [, refused] = await submit(link.url, { method: 'visa:DECLINED' });
    assert.match(refused, /Refused \(2\)/);
    const [back] = await submit(link.url, { method: 'mc' });
    assert.equal(back, 'https://shop.example/back');
    assert.equal((await links.getPaymentLink(link.id)).status, 'completed');
    const other = await links.paymentLinks(order(100));
    assert.equal((await links.updatePaymentLink(other.id, { status: 'expired' })).status, 'expired');
  },
  async 'a session gives its result'() {
    const session = await payments.sessions(order(2500, { mode: 'hosted' }));
    const [back] = await submit(session.url, { method: 'visa' });
    const sessionResult = new URL(back).searchParams.get('sessionResult');
    const result = await payments.getResultOfPaymentSession(session.id, sessionResult);
    assert.equal(result.status, 'completed');
    assert.equal(result.payments[0].amount.value, 2500);
  },
  async 'modifications are received, and told later'() {
    const api = modifications;
    const held = await pay({ additionalData: { manualCapture: 'true' } });
    const amount = { currency: 'EUR', value: 1500 };
    const capture = await api.captureAuthorisedPayment(held.pspReference, { merchantAccount, amount });
    assert.equal(capture.status, 'received');
    assert.equal(capture.paymentPspReference, held.pspReference);
    const captured = await itemOf(capture.pspReference);
    assert.deepEqual([captured.eventCode, captured.success], ['CAPTURE', 'true']);
    const request = { merchantAccount, amount, reference: 'refund-1' };
    for (const success of ['true', 'false']) {
      const refund = await api.refundCapturedPayment(held.pspReference, request);
      const item = await itemOf(refund.pspReference);
      assert.deepEqual([item.eventCode, item.success], ['REFUND', success]);
      assert.equal(item.originalReference, held.pspReference);
      assert.equal(new hmacValidator().validateHMAC(item, hmacKey), true);
    }
    const other = await pay({ additionalData: { manualCapture: 'true' } });
    const cancel = await api.cancelAuthorisedPaymentByPspReference(other.pspReference, { merchantAccount });
    assert.equal((await itemOf(cancel.pspReference)).success, 'true');
    await fails(api.refundOrCancelPayment('NONE', { merchantAccount }), 422, '167');
  },
  async 'the same key gives the same payment'() {
    const options = { idempotencyKey: `node-${Math.random()}` };
    const first = await pay({}, { ...options });
    assert.equal((await pay({}, { ...options })).pspReference, first.pspReference);
  },
  async 'wrong keys and accounts have their own errors'() {
    await fails(paymentsOf('live_client_key').payments(order(1)), 401, '000');
    await fails(pay({ merchantAccount: 'SomeoneElse' }), 403, '901');
    await fails(pay({ amount: { currency: 'EUR', value: -1 } }), 422, '137');
  },
  async 'the Management API tells who one is, and tests webhooks'() {
    const me = await at(management.MyAPICredentialApi, '/v3').getApiCredentialDetails();
    assert.match(me.clientKey, /^test_/);
    const merchants = await at(management.AccountMerchantLevelApi, '/v3').listMerchantAccounts();
    assert.equal(merchants.data[0].id, merchantAccount);
    const [id, key] = await subscribe('merchant-notification');
    const output = await webhooks.testWebhook(merchantAccount, id, { types: ['CUSTOM'] });
    assert.equal(output.data[0].status, 'success');
    const [body, headers] = await notice((said) => said.environment === 'test');
    assert.equal(new hmacValidator().validateHMACSignature(key, headers.hmacsignature, body), true);
    assert.equal(new hmacValidator().validateHMACSignature(key, headers.hmacsignature, body + ' '), false);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`node    ok  ${name}`);
}
receiver.close();
