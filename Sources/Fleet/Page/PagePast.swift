extension PageFiles {
  /// What the page shows of the last 24 hours; it is a part of the script.
  static let pastScript = #"""


    // Each has a contrast of 3 to 1 and more with the light ground and the dark one (WCAG 2, 1.4.11).
    const colours = { online: '#2da44e', offline: '#218bff', lost: '#cf222e', expired: '#cf222e', other: '#bf8700' };
    // What was while nobody watched is not known, whatever was before and after it; and a time that goes on is seen only
    // as long as this page hears from the watch.
    function gaps(from, now) {
      const gaps = [];
      let end = from;
      for (const [start, until] of watched) {
        if (start > end) gaps.push([end, Math.min(start, now)]);
        end = Math.max(end, until ?? Math.min(now, lastSeen + quietLimit));
        if (end >= now) break;
      }
      if (end < now) gaps.push([end, now]);
      return gaps;
    }

    // The strip in words, for those who do not see it.
    function inStates(d) {
      const states = d.history ?? [], now = Date.now();
      const words = new Set(states.map(([, word]) => word));
      if (!states.length || states[0][0] > now - day || gaps(states[0][0], now).length) words.add('not known');
      return 'last 24 hours: ' + Array.from(words).join(', ');
    }

    function strip(canvas, d) {
      canvas.setAttribute('aria-label', inStates(d));
      const context = canvas.getContext('2d'), now = Date.now();
      const states = d.history ?? [], grey = '#8c959f55';
      const place = (time) => Math.max(0, 120 - (now - time) / day * 120);
      const paint = (from, to, colour) => {
        if (now - to > day) return;
        const x = Math.min(place(from), 119), width = Math.max(1, place(to) - x);
        context.clearRect(x, 0, width, 16);
        context.fillStyle = colour;
        context.fillRect(x, 0, width, 16);
      };
      paint(now - day, now, grey);
      states.forEach(([from, word], index) => {
        paint(from, index + 1 < states.length ? states[index + 1][0] : now, colours[word] ?? '#8c959f');
      });
      if (states.length) for (const [from, to] of gaps(states[0][0], now)) paint(from, to, grey);
    }

    // What there was, the oldest first, with what is not known of it.
    function course(d) {
      const states = d.history ?? [], now = Date.now();
      if (!states.length) return [];
      const lines = states.map(([time, word]) => [time, word]);
      for (const [from, to] of gaps(states[0][0], now)) {
        lines.push([from, 'not known: limpet watch was not connected']);
        const before = states.filter(([time]) => time <= to + quietLimit).pop();
        if (to < now && before[0] < to) lines.push([to, before[1]]);
      }
      return lines.sort((a, b) => a[0] - b[0]);
    }

    """#
}
