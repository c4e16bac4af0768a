// Shoppers and staff in a real browser: pay, decline, challenge, abandon, refund.
//   node shop.mjs URL CHROMIUM FOLDER_FOR_PICTURES
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [url, executablePath, pictures] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
const context = await browser.newContext({ viewport: { width: 390, height: 800 } });
context.setDefaultTimeout(20_000);
const page = await context.newPage();

const state = async (text) => {
  await page.locator("#state", { hasText: new RegExp(`^${text}$`) }).waitFor();
};

// On a phone nothing sticks out to the side.
const fits = async (name) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px too wide for a phone`);
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
};

const buy = async (good) => {
  await page.goto(url);
  await page.locator("form.good", { hasText: good }).getByRole("button", { name: "Buy" }).click();
  await page.getByRole("button", { name: /^Pay / }).waitFor();
};

const payWith = async (method) => {
  await page.locator(`input[value="${method}"]`).check();
  await page.getByRole("button", { name: /^Pay / }).click();
};

const orderNumber = async () => (await page.locator("h1").innerText()).replace("Order ", "");

console.log("a shopper pays, and the order turns paid by itself");
await page.goto(url);
await fits("front");
await buy("honey");
await payWith("pm_card_visa");
await state("Paid");
await fits("paid");
const paid = await orderNumber();

console.log("a decline says so, thanks nobody, and the next try pays");
await buy("blanket");
await payWith("pm_card_visa_chargeDeclinedInsufficientFunds");
await page.getByText(/declined|refused|not/i).first().waitFor();
const declined = "A-1002";
await page.goto(`${url}/orders/${declined}`);
await state("Not paid");
assert.doesNotMatch(await page.locator("main").innerText(), /thank/i);
await fits("declined");
await page.locator("#pay").click();
await payWith("pm_card_visa");
await state("Paid");

console.log("a challenge is passed");
await buy("chair");
await payWith("pm_card_authenticationRequired");
await page.getByRole("button", { name: "Yes, confirm" }).click();
await state("Paid");

console.log("a challenge is failed");
await buy("chair");
await payWith("pm_card_authenticationRequired");
await page.getByRole("button", { name: /No, this fails/ }).click();
await page.goto(`${url}/orders/A-1004`);
await state("Not paid");

console.log("a shopper walks away");
await buy("honey");
await page.goto(`${url}/orders/A-1005`);
await state("Not paid yet");
assert.doesNotMatch(await page.locator("main").innerText(), /thank/i);

console.log("a page that was opened before turns paid while it is looked at");
const watching = await context.newPage();
await watching.goto(`${url}/orders/A-1005`);
await page.locator("#pay").click();
await payWith("pm_card_visa");
await watching.locator("#state", { hasText: /^Paid$/ }).waitFor();
await watching.close();

console.log("staff refund a part, and no more than is left");
await page.goto(`${url}/staff`);
await fits("staff");
const refund = async (amount) => {
  const row = page.locator(`tbody[id="${paid}"]`);
  await row.getByLabel("Amount").fill(amount);
  await row.getByRole("button", { name: "Refund" }).click();
};
await refund("3.00");
await page.goto(`${url}/orders/${paid}`);
await state("Partly refunded");
assert.match(await page.locator("main").innerText(), /5\.50 EUR/);
await page.goto(`${url}/staff`);
await refund("9.99");
await page.getByText(/5\.50 EUR is left/).waitFor();
await page.goto(`${url}/staff`);
await refund("5.50");
await page.goto(`${url}/orders/${paid}`);
await state("Refunded");

console.log("a dispute needs a person");
await buy("honey");
await payWith("pm_card_createDispute");
await page.goto(`${url}/staff`);
for (let tries = 0; !(await page.getByText(/is disputed/).count()); tries += 1) {
  assert.ok(tries < 40, "the dispute never reached the staff page");
  await page.reload();
}
await fits("staff_dispute");
await page.getByRole("link", { name: "A-1006" }).click();
await state("Disputed");

console.log("an order that is not there is a plain 404");
const missing = await page.goto(`${url}/orders/A-9`);
assert.equal(missing.status(), 404);

await browser.close();
console.log("every page did as it should");
