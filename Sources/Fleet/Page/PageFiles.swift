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
    <p id="nothing" hidden>No device to show: none has reported, or none matches.</p>
    </main>
    <aside id="details" aria-label="Details" hidden>
    <button id="close" type="button">Close</button>
    <h2><bdi id="details-name"></bdi></h2>
    <dl id="details-list"></dl>
    <h3 id="readings-title">Readings</h3>
    <p id="readings-note" role="status"></p>
    <dl id="readings" aria-labelledby="readings-title"></dl>
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
    .row > .name { display: grid; grid-template-columns: minmax(0, max-content) max-content; column-gap: 6px; }
    .name > * { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .id { grid-column: 1 / -1; font-size: 12px; line-height: 16px; color: var(--quiet); }
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
}
