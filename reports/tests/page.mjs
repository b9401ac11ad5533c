// Looks at a report page in headless Chromium. Usage: node page.mjs FOLDER [SCREENSHOT-FOLDER]
//
// FOLDER holds index.html and the results.json that it was made from, and may hold code.html with its
// code.json, profile.html, history.html, site.html, and other reports, standard.html and jobs.html. Checked at 360 and 1280 px, in
// light and dark: no console errors, no network requests, no overlapping or cut-off text, the page
// itself does not scroll sideways, no name is broken within a word, ratios and verdicts are in sight; and
// once: the numbers in the gap tables are those of the JSON, few elements are made before anybody looks,
// choosing, sorting and filtering (each table on its own) and searching work and are kept in the hash,
// links open what they point to. Exits 1 with a line per problem.
// `playwright-core` is found through NODE_PATH, Chromium through CHROMIUM.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { check_history } from './history.mjs';

const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');
const [folder, shots] = process.argv.slice(2);
const url_of = (name) => pathToFileURL(resolve(folder, name)).href;
const page_url = url_of('index.html');
const others = ['code.html', 'profile.html', 'history.html', 'site.html'].filter((file) => existsSync(join(folder, file)));
const results = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'));
const problems = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});

// Runs in the page: the rectangles of visible text, clipped by their scrolling ancestors.
const overlaps = () => {
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest('script, style, select, svg title')) continue;
    if (!parent.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rects = parent.closest('svg') ? [parent.getBoundingClientRect()] : [...range.getClientRects()];
    for (const r of rects) {
      let [left, right, top, bottom] = [r.left, r.right, r.top, r.bottom];
      for (let up = parent; up; up = up.parentElement) {
        if (!up.matches('.scroll, .clip')) continue;
        const c = up.getBoundingClientRect();
        [left, right] = [Math.max(left, c.left), Math.min(right, c.right)];
        [top, bottom] = [Math.max(top, c.top), Math.min(bottom, c.bottom)];
      }
      const svg = parent.closest('svg');
      if (svg) {
        const s = svg.getBoundingClientRect();
        if (r.left < s.left - 1 || r.right > s.right + 1 || r.top < s.top - 2 || r.bottom > s.bottom + 2) {
          boxes.push({ text: node.textContent.trim(), cut: true });
        }
      }
      if (right - left > 1 && bottom - top > 1) {
        boxes.push({ left, right, top, bottom, node, text: node.textContent.trim() });
      }
    }
  }
  const found = boxes.filter((b) => b.cut).map((b) => `cut off: "${b.text}"`);
  const whole = boxes.filter((b) => !b.cut).sort((a, b) => a.top - b.top);
  for (let i = 0; i < whole.length; i++) {
    const a = whole[i];
    for (let j = i + 1; j < whole.length && whole[j].top < a.bottom; j++) {
      const b = whole[j];
      if (a.node === b.node) continue;
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // Line boxes of neighbouring lines touch by a few pixels without any ink meeting.
      const least = Math.min(a.bottom - a.top, b.bottom - b.top);
      if (wide > 2 && high > 0.3 * least) found.push(`overlap: "${a.text}" and "${b.text}"`);
    }
  }
  return found.slice(0, 10);
};

// Runs in the page: names that are broken within a word, and rows whose ratio or verdict is cut off.
const narrow = () => {
  const found = [];
  for (const cell of document.querySelectorAll('td.name')) {
    if (!cell.checkVisibility()) continue;
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      for (const { 0: word, index } of node.textContent.matchAll(/[A-Za-z0-9]+/g)) {
        const range = document.createRange();
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        if (range.getClientRects().length > 1) found.push(`"${node.textContent}" is broken in "${word}"`);
      }
    }
  }
  for (const row of document.querySelectorAll('table.gaps tbody tr, #answer tbody tr')) {
    const end = row.closest('.scroll').getBoundingClientRect().right;
    if (row.cells[2].getBoundingClientRect().right > end + 1) found.push(`cut off: ${row.cells[2].textContent}`);
  }
  return found.slice(0, 10);
};

