// Keeps the spawn form true without reloading it: asks the Hub again what fits, after each choice and every so often.
// Words and decisions are the server's; this file only puts them where they belong, always as text.

const EVERY_MS = 15_000;
const TYPING_MS = 300;

const root = document.getElementById('kf-form');
const form = root.closest('form');
let asked = 0;
let flight = null;
let timer = 0;

function part(id) {
  return document.getElementById(id);
}

/** Put text into an element and hide it when there is none; untouched when nothing changed, so that nothing is read out twice. */
function say(element, text) {
  if (element && element.textContent !== text) {
    element.textContent = text;
  }
  if (element) {
    element.hidden = !text;
  }
}

function query(whole) {
  const wanted = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === 'string' && name !== '_xsrf') {
      wanted.append(`opt-${name}`, value);
    }
  }
  if (whole) {
    wanted.set('whole', '1');
  }
  return wanted;
}

/** Fields of a choice that is not made are neither sent nor reached by the keyboard. */
function settle() {
  for (const other of root.querySelectorAll('.kf-other')) {
    const chosen = other.parentElement.querySelector(':scope > input').checked;
    for (const input of other.querySelectorAll('input')) {
      input.disabled = !chosen;
    }
  }
  for (const also of root.querySelectorAll('.kf-also > input')) {
    also.disabled = !also.parentElement.parentElement.querySelector(':scope > input').checked;
  }
  const size = part('kf-home-size');
  if (size) {
    size.disabled = Boolean(part('kf-home-none')?.checked);
  }
  for (const bar of root.querySelectorAll('[data-used]')) {
    bar.style.width = `${bar.dataset.used}%`;
  }
}

function showCards(group, cards) {
  const area = root.querySelector(`[data-group="${group}"]`);
  for (const card of cards) {
    const element = area?.querySelector(`[data-key="${CSS.escape(card.key)}"]`);
    if (!element) {
      continue;
    }
    element.dataset.level = card.level;
    const input = element.querySelector(':scope > input');
    input.disabled = card.disabled && !input.checked;
    for (const name of ['text', 'reason', 'price']) {
      say(element.querySelector(`[data-part="${name}"]`), card[name] ?? '');
    }
  }
}

function countChoice(choice) {
  const id = `kf-count-${choice.key}`;
  const span = document.createElement('span');
  span.className = 'kf-choice';
  const input = Object.assign(document.createElement('input'), {
    type: 'radio', id, name: 'count', value: choice.key, autocomplete: 'off', checked: choice.checked
  });
  input.setAttribute('aria-describedby', `${id}-text`);
  const label = Object.assign(document.createElement('label'), { htmlFor: id, textContent: choice.key });
  const text = Object.assign(document.createElement('span'), { id: `${id}-text`, className: 'kf-text' });
  span.append(input, ' ', label, ' ', text);
  return span;
}

function showCounts(counts) {
  const row = part('kf-counts');
  if (!row) {
    return;
  }
  const keys = [...row.querySelectorAll('input')].map(input => input.value);
  if (keys.join() !== counts.map(each => each.key).join()) {
    row.replaceChildren(...counts.map(countChoice));
  }
  counts.forEach((choice, index) => {
    const span = row.children[index];
    const input = span.querySelector('input');
    span.dataset.level = choice.level;
    input.disabled = choice.disabled && !input.checked;
    span.querySelector('.kf-text').textContent = choice.reason || choice.text;
  });
  part('kf-count').hidden = counts.length === 0;
}

function showQuota(lines) {
  const list = part('kf-quota');
  list.replaceChildren(
    ...lines.map(line => {
      const item = document.createElement('li');
      const words = Object.assign(document.createElement('span'), {
        textContent: `${line.name}: ${line.left} of ${line.hard} left`
      });
      const bar = Object.assign(document.createElement('span'), { className: 'kf-bar' });
      bar.setAttribute('aria-hidden', 'true');
      const used = document.createElement('span');
      used.dataset.used = line.share;
      bar.append(used);
      item.append(words, ' ', bar);
      return item;
    })
  );
  list.hidden = lines.length === 0;
}

function showProblem(problem) {
  for (const place of root.querySelectorAll('[data-problem]')) {
    say(place, problem && place.dataset.problem === problem.field ? problem.text : '');
    part(`kf-${place.dataset.problem}`)?.setAttribute('aria-invalid', String(!place.hidden));
  }
}

function show(state) {
  if (state.html) {
    part('kf-choices').innerHTML = state.html; // the server's own template, escaped there
  } else {
    for (const group of ['image', 'size', 'accelerator']) {
      showCards(group, state[group] ?? []);
    }
    showCounts(state.count);
    showQuota(state.quota);
    showProblem(state.problem);
    const summary = root.querySelector('.kf-summary');
    summary.dataset.level = state.problem ? 'never' : state.summary.level;
    summary.dataset.disabled = String(state.problem ? true : state.summary.disabled);
    say(part('kf-words'), state.problem ? '' : state.summary.words);
    say(part('kf-verdict'), state.problem ? state.problem.text : state.summary.verdict);
    say(part('kf-price'), state.problem ? '' : state.summary.price);
    part('kf-link').search = state.link;
    part('kf-code').textContent = state.code;
  }
  say(part('kf-live'), '');
  offerCopies();
  settle();
}

async function refresh(whole = false) {
  clearTimeout(timer);
  timer = setTimeout(() => refresh(), EVERY_MS);
  if (document.hidden) {
    return;
  }
  const mine = ++asked;
  flight?.abort();
  flight = new AbortController();
  try {
    const answer = await fetch(`${root.dataset.state}?${query(whole)}`, {
      headers: { Accept: 'application/json' }, signal: flight.signal, redirect: 'error'
    });
    const state = await answer.json();
    if (mine !== asked) {
      return;
    }
    if (answer.ok && !state.empty) {
      show(state);
    } else {
      say(part('kf-live'), state.what ?? state.empty?.note ?? state.message ?? 'Reload the page: you may be signed out.');
    }
  } catch (error) {
    if (mine === asked && error.name !== 'AbortError') {
      say(part('kf-live'), 'The Hub does not answer. What is shown may be old; it is checked again when you press Start.');
    }
  }
}

function offerCopies() {
  for (const button of root.querySelectorAll('[data-copy]')) {
    button.hidden = !navigator.clipboard;
  }
}

async function copy(button) {
  const source = part(button.dataset.copy);
  const words = button.textContent;
  await navigator.clipboard.writeText(source.href ?? source.textContent);
  button.textContent = 'Copied';
  setTimeout(() => (button.textContent = words), 2000);
}

if (root.dataset.state) {
  root.addEventListener('change', event => {
    settle();
    // A count belongs to its accelerator: the least of the new one is asked for.
    if (event.target.name === 'accelerator') {
      part('kf-counts').replaceChildren();
    }
    refresh(event.target.name === 'namespace');
  });
  root.addEventListener('input', event => {
    if (event.target.type === 'text') {
      clearTimeout(timer);
      timer = setTimeout(() => refresh(), TYPING_MS);
    }
  });
  root.addEventListener('click', event => {
    const button = event.target.closest('[data-copy]');
    if (button) {
      void copy(button);
    }
  });
  form.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  document.addEventListener('visibilitychange', () => refresh());
  timer = setTimeout(() => refresh(), EVERY_MS);
}
offerCopies();
settle();
