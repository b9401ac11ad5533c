// Looks at a report page in headless Chromium. Usage: node page.mjs FOLDER [SCREENSHOT-FOLDER]
//
// FOLDER holds index.html and the results.json that it was made from, and may hold code.html and its
// code.json, history.html, and site.html. Checked at 360 and 1280 px, in
// light and dark: no console errors, no network requests, no overlapping or cut-off text, the page
// itself does not scroll sideways; and once: the numbers in the gap tables are those of the JSON,
// choosing and sorting work and are kept in the hash. Exits 1 with a line per problem.
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
const others = ['code.html', 'history.html', 'site.html'].filter((file) => existsSync(join(folder, file)));
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
        if (!up.classList.contains('scroll')) continue;
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
  for (const open of [false, true]) {
    await page.evaluate((o) => document.querySelectorAll('details').forEach((d) => (d.open = o)), open);
    for (const text of await page.evaluate(overlaps)) problems.push(`${name}: ${text}`);
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (sideways > 0) problems.push(`${name}: the page is ${sideways} px too wide`);
  }
  if (shots) await page.screenshot({ path: join(shots, `${name}-open.png`), fullPage: true });
  await context.close();
}

// The numbers are those of the JSON.
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.goto(page_url);
const shown = await page.evaluate(() =>
  [...document.querySelectorAll('section.view')].flatMap((view) =>
    [...view.querySelectorAll('table.gaps tbody tr')].map((row) => ({
      ...view.dataset,
      workload: row.cells[0].textContent,
      category: row.cells[1].textContent,
      exact: row.cells[2].dataset.v,
      ratio: row.cells[2].textContent,
      interval: row.cells[3].textContent,
      n: row.cells[4].textContent,
      verdict: row.cells[5].className,
    })),
  ),
);
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
    Number(row.exact) === gap.ratio && same(row.ratio.slice(0, -1), gap.ratio) &&
    end(ends[0], gap.lo) && end(ends[1], gap.hi) &&
    Number(row.n) === gap.n && row.verdict === gap.verdict && row.category === gap.category;
  if (!equal) problems.push(`${where}: page ${JSON.stringify(row)}, JSON ${JSON.stringify(gap)}`);
}
const leads = await page.evaluate(() => [...document.querySelectorAll('p.lead')].map((p) => p.textContent));
for (const mean of results.geomeans.filter((m) => m.metric === 'steady')) {
  const wanted = `zwasm (${mean.tier}) takes ${rounded(mean.ratio)}× ${mean.peer}'s time`;
  if (!leads.some((l) => l.startsWith(wanted))) problems.push(`no sentence "${wanted}"`);
}

// Choosing a view and sorting, kept in the hash over a reload.
const peers = await page.evaluate(() => [...document.querySelectorAll('select[name=peer] option')].map((o) => o.value));
if (peers.length) {
  await page.selectOption('select[name=peer]', peers.at(-1));
  await page.click('section.view:not([hidden]) table.gaps th:nth-child(3) button');
  const before = new URL(page.url()).hash;
  await page.reload();
  const state = await page.evaluate(() => ({
    hash: location.hash,
    peers: [...document.querySelectorAll('section.view:not([hidden])')].map((v) => v.dataset.peer),
    ratios: [...document.querySelectorAll('section.view:not([hidden]) table.gaps tbody tr')].map((r) =>
      Number(r.cells[2].dataset.v),
    ),
  }));
  if (state.hash !== before || !state.hash.includes(peers.at(-1))) problems.push(`the hash is ${state.hash}`);
  if (state.peers.join() !== peers.at(-1)) problems.push(`views shown: ${state.peers.join()}`);
  if (state.ratios.some((v, i, all) => i > 0 && v > all[i - 1])) problems.push('sorting did not sort');
}

if (others.includes('code.html')) {
  const code = JSON.parse(readFileSync(join(folder, 'code.json'), 'utf8'));
  await page.goto(url_of('code.html'));
  const rows = await page.evaluate(() =>
    [...document.querySelectorAll('table.sortable tbody tr')].map((r) => [...r.cells].map((c) => c.dataset.v ?? c.textContent)),
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
  await page.goto(`${url_of('code.html')}#open=w-${encodeURIComponent(first.workload)}`);
  await page.reload();
  const open = await page.evaluate(() => [...document.querySelectorAll('details[open]')].map((d) => d.id));
  if (open.join() !== `w-${first.workload}`) problems.push(`the link opened ${open.join() || 'nothing'}`);
}
if (others.includes('history.html')) problems.push(...(await check_history(browser, url_of('history.html'), shots)));
await browser.close();

for (const problem of problems) console.error(problem);
console.log(`${shown.length} rows, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
