// The table of functions: filtered, sorted, and with the code of those that are opened, which is read from
// compressed blocks when it is asked for.
const { columns, rows } = JSON.parse(document.getElementById('index').textContent);
const SHOWN_AT_ONCE = 200;
const box = document.querySelector('input');
const count = document.getElementById('count');
const more = document.getElementById('more');
const head = document.querySelector('#functions > thead > tr');
const body = document.querySelector('#functions > tbody');
const blocks = new Map();
let sorted = { column: 0, descending: false };
let shown = SHOWN_AT_ONCE;

function element(name, text, classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

function block(number) {
  if (!blocks.has(number)) {
    const text = document.getElementById('block' + number).textContent;
    const bytes = Uint8Array.from(atob(text.trim()), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    blocks.set(number, new Response(stream).json());
  }
  return blocks.get(number);
}

function instructions(lines) {
  const cell = element('td');
  lines.forEach((line, at) => {
    const [bytes, text] = line;
    if (at > 0) cell.append('\n');
    cell.append(text.padEnd(40), ' ', element('i', bytes));
  });
  return cell;
}

function code(found) {
  const table = element('table', undefined, 'code');
  const titles = element('tr');
  for (const title of ['wasm', ...found.isas]) titles.append(element('th', title));
  table.append(titles);
  for (const [wasm, ...codes] of found.rows) {
    const row = element('tr');
    row.append(element('td', wasm.join('\n')), ...codes.map(instructions));
    table.append(row);
  }
  return table;
}

function passes(found) {
  const table = element('table', undefined, 'code');
  const titles = element('tr');
  for (const title of ['pass', 'instruction set', 'runs', 'µs', 'nodes before', 'after'])
    titles.append(element('th', title));
  table.append(titles);
  for (const pass of found.passes) {
    const row = element('tr');
    for (const cell of pass) row.append(element('td', cell));
    table.append(row);
  }
  const folded = element('details');
  folded.append(element('summary', 'Passes'), table);
  return folded;
}

async function toggle(button, row, [number, place]) {
  const next = row.nextElementSibling;
  if (next && next.classList.contains('opened')) {
    next.remove();
    button.setAttribute('aria-expanded', 'false');
    return;
  }
  button.setAttribute('aria-expanded', 'true');
  const opened = element('tr', undefined, 'opened');
  const cell = element('td');
  cell.colSpan = columns.length;
  opened.append(cell);
  row.after(opened);
  try {
    const found = (await block(number))[place];
    const scroll = element('div', undefined, 'scroll');
    scroll.append(code(found));
    cell.append(scroll);
    if (found.passes.length > 0) cell.append(passes(found));
  } catch (error) {
    cell.append(element('p', `this browser cannot read it: ${error.message}`));
  }
}

function line(of) {
  const [place, ...cells] = of;
  const row = element('tr');
  cells.forEach((value, at) => {
    if (at === 1) {
      const cell = element('td');
      const button = element('button', value, 'name');
      button.setAttribute('aria-expanded', 'false');
      button.addEventListener('click', () => toggle(button, row, place));
      cell.append(button);
      row.append(cell);
    } else {
      row.append(element('td', value, 'n'));
    }
  });
  return row;
}

function show() {
  const wanted = box.value.toLowerCase();
  const found = rows.filter(row => row[2].toLowerCase().includes(wanted));
  const { column, descending } = sorted;
  found.sort((a, b) => {
    const [x, y] = [a[column + 1], b[column + 1]];
    const order = typeof x === 'number' ? x - y : x < y ? -1 : Number(x > y);
    return descending ? -order : order;
  });
  body.replaceChildren(...found.slice(0, shown).map(line));
  count.textContent = `${found.length} of ${rows.length} functions`;
  more.hidden = found.length <= shown;
  [...head.children].forEach((cell, at) => {
    if (at === column) cell.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    else cell.removeAttribute('aria-sort');
  });
}

columns.forEach((title, at) => {
  const cell = element('th', undefined, at === 1 ? '' : 'n');
  const button = element('button', title);
  button.addEventListener('click', () => {
    // Numbers are looked at from the largest on, but for indices.
    const first = at > 1;
    sorted = { column: at, descending: sorted.column === at ? !sorted.descending : first };
    show();
  });
  cell.append(button);
  head.append(cell);
});
box.addEventListener('input', () => {
  shown = SHOWN_AT_ONCE;
  show();
});
more.addEventListener('click', () => {
  shown += SHOWN_AT_ONCE;
  show();
});
show();
if (rows.length === 1) body.querySelector('button').click();