const looks = ['index.html', ...others].flatMap((file) =>
  [360, 1280].flatMap((width) => ['light', 'dark'].map((colorScheme) => ({ file, width, colorScheme }))),
);
for (const { file, width, colorScheme } of looks) {
  const name = `${file === 'index.html' ? '' : file.replace('.html', '-')}${width}-${colorScheme}`;
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  page.on('console', (m) => m.type() === 'error' && problems.push(`${name}: console: ${m.text()}`));
  page.on('pageerror', (e) => problems.push(`${name}: ${e}`));
  page.on('request', (r) => {
    if (r.url() !== url_of(file) && !r.url().startsWith('data:')) problems.push(`${name}: request ${r.url()}`);
  });
  await page.goto(url_of(file));
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  for (const text of await page.evaluate(narrow)) problems.push(`${name}: ${text}`);
  for (const open of [false, true]) {
    await page.evaluate((o) => document.querySelectorAll('details').forEach((d) => (d.open = o)), open);
    // Cards are filled when they say that they are open, which is after this.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
    for (const text of await page.evaluate(overlaps)) problems.push(`${name}: ${text}`);
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (sideways > 0) problems.push(`${name}: the page is ${sideways} px too wide`);
  }
  if (shots) await page.screenshot({ path: join(shots, `${name}-open.png`), fullPage: true });
  await context.close();
}

// The numbers are those of the JSON, whichever view is chosen.
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.goto(page_url);
const elements = await page.evaluate(() => document.querySelectorAll('*').length);
const shown = await page.evaluate(() => {
  const selects = [...document.querySelectorAll('.controls select')];
  const rows = [];
  const choose = (at, chosen) => {
    if (at < selects.length) {
      for (const { value } of selects[at].options) {
        selects[at].value = value;
        selects[at].dispatchEvent(new Event('change'));
        choose(at + 1, { ...chosen, [selects[at].name]: value });
      }
      return;
    }
    for (const row of document.querySelectorAll('table.gaps tbody:last-child tr')) {
      const [workload, ratio, verdict, , interval, n, category] = row.cells;
      rows.push({
        ...chosen,
        workload: workload.querySelector('a').textContent,
        category: category.textContent,
        exact: ratio.dataset.v,
        ratio: ratio.textContent,
        interval: interval.textContent,
        n: n.textContent,
        verdict: verdict.className,
        words: verdict.textContent,
      });
    }
  };
  if (selects.length) choose(0, {});
  return rows;
});
if (elements > 10000) problems.push(`${elements} elements before anybody looks`);
for (const { words } of shown) {
  if (/equal|small/.test(words)) problems.push(`a verdict that sounds like a size: ${words}`);
}
const rounded = (v) => (v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2));
// JavaScript and Rust may round a tie apart; nothing else may differ.
const same = (text, v) => Math.abs(Number(text) - v) <= (v >= 99.95 ? 0.51 : v >= 9.995 ? 0.051 : 0.0051);
if (shown.length !== results.gaps.length) {
  problems.push(`${shown.length} rows on the page, ${results.gaps.length} in the JSON`);
}
for (const gap of results.gaps) {
  const row = shown.find((r) => ['metric', 'tier', 'peer', 'workload'].every((k) => r[k] === gap[k]));
  const where = `${gap.metric} ${gap.tier} ${gap.peer} ${gap.workload}`;
  if (!row) {
    problems.push(`no row for ${where}`);
    continue;
  }
  const ends = row.interval.slice(1, -1).split(', ');
  const end = (text, v) => (v === null ? text === '…' : same(text, v));
  const equal =
    Math.abs(Number(row.exact) / gap.ratio - 1) < 1e-4 && same(row.ratio.slice(0, -1), gap.ratio) &&
    end(ends[0], gap.lo) && end(ends[1], gap.hi) &&
    Number(row.n) === gap.n && row.verdict === gap.verdict && row.category === gap.category;
  if (!equal) problems.push(`${where}: page ${JSON.stringify(row)}, JSON ${JSON.stringify(gap)}`);
}
const leads = await page.evaluate(() => [...document.querySelectorAll('p.lead')].map((p) => p.textContent));
for (const mean of results.geomeans.filter((m) => m.metric === 'steady')) {
  const wanted = `zwasm (${mean.tier}) takes ${rounded(mean.ratio)}× ${mean.peer}'s time`;
  if (!leads.some((l) => l.startsWith(wanted))) problems.push(`no sentence "${wanted}"`);
}

