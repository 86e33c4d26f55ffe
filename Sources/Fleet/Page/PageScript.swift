extension PageFiles {
  /// What the page does in a browser; it asks nobody but where it came from.
  static let script = presentScript + pastScript

  private static let presentScript = #"""
    'use strict';
    const height = 44, day = 86400000, quietLimit = 5000;
    const get = (id) => document.getElementById(id);
    const list = get('list'), space = get('space');
    // Each device is one object for as long as it is there, in the order of the last sort: what is nearly in order is
    // sorted quickly.
    const devices = new Map(), counts = {};
    let sorted = [], shown = [], isStale = true, lastBeat = 0, lastSeen = 0, broker = null, selected = null, source = null, lastID = 0;
    let frame = 0, sortedAt = 0;
    // When somebody saw what devices were: from, and until, or null where that goes on.
    let watched = [], watchedText = '', views = 0;

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
      // What the news does not say is not so any more.
      const version = d.version + 1;
      for (const key in d) if (!(key in news)) d[key] = undefined;
      Object.assign(d, news);
      d.version = version;
      d.kind = d.state === 'offline' && d.ended !== 'clean' ? 'lost' : d.state;
      d.rank = ranks[d.kind] ?? 2;
      d.began = d.since ? Date.parse(d.since) : 0;
      d.words = (d.device + ' ' + (d.name ?? '')).toLowerCase();
      counts[d.kind] = (counts[d.kind] ?? 0) + 1;
    }

    // The broker keeps nothing of it any more.
    function forget(name) {
      const d = devices.get(name);
      if (!d) return;
      counts[d.kind]--;
      devices.delete(name);
      sorted = sorted.filter((other) => other !== d);
      if (selected === name) shut();
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
      // A title that is too long is cut by itself: neither the id nor the marks go with it.
      for (const [kind, name] of [['bdi', 'title'], ['span', 'mark'], ['bdi', 'id']]) {
        const part = document.createElement(kind);
        part.className = name;
        row.children[1].append(part);
      }
      const strip = document.createElement('canvas');
      strip.width = 120;
      strip.height = 16;
      strip.setAttribute('role', 'img');
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
      if (row.drawn === d && row.version === d.version && row.minute === minute && row.views === views) return;
      [row.drawn, row.version, row.minute, row.views, row.dataset.device] = [d, d.version, minute, views, d.device];
      row.className = 'row ' + d.kind;
      row.children[0].textContent = d.kind;
      const [title, mark, id] = row.children[1].children;
      const hasTitle = Boolean(d.name) && d.name !== d.device;
      title.textContent = plain(hasTitle ? d.name : d.device);
      id.textContent = hasTitle ? plain(d.device) : '';
      id.hidden = !hasTitle;
      mark.textContent = (d.conflict ? ' conflict' : '') + (d.flapping ? ' flapping' : '');
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
      if (d.state === 'missing') {
        parts.push(d.cleared ? 'expected; it has reported before, but is not there now' : 'expected, but has never reported');
      }
      if (d.reason) parts.push(plain(d.reason));
      if (d.since) parts.push(ago(Date.parse(d.since)));
      return parts.join(', ');
    }

    // Details
    function open(name) {
      selected = name;
      get('details').hidden = false;
      detail(devices.get(name));
      lookAt(name);
      get('close').focus();
    }

    // Readings are subscribed to only while somebody looks.
    let readings = null, described = [];
    function lookAt(name) {
      readings?.close();
      described = [];
      const rows = new Map(), note = get('readings-note');
      get('readings').replaceChildren();
      note.textContent = 'Waiting for readings; those that the broker does not retain appear when the device publishes them.';
      const stream = readings = new EventSource('readings?device=' + encodeURIComponent(name));
      stream.addEventListener('reading', (event) => {
        const reading = JSON.parse(event.data);
        note.textContent = '';
        let text = rows.get(reading.name);
        if (!text) {
          const term = document.createElement('dt'), label = document.createElement('bdi');
          text = document.createElement('dd');
          text.append(document.createElement('bdi'));
          label.textContent = plain(reading.name);
          term.append(label);
          const next = Array.from(rows.keys()).filter((other) => other > reading.name).sort()[0];
          const place = next === undefined ? null : rows.get(next).previousSibling;
          get('readings').insertBefore(term, place);
          get('readings').insertBefore(text, place);
          rows.set(reading.name, text);
        }
        text.firstChild.textContent = plain(inWords(reading.payload)).slice(0, 400);
      });
      stream.addEventListener('presence', (event) => {
        let own;
        try { own = JSON.parse(JSON.parse(event.data).payload); } catch { return; }
        if (own === null || typeof own !== 'object') return;
        described = [['version', own.version], ['session present', own.session_present],
          ['the broker notices a loss within', own.detect_within ? own.detect_within + ' s' : null],
          ['storage', own.storage_error], ['readings dropped', own.dropped]];
        detailed = '';
        detail(devices.get(selected));
      });
      stream.addEventListener('refused', (event) => { note.textContent = plain(JSON.parse(event.data).reason); });
      stream.addEventListener('error', () => {
        if (stream.readyState === EventSource.CLOSED) {
          note.textContent = 'No readings: 16 devices\' details are open already, or this is not a limpet device.';
        }
      });
    }

    // A payload in JSON as a person would say it, any other as it is.
    function inWords(payload) {
      let reading;
      try { reading = JSON.parse(payload); } catch { return payload; }
      if (reading === null || typeof reading !== 'object') return payload;
      const unit = (name) => reading.units?.[name] ? ' ' + reading.units[name] : '';
      const values = reading.values && typeof reading.values === 'object'
        ? Object.entries(reading.values).map(([name, value]) => name + ' ' + value + unit(name)).join(', ')
        : 'value' in reading && reading.value !== null ? reading.value + (reading.unit ? ' ' + reading.unit : '') : null;
      if (values === null && !reading.quality) return payload;
      const parts = [values, reading.quality && reading.quality !== 'good' ? reading.quality : null, reading.error,
        reading.edge, reading.cause];
      if (typeof reading.time === 'string') parts.push(ago(Date.parse(reading.time)));
      return parts.filter((part) => part !== null && part !== undefined).join(', ');
    }

    function shut() {
      readings?.close();
      readings = null;
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
        ['epoch', d.epoch], ['instance', d.instance], ...described];
      get('details-list').replaceChildren(...facts.filter(([, value]) => value !== null && value !== undefined)
        .flatMap(([name, value]) => {
          const term = document.createElement('dt'), text = document.createElement('dd'), bdi = document.createElement('bdi');
          term.textContent = name;
          bdi.textContent = plain(value);
          text.append(bdi);
          return [term, text];
        }));
      get('details-history').replaceChildren(...course(d).reverse().map(([time, word]) => {
        const line = document.createElement('li');
        line.textContent = new Date(time).toLocaleString() + ' ' + word;
        return line;
      }));
    }

    // What comes
    function beat(state) {
      lastBeat = performance.now();
      lastSeen = Date.now();
      broker = state;
      const text = JSON.stringify(state.watched);
      if (text !== watchedText) {
        watchedText = text;
        watched.splice(0, watched.length, ...(state.watched ?? []));
        views++;
        detailed = '';
        change();
      }
      look();
    }

    function look() {
      const isSilent = performance.now() - lastBeat > quietLimit;
      const banner = get('banner');
      const text = isSilent ? 'The connection to limpet watch is lost: this page is out of date.'
        : broker && !broker.connected ? 'No connection to the broker, so this page is out of date: ' + plain(broker.broker) : '';
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
      source.addEventListener('gone', (event) => {
        forget(JSON.parse(event.data).device);
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
