'use strict';
(() => {
const $ = (id) => document.getElementById(id);
const kPeriodMs = 2000;      // Between two looks, and longer when an answer takes long.
const kRowsMax = 300;        // A browser shows no more of a table with pleasure.
const kHistory = 60;

// --- making elements: never from text that holds markup ---
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
function fill(table, columns, rows) {
  const head = element('tr');
  for (const [title, kind] of columns) head.append(element('th', { scope: 'col', class: kind || '' }, title));
  table.tHead.replaceChildren(head);
  const body = document.createDocumentFragment();
  for (const row of rows.slice(0, kRowsMax)) {
    const tr = element('tr', { class: row.class || '' });
    row.cells.forEach((cell, i) => {
      const kind = columns[i][1] || '';
      const bad = row.bad && row.bad.includes(i) ? ' bad' : '';
      tr.append(element('td', { class: kind + bad }, cell === undefined || cell === null ? '' : cell));
    });
    body.append(tr);
  }
  if (!rows.length) body.append(element('tr', {}, element('td', { colspan: columns.length, class: 'muted' }, 'Nothing here.')));
  table.tBodies[0].replaceChildren(body);
}
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const count = (n) => whole.format(n);
const rate = (n) => n === undefined ? '–' : n >= 100 ? whole.format(n) : short.format(n);
const ms = (n) => n === undefined || n === null ? '–' : (n < 10 ? short.format(n) : whole.format(n)) + ' ms';
const bytes = (n) => n > 1 << 20 ? short.format(n / (1 << 20)) + ' MiB' : whole.format(n / 1024) + ' KiB';
function duration(s) {
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${Math.floor(s % 60)} s` : `${Math.floor(s)} s`;
}
const escapeRegex = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

async function get(path, parameters) {
  const query = new URLSearchParams(parameters || {}).toString().replace(/\+/g, '%20');
  const answer = await fetch(query ? path + '?' + query : path, { cache: 'no-store' });
  if (!answer.ok && answer.status !== 503) throw new Error((await answer.text()).trim() || answer.statusText);
  return answer;
}
const json = async (path, parameters) => (await get(path, parameters)).json();

// --- rates: the difference of two looks ---
class Rates {
  constructor() { this.before = new Map(); this.now = new Map(); this.seconds = 0; this.at = 0; }
  begin() {
    const at = performance.now();
    this.seconds = this.at ? (at - this.at) / 1000 : 0;
    this.at = at;
    this.before = this.now;
    this.now = new Map();
  }
  of(name, value) {
    this.now.set(name, value);
    const old = this.before.get(name);
    return this.seconds && old !== undefined ? Math.max(0, value - old) / this.seconds : undefined;
  }
}

async function readStats(parameters) {
  const answer = await json('stats', { format: 'json', ...parameters });
  const numbers = new Map(), histograms = new Map();
  for (const each of answer.stats) {
    if (each.name !== undefined) numbers.set(each.name, Number(each.value));
    const computed = each.histograms && each.histograms.computed_quantiles;
    const at = each.histograms && each.histograms.supported_quantiles;
    for (const one of computed || []) {
      const values = {};
      one.values.forEach((v, i) => { values[at[i]] = v.interval === null ? v.cumulative : v.interval; });
      histograms.set(one.name, values);
    }
  }
  return { numbers, histograms };
}

// --- clusters ---
const clusterRates = new Rates();
async function readClusters(filter) {
  const answer = await json('clusters', filter ? { format: 'json', filter } : { format: 'json' });
  clusterRates.begin();
  return (answer.cluster_statuses || []).map((cluster) => {
    const hosts = (cluster.host_statuses || []).map((host) => {
      const socket = host.address && host.address.socket_address;
      const address = socket ? (socket.address.includes(':') ? `[${socket.address}]` : socket.address) + ':' + socket.port_value
        : host.address && host.address.pipe ? host.address.pipe.path : '';
      const n = {};
      for (const stat of host.stats || []) n[stat.name] = Number(stat.value || 0);
      const key = cluster.name + '\n' + address + '\n';
      const health = (host.health_status && host.health_status.eds_health_status) || 'HEALTHY';
      return { address, hostname: host.hostname || '', health, n, total: n.rq_total || 0,
               rate: clusterRates.of(key + 'rq', n.rq_total || 0),
               errors: clusterRates.of(key + 'error', n.rq_error || 0) };
    });
    const sum = (of) => hosts.reduce((all, host) => all + (of(host) || 0), 0);
    return { name: cluster.name, hosts, rate: clusterRates.seconds ? sum((h) => h.rate) : undefined,
             errors: clusterRates.seconds ? sum((h) => h.errors) : undefined, total: sum((h) => h.total),
             active: sum((h) => h.n.rq_active), connections: sum((h) => h.n.cx_active),
             healthy: hosts.filter((h) => h.health === 'HEALTHY').length };
  });
}
const kClusterColumns = [['Cluster / host'], ['Health'], ['Requests/s', 'number'], ['Errors/s', 'number'], ['P50', 'number'],
  ['P99', 'number'], ['Active', 'number'], ['Connections', 'number'], ['Requests', 'number']];
function health(ok, text) { return element('span', { class: 'pill ' + (ok ? 'good' : 'bad') }, text); }
function clusterRow(c, times) {
  const t = times.get(`cluster.${c.name}.upstream_rq_time`) || {};
  return { class: 'cluster', bad: c.errors > 0 ? [3] : [],
           cells: [c.name, health(c.healthy === c.hosts.length && c.hosts.length > 0, `${c.healthy} of ${c.hosts.length}`), rate(c.rate), rate(c.errors),
                   ms(t[50]), ms(t[99]), count(c.active), count(c.connections), count(c.total)] };
}
function hostRow(h) {
  const name = h.hostname && !h.address.startsWith(h.hostname + ':') ? `${h.address} (${h.hostname})` : h.address;
  return { class: 'host', bad: h.errors > 0 ? [3] : [],
           cells: [name, health(h.health === 'HEALTHY', h.health.toLowerCase()), rate(h.rate), rate(h.errors), '', '',
                   count(h.n.rq_active || 0), count(h.n.cx_active || 0), count(h.total)] };
}
async function latencies(clusters) {
  if (!clusters.length) return new Map();
  const names = clusters.map((c) => escapeRegex(c.name)).join('|');
  if (names.length > 6000) return new Map();
  return (await readStats({ type: 'Histograms', filter: `^cluster\\.(${names})\\.upstream_rq_time$` })).histograms;
}
async function showClusters() {
  let clusters = await readClusters($('cluster-filter').value);
  const all = clusters.length;
  if ($('cluster-trouble').checked) {
    clusters = clusters.filter((c) => c.errors > 0 || c.healthy < c.hosts.length || !c.hosts.length);
  }
  const shown = [];
  for (const c of clusters) {
    if (shown.length && shown.reduce((n, s) => n + 1 + s.hosts.length, 0) + c.hosts.length >= kRowsMax) break;
    shown.push(c);
  }
  const times = await latencies(shown);
  fill($('cluster-table'), kClusterColumns, shown.flatMap((c) => [clusterRow(c, times), ...c.hosts.map(hostRow)]));
  $('cluster-count').textContent = `${shown.length} of ${all} shown`;
}

// --- overview ---
const overviewRates = new Rates();
const history = [];
function card(title, value, bad) {
  return element('div', { class: 'card' + (bad ? ' bad' : '') }, element('span', {}, title), element('b', {}, value));
}
function drawChart() {
  const width = 600, height = 120, top = Math.max(1, ...history.map((p) => p.all));
  const x = (i) => width - (history.length - 1 - i) * width / (kHistory - 1), y = (v) => height - 4 - v / top * (height - 12);
  const line = (of) => history.map((p, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(of(p)).toFixed(1)}`).join('');
  const svg = (tag, attributes) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
    return made;
  };
  const parts = [0.25, 0.5, 0.75, 1].map((part) => svg('line', { class: 'grid', x1: 0, x2: width, y1: y(top * part), y2: y(top * part) }));
  if (history.length > 1) {
    parts.push(svg('path', { class: 'all', d: `${line((p) => p.all)}L${width} ${height}L${x(0).toFixed(1)} ${height}Z` }));
    parts.push(svg('path', { class: 'bad', d: line((p) => p.bad) }));
  }
  $('chart').replaceChildren(...parts);
  const last = history[history.length - 1];
  $('chart-now').textContent = last ? `now ${rate(last.all)}/s, peak ${rate(top)}/s` : '';
}
async function showOverview() {
  const wanted = '^(http\\..*\\.downstream_(rq_total|rq_[2345]xx|rq_active|cx_active|rq_time)|server\\.(memory_allocated|memory_physical_size|uptime|concurrency|total_connections))$';
  const [info, { numbers, histograms }, clusters] = await Promise.all([json('server_info'), readStats({ filter: wanted }), readClusters('')]);
  const sum = (end) => [...numbers].reduce((all, [name, value]) =>
    name.startsWith('http.') && !name.startsWith('http.admin.') && name.endsWith(end) ? all + value : all, 0);
  overviewRates.begin();
  const all = overviewRates.of('all', sum('.downstream_rq_total')), bad = overviewRates.of('bad', sum('.downstream_rq_5xx'));
  if (all !== undefined) {
    history.push({ all, bad });
    if (history.length > kHistory) history.shift();
  }
  let p50, p99;
  for (const [name, t] of histograms) {
    if (name.startsWith('http.admin.') || t[99] === null) continue;
    if (p99 === undefined || t[99] > p99) [p50, p99] = [t[50], t[99]];
  }
  $('cards').replaceChildren(
    card('Requests per second', rate(all)), card('5xx per second', rate(bad), bad > 0), card('Latency P50', ms(p50)),
    card('Latency P99', ms(p99)), card('Requests in flight', count(sum('.downstream_rq_active'))),
    card('Client connections', count(sum('.downstream_cx_active'))), card('Clusters', count(clusters.length)),
    card('Memory', bytes(numbers.get('server.memory_physical_size') || 0)), card('Workers', info.command_line_options.concurrency),
    card('Up for', duration(parseFloat(info.uptime_current_epoch))));
  drawChart();
  const busy = clusters.sort((a, b) => (b.rate || 0) - (a.rate || 0) || b.total - a.total).slice(0, 8);
  const times = await latencies(busy);
  fill($('busiest'), kClusterColumns, busy.map((c) => ({ ...clusterRow(c, times), class: '' })));
}

