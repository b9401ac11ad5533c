// What the pages with tables share: state in the URL hash, tables that sort and filter each on their own,
// and links that open what they point to. Without this script a page shows its tables in their first order.
const page = (() => {
  const { el } = elements;

  // The hash is `name=value&…`, or the name of what is pointed to.
  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    const [target] = state.keys();
    return target && document.getElementById(target) ? new URLSearchParams({ open: target }) : state;
  };
  const state = read();
  const get = (name) => state.get(name);
  const set = (name, value) => {
    if (value) state.set(name, value);
    else state.delete(name);
    history.replaceState(null, '', '#' + state);
  };

  // "1.2 ms" is 0.0012, "[0.79, 0.86]" is 0.79; what is no number is NaN.
  const UNITS = { ns: 1e-9, µs: 1e-6, ms: 1e-3, s: 1, kB: 1e3, MB: 1e6, M: 1e6 };
  const number = (text) => {
    const found = /^[[±]?(\d+(?:\.\d+)?)\s*(ns|µs|ms|s|kB|MB|M)?/.exec(text.trim());
    return found ? Number(found[1]) * (UNITS[found[2]] ?? 1) : NaN;
  };

  const value = (row, column, isNumber) => {
    const cell = row.cells[column];
    if (!isNumber) return cell ? cell.textContent : '';
    return cell ? Number(cell.dataset.v ?? number(cell.textContent)) : NaN;
  };

  // Rows without a number are last, whichever way.
  const sort = (table, column, down) => {
    const th = table.tHead.rows[0].cells[column];
    const isNumber = th.classList.contains('n');
    const order = (a, b) => {
      const [x, y] = [value(a, column, isNumber), value(b, column, isNumber)];
      if (!isNumber) return (down ? -1 : 1) * x.localeCompare(y);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return down ? y - x : x - y;
    };
    const body = table.tBodies[table.tBodies.length - 1];
    body.append(...[...body.rows].sort(order));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  };

  // A table with fewer rows is looked through faster than a filter is filled in.
  const FILTERED_ROWS_MIN = 8;

  // A box for text, and a choice of category where there is such a column, above the table.
  const filters = (table, key, heads) => {
    const rows = [...table.tBodies[table.tBodies.length - 1].rows];
    const column = heads.indexOf('category');
    const categories = [...new Set(rows.map((row) => row.cells[column]?.textContent))].filter(Boolean);
    const box = el('input', { type: 'search', placeholder: 'filter', 'aria-label': 'filter rows' });
    const choice = el('select', { 'aria-label': 'category' });
    const count = el('span', { class: 'muted', role: 'status' });
    const apply = () => {
      const wanted = box.value.toLowerCase();
      for (const row of rows) {
        const isOther = choice.value && row.cells[column].textContent !== choice.value;
        row.hidden = isOther || !row.textContent.toLowerCase().includes(wanted);
      }
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = shown === rows.length ? '' : `${shown} of ${rows.length}`;
    };
    const bind = (input, name) => {
      input.value = get(`${key}.${name}`) ?? '';
      input.addEventListener('input', () => {
        set(`${key}.${name}`, input.value);
        apply();
      });
    };
    const tools = el('div', { class: 'tools' }, box);
    if (categories.length > 1) {
      choice.append(el('option', { value: '' }, 'all categories'), ...categories.map((c) => el('option', {}, c)));
      tools.append(choice);
    }
    tools.append(count);
    bind(box, 'has');
    bind(choice, 'category');
    table.closest('.scroll').before(tools);
    apply();
  };

  // Makes a table one that sorts and filters; its state is kept under `key`.
  const enhance = (table, key) => {
    const body = table.tBodies[table.tBodies.length - 1];
    if (!table.tHead || body.rows.length < 2) return;
    const heads = [...table.tHead.rows[0].cells];
    const titles = heads.map((th) => th.textContent);
    heads.forEach((th, column) => {
      if (!titles[column]) return;
      const button = el('button', { type: 'button' }, titles[column]);
      th.replaceChildren(button);
      button.addEventListener('click', () => {
        // Numbers start with the largest, names with the first.
        const first = th.classList.contains('n') ? 'descending' : 'ascending';
        const down = (th.getAttribute('aria-sort') === first) !== (first === 'descending');
        set(`${key}.sort`, `${column}.${down ? 'down' : 'up'}`);
        sort(table, column, down);
      });
    });
    if (body.rows.length >= FILTERED_ROWS_MIN) filters(table, key, titles);
    const [column, way] = (get(`${key}.sort`) ?? '').split('.');
    if (titles[column] && (way === 'up' || way === 'down')) sort(table, Number(column), way === 'down');
  };

  const reveal = (id) => {
    const target = document.getElementById(id);
    for (let up = target; up; up = up.parentElement) {
      if (up.tagName === 'DETAILS') up.open = true;
      up.hidden = false;
    }
    target?.scrollIntoView();
  };

  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link) return;
    event.preventDefault();
    set('open', link.getAttribute('href').slice(1));
    reveal(get('open'));
  });
  // A link to another state of the page that is already there.
  addEventListener('hashchange', () => location.reload());
  // After the scripts that make more of the page.
  addEventListener('DOMContentLoaded', () => {
    document.querySelectorAll('table').forEach((table, i) => {
      if (!table.dataset.key) enhance(table, `t${i}`);
    });
    if (get('open')) reveal(get('open'));
  });
  return { get, set, number, enhance };
})();
