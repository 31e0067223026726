// Drives the hosted pages in a real browser, with scripts and without, and looks at them with axe.
//
//     KIT_BINARY=… KIT_CHROMIUM=… KIT_NODE_MODULES=… KIT_SHOTS=… node test/check/pages.mjs
//
// Exits 1 with the reason at the first thing that is not as it should be. Screenshots lie in KIT_SHOTS.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const modules = createRequire(path.join(process.env.KIT_NODE_MODULES, 'from.js'));
const { default: puppeteer } = await import(pathToFileURL(modules.resolve('puppeteer-core')));
const axe = fs.readFileSync(modules.resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.KIT_SHOTS;
fs.mkdirSync(shots, { recursive: true });

const password = 'Correct-Horse-42';
const newPassword = 'Another-Horse-8-Battery';
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => probe.once('listening', ready));
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  return port;
}

async function eventually(what, condition, limit = 15000) {
  const end = Date.now() + limit;
  for (;;) {
    const result = await condition();
    if (result) return result;
    assert(Date.now() < end, `not within ${limit} ms: ${what}`);
    await sleep(20);
  }
}

// A server of its own, as a first start makes it.
async function startServer() {
  const port = await freePort();
  const base = `http://localhost:${port}`;
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'kit-pages-'));
  const server = spawn(process.env.KIT_BINARY, ['api'], {
    cwd: data,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      DATA_DIR: data,
      HTTP_BIND: '127.0.0.1',
      HTTP_PORT: String(port),
      ADMIN_HTTP_ADDR: 'off',
      OTEL_LOG_LEVEL: 'error',
      MAIL_FROM_NAME: 'Example',
      AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION: 'true',
      AUTH_ABUSE_PROTECTION_ENABLED: 'false',
      API_RATE_LIMIT_PER_MIN: '100000',
      AUTH_RATE_LIMIT_PER_MIN: '100000',
      AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN: '100000',
      RATE_LIMIT_LOGIN_PER_MIN: '100000',
    },
  });
  await eventually('the server answers', async () => {
    assert.equal(server.exitCode, null, 'the server has ended');
    return fetch(`${base}/health/live`).then((answer) => answer.ok, () => false);
  });
  return { base, stop: () => { server.kill('SIGTERM'); fs.rmSync(data, { recursive: true, force: true }); } };
}

const problems = [];

