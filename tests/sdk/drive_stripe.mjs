// Drives the simulator with Stripe's official Node SDK. Any mismatch ends it with an error.
import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';

const [port, modules] = process.argv.slice(2);
const Stripe = createRequire(modules + '/')('stripe');
const stripe = new Stripe('sk_test_driver', {
  host: '127.0.0.1', port: Number(port), protocol: 'http', maxNetworkRetries: 0, telemetry: false,
});
const headless = { enabled: true, allow_redirects: 'never' };
const pay = (amount, method, extra = {}, options = {}) => stripe.paymentIntents.create({
  amount, currency: 'eur', payment_method: method, confirm: true,
  automatic_payment_methods: headless, ...extra,
}, options);
const fails = async (promise, type, code) => {
  const error = await promise.then(() => assert.fail(`${code} was expected`), (error) => error);
  assert.equal(error.type, type);
  assert.equal(error.code, code);
  return error;
};

const checks = {
  async 'create, confirm, retrieve, update'() {
    const made = await stripe.paymentIntents.create({
      amount: 1999, currency: 'eur', automatic_payment_methods: headless,
      metadata: { order: 'A-1', 'with space & sign': 'é=1' },
    });
    assert.equal(made.status, 'requires_payment_method');
    const paid = await stripe.paymentIntents.confirm(made.id, {
      payment_method: 'pm_card_visa', expand: ['latest_charge.payment_intent'],
    });
    assert.equal(paid.status, 'succeeded');
    assert.equal(paid.latest_charge.payment_intent.id, made.id);
    assert.equal(paid.metadata['with space & sign'], 'é=1');
    const updated = await stripe.paymentIntents.update(made.id, { metadata: { order: '' } });
    assert.equal('order' in updated.metadata, false);
    assert.equal((await stripe.paymentIntents.retrieve(made.id)).amount_received, 1999);
  },
  async 'a decline is a card error with the intent inside'() {
    const error = await fails(pay(500, 'pm_card_visa_chargeDeclinedInsufficientFunds'),
      'StripeCardError', 'card_declined');
    assert.equal(error.statusCode, 402);
    assert.equal(error.decline_code, 'insufficient_funds');
    assert.equal(error.payment_intent.status, 'requires_payment_method');
    assert.match(error.requestId, /^req_/);
  },
  async 'capture a part, cancel, refund'() {
    const held = await pay(1000, 'pm_card_visa', { capture_method: 'manual' });
    assert.equal(held.status, 'requires_capture');
    const captured = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 600 });
    assert.equal(captured.amount_received, 600);
    const refund = await stripe.refunds.create({ payment_intent: held.id, amount: 100 });
    assert.equal(refund.status, 'succeeded');
    await fails(stripe.refunds.create({ payment_intent: held.id, amount: 501 }),
      'StripeInvalidRequestError', 'amount_too_large');
    const other = await pay(1000, 'pm_card_visa', { capture_method: 'manual' });
    const canceled = await stripe.paymentIntents.cancel(other.id, { cancellation_reason: 'duplicate' });
    assert.equal(canceled.status, 'canceled');
    await fails(stripe.paymentIntents.capture(other.id),
      'StripeInvalidRequestError', 'payment_intent_unexpected_state');
  },
  async 'list and page by itself'() {
    const customer = await stripe.customers.create({ email: 'a@example.com' });
    const made = [];
    for (let n = 0; n < 7; n += 1) {
      const intent = await stripe.paymentIntents.create({
        amount: 100 + n, currency: 'usd', customer: customer.id,
      });
      made.unshift(intent.id);
    }
    const seen = [];
    for await (const intent of stripe.paymentIntents.list({ customer: customer.id, limit: 3 })) {
      seen.push(intent.id);
    }
    assert.deepEqual(seen, made);
    const page = await stripe.paymentIntents.list({ customer: customer.id, limit: 3, ending_before: made[6] });
    assert.deepEqual(page.data.map((intent) => intent.id), made.slice(3, 6));
  },
  async 'the same key gives the same payment'() {
    const options = { idempotencyKey: `node-${Math.random()}` };
    const first = await pay(700, 'pm_card_visa', {}, options);
    const again = await pay(700, 'pm_card_visa', {}, options);
    assert.equal(again.id, first.id);
    assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
    await fails(pay(701, 'pm_card_visa', {}, options), 'StripeIdempotencyError', undefined);
  },
  async 'wrong keys and unknown ids have their own errors'() {
    const live = new Stripe('sk_live_driver', { host: '127.0.0.1', port: Number(port), protocol: 'http', maxNetworkRetries: 0 });
    await fails(live.balance.retrieve(), 'StripeAuthenticationError', undefined);
    await fails(stripe.paymentIntents.retrieve('pi_none'), 'StripeInvalidRequestError', 'resource_missing');
    assert.equal((await stripe.balance.retrieve()).livemode, false);
    assert.match((await stripe.accounts.retrieveCurrent()).id, /^acct_/);
  },
  async 'a checkout session is paid on its page'() {
    const session = await stripe.checkout.sessions.create({
      mode: 'payment', success_url: 'https://shop.example/{CHECKOUT_SESSION_ID}',
      client_reference_id: 'order-9', payment_intent_data: { metadata: { order: 'order-9' } },
      line_items: [{ quantity: 1, price_data: { currency: 'eur', unit_amount: 2500, product_data: { name: '<b>Chair</b>' } } }],
    });
    const page = await (await fetch(session.url)).text();
    assert.match(page, /Simulation/);
    assert.match(page, /&lt;b&gt;Chair/);
    const submit = (method) => fetch(session.url, {
      method: 'POST', body: new URLSearchParams({ method }), redirect: 'manual',
    });
    assert.match(await (await submit('pm_card_visa_chargeDeclined')).text(), /declined/);
    const challenge = (await submit('pm_card_authenticationRequired')).headers.get('location');
    const passed = await fetch(challenge, { method: 'POST', body: 'answer=pass', redirect: 'manual' });
    assert.equal(passed.headers.get('location'), `https://shop.example/${session.id}`);
    const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ['payment_intent'] });
    assert.equal(done.payment_status, 'paid');
    assert.equal(done.payment_intent.metadata.order, 'order-9');
  },
  async 'a delivered webhook passes constructEvent'() {
    let receive;
    const received = new Promise((resolve) => { receive = resolve; });
    const server = http.createServer((request, response) => {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        response.writeHead(200, { connection: 'close' }).end();
        server.close();
        receive([Buffer.concat(chunks), request.headers['stripe-signature']]);
      });
    });
    await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
    const endpoint = await stripe.webhookEndpoints.create({
      url: `http://127.0.0.1:${server.address().port}/hook`,
      enabled_events: ['payment_intent.succeeded'],
    });
    await pay(1234, 'pm_card_visa');
    const [body, signature] = await received;
    const event = stripe.webhooks.constructEvent(body, signature, endpoint.secret);
    assert.equal(event.type, 'payment_intent.succeeded');
    assert.equal(event.data.object.amount, 1234);
    assert.equal((await stripe.events.retrieve(event.id)).id, event.id);
    assert.throws(() => stripe.webhooks.constructEvent(body, signature, 'whsec_other'));
    assert.equal((await stripe.webhookEndpoints.del(endpoint.id)).deleted, true);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`node    ok  ${name}`);
}
