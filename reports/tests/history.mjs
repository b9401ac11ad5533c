// What page.mjs asks of history.html: a link restores what it says, two runs are compared with the numbers
// of their records, and choosing works by mouse and keyboard and is kept.

import { join } from 'node:path';

const state_of = () => ({
  hash: location.hash,
  chosen: Object.fromEntries([...document.querySelectorAll('select')].map((s) => [s.name, s.value])),
  caption: document.getElementById('caption').textContent,
  compared: document.getElementById('compared').textContent,
  notes: document.getElementById('unlike').textContent,
  points: document.querySelectorAll('#plot [role=button]').length,
  joined: document.querySelectorAll('#plot polyline').length,
  steps: document.querySelectorAll('#plot .step').length,
  lines: document.querySelectorAll('#lines li').length,
  pressed: document.querySelectorAll('#points [aria-pressed=true]').length,
  focus: document.activeElement.dataset.key,
  rows: [...document.querySelectorAll('#rows tbody tr')].map((r) => [...r.cells].map((c) => c.textContent)),
  markup: document.querySelectorAll('main b, main what').length,
  data: JSON.parse(document.getElementById('records').textContent),
});

// What the rows of two runs must say, worked out from the records, largest change first.
const expected = (names, a, b) => {
  const rows = [];
  const families = ({ families }) =>
    families.map(([name, mean, , , rows]) => ({ name: names[name].join(), metric: names[name][0], mean, rows }));
  const control = (run, metric) => run.controls.find((c) => c.metric === metric);
  for (const after of families(b)) {
    const before = families(a).find((f) => f.name === after.name);
    const add = (workload, x, y) => {
      if (!x || !y) return;
      const change = y[0] - x[0];
      const ends = [y[1] === null || x[2] === null ? null : change - y[1] - x[2], y[2] === null || x[1] === null ? null : change + y[2] + x[1]];
      const floor = Math.max(...[a, b].map((run) => control(run, after.metric).floor)) * 1e4;
      const failed = [a, b].some((run) => control(run, after.metric).failed);
      const sure = !failed && !ends.includes(null) && Math.abs(change) > floor;
      rows.push({ workload, change, failed, more: sure && ends[0] > 0, less: sure && ends[1] < 0 });
    };
    add('geometric mean', before.mean, after.mean);
    after.rows.forEach((y, i) => add(b.workloads[i], before.rows[i], y));
  }
  return rows.sort((x, y) => x.failed - y.failed || Math.abs(y.change) - Math.abs(x.change));
};

// `shots` is a folder for a screenshot, or nothing.
export const check_history = async (browser, url, shots) => {
  const problems = [];
  const expect = (name, found, wanted) => {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
      problems.push(`history: ${name} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
    }
  };
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('pageerror', (e) => problems.push(`history: ${e}`));
  const look = async () => page.evaluate(state_of);

  // As it opens: what leads, over all runs; one of another processor and one whose control failed by themselves.
  await page.goto(url);
  const first = await look();
  const records = first.data.records;
  expect('the choice', first.chosen.tier + first.chosen.metric + first.chosen.workload, 'autosteady');
  expect('points, lines and steps', [first.points, first.joined, first.lines, first.steps], [records.length, 1, 3, 1]);
  expect('the pair', [first.chosen.a, first.chosen.b], [records.at(-2).id, records.at(-1).id]);
  expect('elements made of titles', first.markup, 0);

  // A link restores all of it, and two runs are compared as their records say.
  const [a, b] = [records[1], records[3]];
  const link = new URLSearchParams({ metric: 'total', tier: 'opt', peer: 'node', workload: 'workload-1', a: a.id, b: b.id });
  await page.goto(`${url}#${link}`);
  await page.reload();
  const restored = await look();
  if (shots) await page.screenshot({ path: join(shots, 'history-link.png') });
  expect('what a link restores', restored.chosen, { ...Object.fromEntries(link), rows: '' });
  expect('the caption', restored.caption.startsWith('opt ÷ node, total time, workload-1,'), true);
  expect('pressed buttons', restored.pressed, 2);
  const wanted = expected(first.data.families, a, b);
  const count = (of) => wanted.filter(of).length;
  expect('the count of what moved', restored.compared.startsWith(
    `b ÷ a: of ${wanted.length} rows ${count((r) => r.more)} take more, ${count((r) => r.less)} less,`), true);
  expect('rows at first', restored.rows.length, Math.min(50, wanted.length));
  await page.click('#more');
  const { rows } = await look();
  expect('rows after asking for all', rows.length, wanted.length);
  const changes = rows.map((row) => Number(row[1].slice(0, -1)));
  wanted.forEach(({ change, more, less }, i) => {
    const word = more ? '▲ more' : less ? '▼ less' : '';
    if (Math.abs(changes[i] - Math.exp(change / 1e4)) > 0.0051) problems.push(`history: row ${i} is ${rows[i]}, not ${change}`);
    if (word && rows[i][0] !== word) problems.push(`history: row ${i} is ${rows[i]}, not ${word}`);
  });

  // Fewer rows; runs that are unlike; only means.
  await page.selectOption('select[name=rows]', 'chosen');
  expect('rows of what is chosen', (await look()).rows.every((r) => r[4] === 'total time' && r[5] === 'opt ÷ node'), true);
  await page.selectOption('select[name=b]', records[2].id);
  expect('what is unlike', (await look()).notes.includes('not the same processor'), true);
  await page.selectOption('select[name=rows]', 'means');
  await page.selectOption('select[name=a]', records[0].id);
  const means = await look();
  expect('rows of means', means.rows.length > 0 && means.rows.every((r) => r[3] === 'geometric mean'), true);
  expect('what was not kept', means.notes.includes('Only means are here of'), true);
  await page.selectOption('select[name=b]', records[4].id);
  expect('failed controls', (await look()).rows.every((r) => r[0] === 'control failed'), true);

  // Two points chosen, by mouse and by keyboard, which keeps its place.
  await page.goto(`${url}#`);
  await page.reload();
  const mark = (record) => page.locator(`#plot [data-key="${record.id}"]`);
  await mark(records[5]).click();
  await mark(records[6]).focus();
  await page.keyboard.press('Enter');
  const chosen = await look();
  expect('the points chosen', [chosen.chosen.a, chosen.chosen.b], [records[5].id, records[6].id]);
  expect('the focus', chosen.focus, records[6].id);
  await page.reload();
  const kept = await look();
  expect('the points after a reload', [kept.chosen.a, kept.chosen.b, kept.hash], [records[5].id, records[6].id, chosen.hash]);
  await page.close();
  return problems;
};