// --- listeners ---
const listenerRates = new Rates();
async function showListeners() {
  const [answer, { numbers }] = await Promise.all([json('listeners', { format: 'json' }),
    readStats({ filter: '^listener\\..*\\.downstream_cx_(total|active)$' })]);
  listenerRates.begin();
  const rows = (answer.listener_statuses || []).map((l) => {
    const socket = l.local_address.socket_address;
    const address = socket ? (socket.address.includes(':') ? `[${socket.address}]` : socket.address) + ':' + socket.port_value : l.local_address.pipe.path;
    const prefix = 'listener.' + address.replace(/:/g, '_') + '.';
    const total = numbers.get(prefix + 'downstream_cx_total');
    return { cells: [l.name, address, total === undefined ? '–' : rate(listenerRates.of(l.name, total)),
                     count(numbers.get(prefix + 'downstream_cx_active') || 0), total === undefined ? '–' : count(total)] };
  });
  fill($('listener-table'), [['Name'], ['Address', 'name'], ['Connections/s', 'number'], ['Open', 'number'], ['Accepted', 'number']], rows);
}

// --- statistics ---
const statRates = new Rates();
async function showStats() {
  const parameters = { type: $('stat-type').value };
  if ($('stat-filter').value) parameters.filter = $('stat-filter').value;
  if ($('stat-used').checked) parameters.usedonly = '';
  const { numbers, histograms } = await readStats(parameters);
  statRates.begin();
  const rows = [];
  for (const [name, value] of numbers) {
    const change = statRates.of(name, value);
    rows.push({ cells: [name, count(value), change ? rate(change) : ''] });
  }
  for (const [name, t] of histograms) {
    const text = t[50] === null ? 'nothing recorded' : `P50 ${short.format(t[50])}  P90 ${short.format(t[90])}  P99 ${short.format(t[99])}  max ${short.format(t[100])}`;
    rows.push({ cells: [name, text, ''] });
  }
  fill($('stat-table'), [['Name', 'name'], ['Value', 'number'], ['per second', 'number']], rows);
  $('stat-count').textContent = rows.length > kRowsMax ? `first ${kRowsMax} of ${rows.length}` : `${rows.length}`;
}