// The answer has a row per tier and peer, with the means of the JSON.
const answer = await page.$$eval('#answer tbody tr', (rows) => rows.map((r) => [...r.cells].map((c) => c.textContent)));
for (const mean of results.geomeans.filter((m) => ['steady', 'first_result', 'total', 'peak_rss'].includes(m.metric))) {
  const [row] = answer.filter(([tier, peer]) => tier === mean.tier && peer === mean.peer);
  if (!row?.some((text) => same(text.split('×')[0], mean.ratio))) problems.push(`the answer for ${mean.tier}, ${mean.peer}: ${row}`);
}

// Choosing a view, sorting and filtering are kept in the hash over a reload, and are of one table each.
const column = (name, at) => page.$$eval(`${name} tbody:last-child tr:not([hidden])`, (rows, i) => rows.map((r) => r.cells[i].textContent), at);
const descending = (texts) => texts.map(parseFloat).every((v, i, all) => i === 0 || v <= all[i - 1]);
const peers = await page.evaluate(() => [...document.querySelectorAll('select[name=peer] option')].map((o) => o.value));
if (peers.length) {
  await page.goto(page_url);
  await page.selectOption('select[name=peer]', peers.at(-1));
  const others = await column('table.heat', 0);
  await page.click('table.gaps th:nth-child(2) button');
  if (!descending(await column('table.gaps', 1))) problems.push('sorting did not sort');
  if ((await column('table.heat', 0)).join() !== others.join()) problems.push('sorting one table sorts another');
  await page.click('table.gaps th:nth-child(1) button');
  const names = await column('table.gaps', 0);
  if (names.join() !== [...names].sort((a, b) => a.localeCompare(b)).join()) problems.push('names are not in order');
  await page.click('table.gaps th:nth-child(2) button');
  const tools = page.locator('#view .tools');
  if (await tools.count()) {
    const [category] = (await column('table.gaps', 6)).slice(-1);
    await tools.locator('select').selectOption(category);
    await tools.locator('input').fill(names[0].slice(0, 3));
    const left = await column('table.gaps', 0);
    const wanted = results.workloads.filter((w) => w.category === category);
    if (left.some((name) => !wanted.some((w) => name.startsWith(w.id)))) problems.push(`filtered by ${category}: ${left}`);
    if ((await column('table.heat', 0)).length !== others.length) problems.push('filtering one table filters another');
  }
  const before = { hash: new URL(page.url()).hash, rows: await column('table.gaps', 1) };
  await page.reload();
  const after = { hash: new URL(page.url()).hash, rows: await column('table.gaps', 1) };
  if (after.hash !== before.hash || !after.hash.includes(encodeURIComponent(peers.at(-1)))) problems.push(`the hash is ${after.hash}`);
  if (after.rows.join() !== before.rows.join()) problems.push(`rows ${before.rows} are ${after.rows} after a reload`);
  const title = await page.textContent('#view h3');
  if (!title.endsWith(`against ${peers.at(-1)}`)) problems.push(`the view is ${title}`);
}

// Search leaves cards and groups that have what is searched, and says how many.
await page.goto(page_url);
const [searched] = results.workloads.slice(-1);
await page.fill('input[aria-label="search workloads"]', searched.id);
const cards = await page.$$eval('details.card', (all) => all.filter((d) => d.checkVisibility()).map((d) => d.id));
if (!cards.includes(`w-${searched.id}`) || cards.length === results.workloads.length) problems.push(`the search found ${cards}`);
const groups = await page.$$eval('section.group', (all) => all.filter((g) => g.checkVisibility()).length);
if (groups > cards.length) problems.push('the search leaves empty groups');

// Links open what they point to, from within the page and from outside, even what a search has hidden.
const opened = () => page.$$eval('details.card[open]', (all) => all.map((d) => [d.id, d.querySelectorAll('table, svg').length]));
const [target] = results.workloads;
await page.click(`table.heat a >> text="${target.id}"`);
await page.waitForTimeout(100);
let [card] = await opened();
if (!card || card[0] !== `w-${target.id}` || card[1] === 0) problems.push(`the link opened ${card}`);
const elsewhere = await browser.newPage();
await elsewhere.goto(`${page_url}#w-${encodeURIComponent(target.id)}`);
await elsewhere.waitForTimeout(100);
[card] = await elsewhere.$$eval('details.card[open]', (all) => all.map((d) => d.id));
if (card !== `w-${target.id}`) problems.push(`the link from outside opened ${card}`);
await elsewhere.close();