// One browser of one person: a page that reports whatever it asks of other hosts and whatever its policy stops.
async function person(browser, base, { scripts, userAgent, width = 900 }) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width, height: 800, deviceScaleFactor: 1 });
  await page.setJavaScriptEnabled(scripts);
  if (userAgent) await page.setUserAgent({ userAgent });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== base) problems.push(`external request: ${request.url()}`);
  });
  page.on('console', (message) => {
    const expected = message.text().startsWith('Failed to load resource: the server responded with a status of 4');
    if (['error', 'warning'].includes(message.type()) && !expected) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`));
  const at = () => page.url().slice(base.length);
  return {
    context,
    page,
    at,
    open: (target) => page.goto(target.startsWith('http') ? target : base + target, { waitUntil: 'load' }),
    fill: async (fields) => {
      for (const [name, value] of Object.entries(fields)) {
        await page.$eval(`[name="${name}"]`, (input) => { input.value = ''; });
        await page.type(`[name="${name}"]`, value);
      }
    },
    press: async (selector) => {
      await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.click(selector)]);
    },
    text: () => page.$eval('main', (main) => main.innerText),
    close: () => context.close(),
  };
}

// Of both runs: the mails of the first one are still there in the second.
const seen = new Set();

// The newest link of a mail to that page.
async function mailedLink(base, page) {
  return eventually(`a mail with a link to ${page}`, async () => {
    const answer = await fetch(`${base}/_dev/mail`, { headers: { Accept: 'application/json' } });
    const { data } = await answer.json();
    for (const mail of data.items) {
      const link = mail.text.match(/http:\/\/\S+/)?.[0];
      if (link?.startsWith(`${base}${page}?token=`) && !seen.has(link)) {
        seen.add(link);
        return link;
      }
    }
    return null;
  });
}

const looks = [
  { name: 'light', width: 900, scheme: 'light' },
  { name: 'dark', width: 900, scheme: 'dark' },
  { name: 'phone', width: 360, scheme: 'light' },
];

// A picture in each look, and axe's opinion of each where scripts are on, which it is one itself.
async function look(who, name, scripts) {
  const { page } = who;
  const before = page.viewport();
  for (const { name: variant, width, scheme } of scripts ? looks : looks.slice(0, 1)) {
    await page.setViewport({ width, height: 800, deviceScaleFactor: 1 });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    const suffix = scripts ? variant : 'no-script';
    await page.screenshot({ path: path.join(shots, `${name}-${suffix}.png`), fullPage: true });
    if (scripts) {
      // Through the debugger, which the page's policy does not bind.
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => window.axe.run(document));
      assert(passes.length > 10, 'axe has looked');
      for (const { id, help, nodes } of violations) {
        problems.push(`axe, ${name} ${variant}: ${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`);
      }
      checked += 1;
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      if (overflow) problems.push(`${name} ${variant} is wider than its window`);
    }
  }
  await page.setViewport(before);
}
let checked = 0;

async function signIn(who, email, secret) {
  await who.open('/account/sign-in');
  await who.fill({ email, password: secret });
  await who.press('button');
}

async function run(browser, base, scripts) {
  const email = scripts ? 'ada@example.com' : 'bob@example.com';
  const laptop = await person(browser, base, { scripts });
  const phone = await person(browser, base, { scripts, userAgent: iphone, width: 390 });

  await laptop.open('/account');
  assert.equal(laptop.at(), '/account/sign-in');
  await look(laptop, '1-sign-in', scripts);
  await laptop.open('/account/register');
  await look(laptop, '2-register', scripts);
  await laptop.fill({ name: 'Ada Lovelace', email, password: 'too-weak' });
  await laptop.press('button');
  assert.match(await laptop.text(), /This password is too weak/);
  assert.equal(await laptop.page.$eval('[name=email]', (input) => input.value), email);
  assert.equal(await laptop.page.evaluate(() => document.activeElement.name), 'password', 'what is wrong has the focus');
  await look(laptop, '3-register-error', scripts);
  await laptop.fill({ password });
  await laptop.press('button');
  assert.equal(laptop.at(), '/account/verify?note=verify-sent');
  await look(laptop, '4-verify-sent', scripts);

  await signIn(laptop, email, password);
  assert.match(await laptop.text(), /not verified yet/);
  await look(laptop, '5-unverified', scripts);
  await laptop.open(await mailedLink(base, '/account/verify'));
  await look(laptop, '6-verify', scripts);
  await laptop.press('button');
  assert.equal(laptop.at(), '/account/sign-in?note=verified');
  await laptop.fill({ email, password: 'wrong' });
  await laptop.press('button');
  assert.match(await laptop.text(), /is wrong/);
  await look(laptop, '7-sign-in-error', scripts);
  await signIn(laptop, email, password);
  assert.equal(laptop.at(), '/account/devices');

  await signIn(phone, email, password);
  assert.equal(phone.at(), '/account/devices');
  await laptop.open('/account/devices');
  assert.match(await laptop.text(), /Safari on iOS/);
  assert.equal((await laptop.page.$$('.devices > li')).length, 2);
  await look(laptop, '8-devices', scripts);
  const before = Date.now();
  await laptop.press('form[action$="/sign-out"]:not([action="/account/sign-out"]) button');
  assert.equal(laptop.at(), '/account/devices?note=revoked');
  if (scripts) {
    await eventually('the phone reacts by itself', () => phone.at() === '/account/sign-in?note=ended', 5000);
    console.log(`the phone reacted within ${Date.now() - before} ms`);
    await phone.page.waitForSelector('.notice');
  } else {
    assert.equal(phone.at(), '/account/devices', 'nothing happens without scripts');
    await phone.page.reload({ waitUntil: 'load' });
    assert.equal(phone.at(), '/account/sign-in?note=ended');
  }
  assert.match(await phone.text(), /This device was signed out/);
  await look(phone, '9-ended', scripts);

  await phone.open('/account/forgot');
  await look(phone, '10-forgot', scripts);
  await phone.fill({ email });
  await phone.press('button');
  assert.equal(phone.at(), '/account/forgot?note=reset-sent');
  await phone.open(await mailedLink(base, '/account/reset'));
  await look(phone, '11-reset', scripts);
  await phone.fill({ new_password: newPassword });
  await phone.press('button');
  assert.equal(phone.at(), '/account/sign-in?note=password-set', await phone.text());
  await signIn(phone, email, newPassword);
  assert.equal(phone.at(), '/account/devices');
  if (scripts) {
    await eventually('the laptop reacts to the new password', () => laptop.at() === '/account/sign-in?note=ended', 5000);
  }
  await signIn(laptop, email, newPassword);
  await laptop.press('form[action$="/sign-out-others"] button');
  assert.equal(laptop.at(), '/account/devices?note=revoked-others');
  assert.equal((await laptop.page.$$('.devices > li')).length, 1);
  await look(laptop, '12-one-device', scripts);
  await laptop.press('form[action$="/sign-out-all"] button');
  assert.equal(laptop.at(), '/account/sign-in?note=signed-out-all');
  await laptop.open('/account/devices');
  assert.equal(laptop.at(), '/account/sign-in');
  await laptop.close();
  await phone.close();
}

const server = await startServer();
const browser = await puppeteer.launch({
  executablePath: process.env.KIT_CHROMIUM,
  headless: true,
  // A container's root has no sandbox to give.
  args: ['--disable-dev-shm-usage', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
});
try {
  await run(browser, server.base, false);
  await run(browser, server.base, true);
  assert.deepEqual(problems, []);
  console.log(`axe found nothing in ${checked} looks at pages; nothing was asked of another host`);
} finally {
  await browser.close();
  server.stop();
}