// --- configuration ---
let places = new Map();
function marked(text) {
  const wanted = $('config-filter').value.toLowerCase(), at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
  if (at < 0) return [text];
  return [text.slice(0, at), element('mark', {}, text.slice(at, at + wanted.length)), text.slice(at + wanted.length)];
}
function contains(value, wanted) {
  if (value !== null && typeof value === 'object') {
    return Object.entries(value).some(([k, v]) => (!Array.isArray(value) && k.toLowerCase().includes(wanted)) || contains(v, wanted));
  }
  return String(value).toLowerCase().includes(wanted);
}
function label(key, value, path) {
  const parts = [element('span', { class: 'key-name' }, ...marked(key))];
  const name = value && typeof value === 'object' && !Array.isArray(value) && (value.name || value.cluster_name);
  if (name) parts.push(' ', ...marked(String(name)));
  if (Array.isArray(value)) parts.push(element('span', { class: 'muted' }, ` [${value.length}]`));
  if (places.has(path)) parts.unshift(element('span', { class: 'place' }, places.get(path)));
  return parts;
}
function node(key, value, path, depth) {
  if (value === null || typeof value !== 'object') {
    return element('div', {}, element('span', { class: 'key-name' }, ...marked(key)), ': ', ...marked(JSON.stringify(value)));
  }
  const wanted = $('config-filter').value.toLowerCase();
  const made = element('details', {}, element('summary', {}, ...label(key, value, path)));
  const open = () => {
    if (made.dataset.filled) return;
    made.dataset.filled = '1';
    for (const [k, v] of Object.entries(value)) {
      if (k === '@type') continue;
      made.append(node(Array.isArray(value) ? `[${k}]` : k, v, Array.isArray(value) ? `${path}[${k}]` : path ? `${path}.${k}` : k, depth + 1));
    }
  };
  made.addEventListener('toggle', () => { if (made.open) open(); });
  if (depth < 2 || (wanted && contains(value, wanted))) { open(); made.open = true; }
  return made;
}
let configuration;
async function loadConfiguration() {
  const [dump, sources] = await Promise.all([json('config_dump', { mask: 'bootstrap' }), json('sources').catch(() => ({ sources: [] }))]);
  places = new Map((sources.sources || []).map((s) => [s.path, `${s.file}:${s.line}`]));
  configuration = dump.configs[0].bootstrap;
  drawConfiguration();
}
function drawConfiguration() {
  if (!configuration) return;
  const wanted = $('config-filter').value.toLowerCase();
  const parts = Object.entries(configuration).filter(([k, v]) => !wanted || k.includes(wanted) || contains(v, wanted));
  $('config-tree').replaceChildren(...parts.map(([k, v]) => node(k, v, k, 0)));
  $('config-count').textContent = wanted && !parts.length ? 'not found' : '';
}

