// Choosing a view, sorting tables, and keeping both in the URL hash. Without this script the page
// shows every view and every table in its first order.
(() => {
  const state = new URLSearchParams(location.hash.slice(1));
  const views = [...document.querySelectorAll('section.view')];
  const selects = [...document.querySelectorAll('.controls select')];

  const store = () => history.replaceState(null, '', '#' + state);

  const show = () => {
    const key = (view) => selects.every((s) => view.dataset[s.name] === s.value);
    const found = views.some(key);
    for (const view of views) view.hidden = !key(view);
    document.getElementById('no-view').hidden = found;
  };

  for (const select of selects) {
    // The page opens with the tier of the headline.
    if (select.dataset.first) select.value = select.dataset.first;
    const wanted = state.get(select.name);
    if ([...select.options].some((o) => o.value === wanted)) select.value = wanted;
    select.addEventListener('change', () => {
      state.set(select.name, select.value);
      store();
      show();
    });
  }

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };

  const sort = (table, column, down) => {
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
    [...table.tHead.rows[0].cells].forEach((th, i) => {
      if (i === column) th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else th.removeAttribute('aria-sort');
    });
  };

  const tables = [...document.querySelectorAll('table.sortable')];
  const sortAll = () => {
    const [column, way] = (state.get('sort') || '').split('.');
    if (way !== 'up' && way !== 'down') return;
    for (const table of tables) {
      if (Number(column) < table.tHead.rows[0].cells.length) sort(table, Number(column), way === 'down');
    }
  };
  for (const table of tables) {
    [...table.tHead.rows[0].cells].forEach((th, column) => {
      const button = document.createElement('button');
      button.textContent = th.textContent;
      th.replaceChildren(button);
      button.addEventListener('click', () => {
        const way = state.get('sort') === `${column}.down` ? 'up' : 'down';
        state.set('sort', `${column}.${way}`);
        store();
        sortAll();
      });
    });
  }
  sortAll();
  if (selects.length) show();

  const open = (id) => {
    const details = document.getElementById(id);
    if (!details) return;
    details.open = true;
    details.scrollIntoView();
  };
  for (const link of document.querySelectorAll('a[href^="#w-"]')) {
    link.addEventListener('click', (event) => {
      event.preventDefault();
      state.set('open', link.getAttribute('href').slice(1));
      store();
      open(state.get('open'));
    });
  }
  if (state.has('open')) open(state.get('open'));
})();