if (others.includes('code.html')) {
  const code = JSON.parse(readFileSync(join(folder, 'code.json'), 'utf8'));
  await page.goto(url_of('code.html'));
  const rows = await page.evaluate(() =>
    [...document.querySelector('table').querySelectorAll('tbody tr')].map((r) => [...r.cells].map((c) => c.dataset.v ?? c.textContent)),
  );
  if (rows.length !== code.rows.length) problems.push(`${rows.length} functions on the page, ${code.rows.length} in the JSON`);
  for (const row of code.rows) {
    const executed = row.sides.map((side) => side.lines.reduce((sum, line) => sum + line.count, 0));
    const found = rows.find((cells) => cells[0] === row.workload);
    const expected = [row.sides[0].process / row.sides[1].process, row.sides[0].wasm / row.sides[1].wasm, executed[0] / executed[1]];
    expected.forEach((v, i) => {
      if (!found || Math.abs(Number(found[3 + i]) - v) > 1e-9 * v) problems.push(`code of ${row.workload}: ${found} for ${expected}`);
    });
  }
  // A link of the report opens the workload's code.
  const [first] = code.rows;
  await page.goto(`${url_of('code.html')}#w-${encodeURIComponent(first.workload)}`);
  await page.waitForFunction(() => document.querySelector('details[open]'));
  const open = await page.evaluate(() => [...document.querySelectorAll('details[open]')].map((d) => d.id));
  if (open.join() !== `w-${first.workload}`) problems.push(`the link opened ${open.join() || 'nothing'}`);
}

// A click on a span of an icicle spreads it over the whole width, one on the first goes back.
if (others.includes('profile.html')) {
  await page.goto(url_of('profile.html'));
  const spans = () => page.$$eval('.icicle button', (all) => all.map((b) => [b.textContent, b.getBoundingClientRect().width]));
  const first = await spans();
  const [name, width] = first.find(([, w]) => w < first[0][1] / 3 && w > 20);
  await page.click(`.icicle button:text-is("${name}")`);
  const closer = (await spans()).find(([text]) => text === name);
  if (!closer || closer[1] < 2.9 * width) problems.push(`a click on ${name} (${width} px) gives ${closer}`);
  await page.click('.icicle button');
  if ((await spans()).join() !== first.join()) problems.push('the icicle does not go back');
}

// Other reports make what is looked at without an error, too, and a large one makes few elements before.
for (const file of ['standard.html', 'jobs.html'].filter((file) => existsSync(join(folder, file)))) {
  const other = await browser.newPage({ viewport: { width: 360, height: 900 } });
  other.on('pageerror', (e) => problems.push(`${file}: ${e}`));
  const began = Date.now();
  await other.goto(url_of(file));
  const count = await other.evaluate(() => document.querySelectorAll('*').length);
  console.log(`${file}: ${count} elements at first, after ${Date.now() - began} ms`);
  if (count > 10000) problems.push(`${file}: ${count} elements before anybody looks`);
  for (const text of await other.evaluate(narrow)) problems.push(`${file}: ${text}`);
  await other.evaluate(() => document.querySelectorAll('details.card').forEach((d) => (d.open = true)));
  await other.waitForFunction(() => [...document.querySelectorAll('details.card')].every((d) => d.querySelector('table')));
  // No verdict of a metric whose control failed stands there without a mark.
  const warned = await other.$$eval('#view .banner', (all) => all.length);
  const words = await other.$$eval('table.gaps tbody:last-child tr', (rows) => rows.map((r) => r.cells[2].textContent));
  if (words.some((text) => text.includes('⚠') !== warned > 0)) problems.push(`${file}: verdicts ${words}`);
  if (warned !== Number(file === 'jobs.html')) problems.push(`${file}: ${warned} warnings`);
}
if (others.includes('history.html')) problems.push(...(await check_history(browser, url_of('history.html'), shots)));
await browser.close();

for (const problem of problems) console.error(problem);
console.log(`${shown.length} rows, ${elements} elements at first, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