// --- explain ---
async function explain(event) {
  event.preventDefault();
  const form = new FormData($('explain-form')), out = $('explain-answer');
  try {
    const answer = await json('explain', { method: form.get('method'), url: form.get('url'), fields: form.get('fields') });
    const list = element('ol', { class: 'steps' });
    for (const step of answer.steps) {
      const line = element('li', { class: step.kind.replace(' ', '-') }, step.text);
      line.style.marginInlineStart = `${step.depth * 1.25}rem`;
      if (step.source) line.append(' ', element('code', {}, step.source));
      list.append(line);
    }
    out.replaceChildren(list);
  } catch (error) {
    out.replaceChildren(element('p', { class: 'note' }, error.message));
  }
}

// --- views ---
const views = { overview: showOverview, clusters: showClusters, listeners: showListeners, stats: showStats,
                configuration: null, explain: null, commands: null };
let current = '', paused = false, timer = 0, turn = 0;
async function look() {
  clearTimeout(timer);
  const show = views[current], mine = ++turn, begin = performance.now();
  try {
    const ready = await get('ready');
    const state = (await ready.text()).trim();
    $('state').textContent = state;
    $('state').className = 'pill ' + (ready.ok ? 'good' : '');
    if (show) await show();
    if (mine === turn) $('freshness').textContent = new Date().toLocaleTimeString();
  } catch (error) {
    $('freshness').textContent = error.message || 'no answer';
    if (error instanceof TypeError) {
      $('state').textContent = 'UNREACHABLE';
      $('state').className = 'pill bad';
    }
  }
  if (show && !paused && mine === turn) timer = setTimeout(look, Math.max(kPeriodMs, 10 * (performance.now() - begin)));
}
function open(name) {
  current = name in views ? name : 'overview';
  for (const view of document.querySelectorAll('.view')) view.hidden = view.id !== 'view-' + current;
  for (const link of document.querySelectorAll('nav a')) {
    link.hash === '#' + current ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current');
  }
  if (current === 'configuration' && !configuration) loadConfiguration().catch((e) => { $('config-count').textContent = e.message; });
  look();
}
window.addEventListener('hashchange', () => open(location.hash.slice(1)));
$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').textContent = paused ? 'Go on' : 'Pause';
  $('pause').setAttribute('aria-pressed', String(paused));
  if (!paused) look();
});
let typing = 0;
for (const id of ['cluster-filter', 'cluster-trouble', 'stat-filter', 'stat-type', 'stat-used']) {
  $(id).addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(look, 200); });
}
$('config-filter').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(drawConfiguration, 200); });
$('config-load').addEventListener('click', () => { loadConfiguration().catch((e) => { $('config-count').textContent = e.message; }); });
$('explain-form').addEventListener('submit', explain);

// `/stats?format=active-html` is this page, with the statistics that the query names.
const asked = new URLSearchParams(location.search);
if (location.pathname.endsWith('/stats')) {
  $('stat-filter').value = asked.get('filter') || '';
  if (asked.get('type')) $('stat-type').value = asked.get('type');
  $('stat-used').checked = asked.has('usedonly');
}
open(location.hash.slice(1) || (location.pathname.endsWith('/stats') ? 'stats' : 'overview'));
})();
