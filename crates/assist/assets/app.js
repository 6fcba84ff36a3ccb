// The page as a whole: views, keys, the person, the language, and the state of queue and model.
import { call } from './api.js';
import * as decide from './decide.js';
import * as grid from './grid.js';
import { $, attempt, belongsElsewhere, explain, fetchLabels, problem, release, state } from './page.js';
import * as report from './report.js';
import { current, percent, speak, t, translate } from './words.js';

const VIEWS = { decide, grid, report };
let view = null;

async function go() {
  const name = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : 'decide';
  const before = view;
  view = VIEWS[name];
  await before?.leave();
  if (view !== VIEWS[name]) return; // already elsewhere
  problem('');
  for (const other of Object.keys(VIEWS)) $(other).hidden = other !== name;
  for (const link of document.querySelectorAll('nav a')) link.ariaCurrent = link.hash === `#${name}` ? 'page' : null;
  $('main').focus({ preventScroll: true });
  await view.enter();
}

function words() {
  $('person').dataset.name = state.person;
  $('person').textContent = state.person;
  $('language').textContent = current() === 'en' ? '中文' : 'English';
  $('language').lang = current() === 'en' ? 'zh' : 'en';
  translate();
  if (state.status) draw(state.status);
}

/** Asks who is deciding; an empty answer keeps what is known. */
async function ask() {
  $('who_name').value = state.person;
  $('who').showModal();
  await new Promise((done) => $('who').addEventListener('close', done, { once: true }));
  const name = $('who_name').value.trim();
  if (!name) return state.person || ask();
  if (name === state.person) return name;
  await view?.leave(); // gives back in the name of who held
  state.person = name;
  localStorage.setItem('person', name);
  words();
  return name;
}

// The state of queue and model.
let weights = null;

function draw(status) {
  state.status = status;
  const { queue, auto_accept: auto, retrain, model } = status;
  const ready = queue.decided + queue.automatic;
  $('progress').max = queue.items || 1;
  $('progress').value = ready;
  const counts = [['n_decided', queue.decided], ['n_open', queue.open], ['n_skipped', queue.skipped], ['n_broken', queue.broken],
    ['n_waiting', Math.max(0, queue.items - queue.broken - queue.suggested)]];
  $('counts').textContent = counts.filter(([, n], index) => n || index < 2).map(([words, n]) => t(words, { n })).join(' · ');
  document.title = queue.open ? `${queue.open} · Tenfold` : 'Tenfold';

  const risk = percent(auto?.risk, 0, 2);
  const audit = auto?.audited ? ` ${t('audit', { n: auto.audited, wrong: auto.audit_errors })}` : '';
  $('auto').textContent = auto ? t(`auto_${auto.code}`, { risk, n: auto.accepted, threshold: percent(auto.threshold, 0, 2) }) + audit : t('auto_off');

  const { accuracy, round } = status.weights;
  $('model').textContent = t(accuracy == null ? 'model_is' : 'accuracy_is', { model, round: String(round), accuracy: percent(accuracy) });
  const { state: stage, accuracy_before: before, accuracy_after: after, message } = retrain;
  $('epochs').hidden = stage !== 'running';
  $('epochs').max = retrain.epochs || 1;
  $('epochs').value = retrain.epoch;
  $('retrain').disabled = stage === 'running';
  $('take').hidden = stage !== 'refused' || retrain.taken;
  const share = (part, interval) => percent(part) + (interval ? ` (${t('range', { low: percent(interval[0], 0), high: percent(interval[1], 0) })})` : '');
  const shares = { before: share(before, retrain.interval_before), after: share(after, retrain.interval_after), n: retrain.judged };
  const both = before != null && after != null;
  $('trained').textContent = {
    idle: () => '',
    running: () => (retrain.epoch ? t('running', { epoch: String(retrain.epoch), epochs: String(retrain.epochs) }) : t('starting')),
    done: () => t(both ? 'trained_from' : 'trained', shares),
    refused: () => (retrain.judged < status.fixed.needed ? t('few_judges', { n: retrain.judged, needed: status.fixed.needed }) : both ? t('worse', shares) : t('not_taken', { why: message })),
    failed: () => t('failed', { why: message }),
  }[stage]?.() ?? message;
  const known = stage === 'done' || stage === 'refused' ? retrain.known : null;
  if (known) $('trained').textContent += ` ${t('known', { before: share(known.before, known.interval_before), after: share(known.after, known.interval_after), n: known.examples })}`;

  if (state.labels.length !== status.labels && !document.hidden) fetchLabels();
  if (weights !== null && weights !== status.weights.id) decide.refetch();
  weights = status.weights.id;
  decide.look();
}
document.addEventListener('status', (event) => draw(event.detail));

// Events while the page is seen; where they do not come, it asks. A hidden tab holds no connection.
let events = null;
let asking = null;

async function poll() {
  await call('/v1/status').then(draw).catch(() => {});
}

function listen() {
  events?.close();
  clearInterval(asking);
  if (document.hidden) return;
  poll();
  events = new EventSource('/v1/events');
  events.addEventListener('status', (event) => draw(JSON.parse(event.data)));
  events.onopen = () => clearInterval(asking);
  events.onerror = () => {
    clearInterval(asking);
    asking = setInterval(() => {
      poll();
      if (events.readyState === EventSource.CLOSED) listen();
    }, 2000);
  };
}
document.addEventListener('visibilitychange', listen);

$('retrain').onclick = () => attempt(async () => {
  $('trained').textContent = '';
  try {
    await call('/v1/retrain', { person: state.person });
    $('trained').textContent = t('starting');
  } catch (refused) {
    if (![409, 422].includes(refused.status)) throw refused;
    $('trained').textContent = explain(refused);
  }
});
$('take').onclick = () => attempt(async () => {
  await call('/v1/retrain/take', { person: state.person });
  await poll();
});

$('person').onclick = async () => {
  const before = state.person;
  if (await ask() !== before) go();
};
$('language').onclick = () => {
  speak(current() === 'en' ? 'zh' : 'en');
  words();
  view?.enter();
};
$('help').onclick = () => $('keylist').showModal();
addEventListener('hashchange', go);
addEventListener('keydown', (event) => {
  if (document.querySelector('dialog[open]')) return;
  if (event.key === '?' && !belongsElsewhere(event)) {
    event.preventDefault();
    $('keylist').showModal();
  } else view?.keys(event);
});

// Held items: renewed while somebody is here, given back when the page goes.
let seen = Date.now();
for (const kind of ['keydown', 'pointerdown']) addEventListener(kind, () => { seen = Date.now(); });
setInterval(() => { if (Date.now() - seen < 10 * 60e3) decide.renew(); }, 120e3);
addEventListener('pagehide', () => release([...decide.ids(), ...grid.ids()]));
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

words();
if (!state.person) await ask();
await poll();
if (state.status?.order) $('order').value = state.status.order;
$('hide').disabled = !!state.status?.baseline;
$('hide').checked = $('hide').disabled;
listen();
await go();
