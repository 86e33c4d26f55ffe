/// The page itself, as three files: the script and the style have addresses of their own, so that nothing in the document
/// is run (Content-Security-Policy).
enum PageFiles {
  static let document = #"""
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>limpet fleet</title>
    <link id="icon" rel="icon" href="data:,">
    <link rel="stylesheet" href="page.css">
    <script src="page.js" defer></script>
    </head>
    <body>
    <header>
    <h1>limpet fleet</h1>
    <p id="counts" role="status" aria-live="polite">loading</p>
    <form role="search" id="controls">
    <label>Search <input id="search" type="search" autocomplete="off" spellcheck="false"></label>
    <label>State <select id="state">
    <option value="">all</option><option value="trouble">needs a look</option><option>online</option>
    <option>offline</option><option>lost</option><option>expired</option><option>missing</option>
    <option>other</option><option>unknown</option><option>flapping</option><option>conflict</option>
    </select></label>
    <label>Sort <select id="sort">
    <option value="state">by state</option><option value="name">by name</option><option value="since">newest first</option>
    </select></label>
    </form>
    </header>
    <div id="banner" role="alert" hidden></div>
    <main>
    <div id="list" role="list" aria-label="Devices" tabindex="0"><div id="space"></div></div>
    <p id="nothing" hidden>No device is shown: none was heard of, or none matches.</p>
    </main>
    <aside id="details" aria-label="Details" hidden>
    <button id="close" type="button">Close</button>
    <h2><bdi id="details-name"></bdi></h2>
    <dl id="details-list"></dl>
    <h3>Last 24 hours</h3>
    <ol id="details-history"></ol>
    </aside>
    <noscript><p>This page needs JavaScript; /devices has the same as JSON, /metrics for Prometheus.</p></noscript>
    </body>
    </html>
    """#

  static let style = #"""
    :root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de;
      --good: #1a7f37; --bad: #b3261e; --odd: #8a5a00; --accent: #0550ae; --banner: #b3261e; --banner-text: #fff; }
    @media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --text: #e6edf3; --quiet: #9aa4af;
      --line: #30363d; --good: #3fb950; --bad: #ff7b72; --odd: #e3b341; --accent: #79c0ff; } }
    * { box-sizing: border-box; }
    [hidden] { display: none !important; }
    html, body { height: 100%; margin: 0; }
    body { display: flex; flex-direction: column; background: var(--ground); color: var(--text);
      font: 15px/1.4 system-ui, sans-serif; }
    header { padding: 8px 16px; border-bottom: 1px solid var(--line); }
    h1 { display: inline; margin: 0 12px 0 0; font-size: 18px; }
    #counts { display: inline; margin: 0; color: var(--quiet); }
    #controls { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-top: 6px; }
    input, select, button { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--quiet);
      border-radius: 4px; padding: 2px 6px; }
    :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
    #banner { position: relative; z-index: 2; padding: 8px 16px; background: var(--banner); color: var(--banner-text); font-weight: 600; }
    main { flex: 1; min-height: 0; position: relative; }
    #list { position: absolute; inset: 0; overflow-y: auto; }
    #space { position: relative; }
    .row { position: absolute; left: 0; right: 0; height: 44px; display: grid; align-items: center; gap: 12px;
      grid-template-columns: 96px minmax(120px, 2fr) minmax(120px, 3fr) 120px; padding: 0 16px;
      border: 0; border-bottom: 1px solid var(--line); border-radius: 0; width: 100%; text-align: left; cursor: pointer; }
    .row > span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .state { font-weight: 600; }
    .online .state { color: var(--good); }
    .lost .state, .expired .state, .missing .state { color: var(--bad); }
    .offline .state { color: var(--quiet); }
    .other .state, .unknown .state { color: var(--odd); }
    .mark { color: var(--odd); font-weight: 600; }
    .said { color: var(--quiet); }
    canvas { width: 120px; height: 16px; border-radius: 3px; }
    #nothing { padding: 16px; color: var(--quiet); }
    #details { position: fixed; z-index: 1; inset: 0 0 0 auto; width: min(420px, 100%); overflow-y: auto; padding: 16px;
      background: var(--ground); border-left: 1px solid var(--line); }
    #details h2 { overflow-wrap: anywhere; }
    dt { color: var(--quiet); }
    dd { margin: 0 0 6px; overflow-wrap: anywhere; }
    @media (max-width: 640px) { .row { grid-template-columns: 80px 1fr; }
      .row .said, .row canvas { display: none; } }
    """#

  static let script = #"""
    'use strict';
    const height = 44, day = 86400000, quietLimit = 5000;
    const get = (id) => document.getElementById(id);
    const list = get('list'), space = get('space');
    // Each device is one object for as long as it is there, in the order of the last sort: what is nearly in order is
    // sorted quickly.
    const devices = new Map(), counts = {};
    let sorted = [], shown = [], isStale = true, lastBeat = 0, broker = null, selected = null, source = null, lastID = 0;
    let frame = 0, sortedAt = 0;

    // What a screen would obey, or what turns a line around, is shown as what it is.
    const control = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
    const plain = (text) => String(text ?? '').replace(control,
      (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

    const ranks = { lost: 0, expired: 1, missing: 1, other: 2, unknown: 3, offline: 4, online: 5 };
    const isTrouble = (d) => d.rank < 4 || d.flapping || d.conflict;
    const byName = (a, b) => a.device < b.device ? -1 : a.device > b.device ? 1 : 0;
    const orders = {
      state: (a, b) => a.rank - b.rank || byName(a, b),
      name: byName,
      since: (a, b) => b.began - a.began || byName(a, b),
    };

    function take(news) {
      let d = devices.get(news.device);
      if (d) {
        counts[d.kind]--;
      } else {
        d = { version: 0 };
        devices.set(news.device, d);
        sorted.push(d);
      }
      Object.assign(d, news);
      d.version++;
      d.kind = d.state === 'offline' && d.ended !== 'clean' ? 'lost' : d.state;
      d.rank = ranks[d.kind] ?? 2;
      d.began = d.since ? Date.parse(d.since) : 0;
      d.words = (d.device + ' ' + (d.name ?? '')).toLowerCase();
      counts[d.kind] = (counts[d.kind] ?? 0) + 1;
    }

    const filters = new URLSearchParams(location.search);
    for (const [id, name] of [['search', 'q'], ['state', 'state'], ['sort', 'sort']]) {
      const field = get(id);
      if (filters.get(name)) field.value = filters.get(name);
      field.addEventListener('input', () => {
        if (field.value && !(id === 'sort' && field.value === 'state')) filters.set(name, field.value);
        else filters.delete(name);
        const text = filters.toString();
        history.replaceState(null, '', text ? '?' + text : location.pathname);
        list.scrollTop = 0;
        change();
      });
    }
    get('controls').addEventListener('submit', (event) => event.preventDefault());

    function matches(d, text, state) {
      if (text && !d.words.includes(text)) return false;
      switch (state) {
        case '': return true;
        case 'trouble': return isTrouble(d);
        case 'flapping': return d.flapping;
        case 'conflict': return Boolean(d.conflict);
        case 'offline': return d.state === 'offline';
        default: return d.kind === state;
      }
    }

    // Sorting ten thousand is not done more often than somebody can read.
    function change() {
      isStale = true;
      draw();
    }

    function draw() {
      if (frame) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        const now = performance.now();
        if (isStale && now - sortedAt >= 60) {
          sortedAt = now;
          isStale = false;
          arrange();
        }
        paint();
        if (isStale) setTimeout(draw, 60);
      });
    }

    function arrange() {
      const text = get('search').value.trim().toLowerCase(), state = get('state').value;
      sorted.sort(orders[get('sort').value] ?? orders.state);
      shown = text || state ? sorted.filter((d) => matches(d, text, state)) : sorted;
      space.style.height = shown.length * height + 'px';
      get('nothing').hidden = shown.length > 0;
      const words = ['lost', 'expired', 'missing', 'other', 'unknown', 'offline', 'online']
        .filter((word) => counts[word]).map((word) => counts[word] + ' ' + word);
      const summary = words.join(', ') || 'no devices';
      if (get('counts').textContent !== summary) get('counts').textContent = summary;
      const bad = (counts.lost ?? 0) + (counts.expired ?? 0) + (counts.missing ?? 0);
      const isBlind = !get('banner').hidden;
      document.title = (isBlind ? '(?) ' : bad ? '(' + bad + ') ' : '') + 'limpet fleet';
      const colour = isBlind ? '%238a5a00' : bad ? '%23b3261e' : '%231a7f37';
      const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'>"
        + "<circle cx='4' cy='4' r='4' fill='" + colour + "'/></svg>";
      if (get('icon').href !== icon) get('icon').href = icon;
    }

    // Only what can be seen is there.
    function paint() {
      const first = Math.max(0, Math.floor(list.scrollTop / height) - 4);
      const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / height) + 9);
      while (space.children.length > last - first) space.lastChild.remove();
      while (space.children.length < last - first) space.append(makeRow());
      for (let index = first; index < last; index++) fill(space.children[index - first], shown[index], index);
      if (selected && devices.has(selected)) detail(devices.get(selected));
    }

    function makeRow() {
      const item = document.createElement('div');
      item.setAttribute('role', 'listitem');
      const row = document.createElement('button');
      row.type = 'button';
      for (const name of ['state', 'name', 'said']) {
        const span = document.createElement('span');
        span.className = name;
        row.append(span);
      }
      const name = row.children[1];
      name.append(document.createElement('bdi'), document.createElement('span'));
      const strip = document.createElement('canvas');
      strip.width = 120;
      strip.height = 16;
      strip.setAttribute('aria-hidden', 'true');
      row.append(strip);
      row.addEventListener('click', () => open(row.dataset.device));
      item.append(row);
      return item;
    }

    function fill(item, d, index) {
      const row = item.firstChild;
      item.setAttribute('aria-setsize', shown.length);
      item.setAttribute('aria-posinset', index + 1);
      row.style.top = index * height + 'px';
      const minute = Math.floor(Date.now() / 60000);
      if (row.drawn === d && row.version === d.version && row.minute === minute) return;
      [row.drawn, row.version, row.minute, row.dataset.device] = [d, d.version, minute, d.device];
      row.className = 'row ' + d.kind;
      row.children[0].textContent = d.kind;
      const [name, mark] = row.children[1].children;
      name.textContent = plain(d.name && d.name !== d.device ? d.name + ' (' + d.device + ')' : d.device);
      mark.textContent = (d.conflict ? ' conflict' : '') + (d.flapping ? ' flapping' : '');
      mark.className = 'mark';
      row.children[2].textContent = said(d);
      strip(row.children[3], d);
    }

    function ago(time) {
      const seconds = Math.max(0, Math.round((Date.now() - time) / 1000));
      if (seconds < 60) return 'just now';
      if (seconds < 3600) return Math.floor(seconds / 60) + ' min ago';
      if (seconds < 172800) return Math.floor(seconds / 3600) + ' h ago';
      return Math.floor(seconds / 86400) + ' d ago';
    }

    function said(d) {
      const parts = [];
      if (d.state === 'other') parts.push('says “' + plain(d.payload).slice(0, 80) + '”');
      if (d.state === 'missing') parts.push('expected, and never heard of');
      if (d.reason) parts.push(plain(d.reason));
      if (d.since) parts.push(ago(Date.parse(d.since)));
      return parts.join(', ');
    }

    const colours = { online: '#2da44e', offline: '#cf222e', expired: '#cf222e', other: '#bf8700' };
    function strip(canvas, d) {
      const context = canvas.getContext('2d'), now = Date.now();
      context.fillStyle = '#8c959f55';
      context.fillRect(0, 0, 120, 16);
      const states = d.history ?? [];
      states.forEach(([from, word], index) => {
        const to = index + 1 < states.length ? states[index + 1][0] : now;
        const x = Math.max(0, 120 - (now - from) / day * 120), end = 120 - (now - to) / day * 120;
        if (end < 0) return;
        context.fillStyle = colours[word] ?? '#8c959f';
        context.fillRect(x, 0, Math.max(1, end - x), 16);
      });
    }

    // Details
    function open(name) {
      selected = name;
      get('details').hidden = false;
      detail(devices.get(name));
      get('close').focus();
    }
    function shut() {
      get('details').hidden = true;
      const name = selected;
      selected = null;
      for (const item of space.children) if (item.firstChild.dataset.device === name) item.firstChild.focus();
    }
    get('close').addEventListener('click', shut);
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && selected) shut();
      if (event.key === '/' && document.activeElement !== get('search')) {
        event.preventDefault();
        get('search').focus();
      }
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') move(event);
    });
    function move(event) {
      const rows = Array.from(space.children, (item) => item.firstChild);
      const place = rows.indexOf(document.activeElement);
      if (place < 0) return;
      const next = rows[place + (event.key === 'ArrowDown' ? 1 : -1)];
      if (!next) return;
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: 'nearest' });
    }
    let detailed = '';
    function detail(d) {
      if (!d || detailed === d.device + ' ' + d.version) return;
      detailed = d.device + ' ' + d.version;
      get('details-name').textContent = plain(d.name ?? d.device);
      const facts = [['device', d.device], ['state', d.kind], ['since', d.since], ['reason', d.reason],
        ['ended', d.ended], ['payload', d.payload], ['conflict', d.conflict], ['flapping', d.flapping ? 'yes' : 'no'],
        ['epoch', d.epoch], ['instance', d.instance]];
      get('details-list').replaceChildren(...facts.filter(([, value]) => value !== null && value !== undefined)
        .flatMap(([name, value]) => {
          const term = document.createElement('dt'), text = document.createElement('dd'), bdi = document.createElement('bdi');
          term.textContent = name;
          bdi.textContent = plain(value);
          text.append(bdi);
          return [term, text];
        }));
      get('details-history').replaceChildren(...(d.history ?? []).slice().reverse().map(([time, word]) => {
        const line = document.createElement('li');
        line.textContent = new Date(time).toLocaleString() + ' ' + word;
        return line;
      }));
    }

    // What comes
    function beat(state) {
      lastBeat = performance.now();
      broker = state;
      look();
    }

    function look() {
      const isSilent = performance.now() - lastBeat > quietLimit;
      const banner = get('banner');
      const text = isSilent ? 'The connection to limpet watch is lost: what is shown is old.'
        : broker && !broker.connected ? 'No connection to the broker, so what is shown is old: ' + plain(broker.broker) : '';
      if (banner.textContent !== text) {
        banner.textContent = text;
        banner.hidden = !text;
        change();
      }
    }
    setInterval(look, 500);
    setInterval(draw, 30000);

    async function load() {
      try {
        const answer = await fetch('devices');
        if (!answer.ok) throw new Error(answer.status);
        const all = await answer.json();
        devices.clear();
        sorted = [];
        for (const word in counts) delete counts[word];
        for (const d of all.devices) take(d);
        lastID = all.id;
        beat(all);
        change();
        listen();
      } catch {
        setTimeout(load, 1000);
      }
    }

    function listen() {
      source?.close();
      source = new EventSource('events?after=' + lastID);
      source.addEventListener('device', (event) => {
        take(JSON.parse(event.data));
        lastID = event.lastEventId;
        change();
      });
      source.addEventListener('beat', (event) => beat(JSON.parse(event.data)));
      source.addEventListener('reset', () => { source.close(); load(); });
      source.addEventListener('error', () => {
        if (source.readyState === EventSource.CLOSED) setTimeout(load, 1000);
      });
    }

    list.addEventListener('scroll', draw, { passive: true });
    addEventListener('resize', draw);
    load();
    """#
}
