// Updates the parts of a page that are marked with `data-live`. Elements that remain are changed in place, so that the focus, the
// selection, opened details and scroll positions remain, too.

const INTERVAL_MILLISECONDS = 5_000;
const TIMEOUT_MILLISECONDS = 10_000;

const live = document.getElementById('live');
const status = document.getElementById('updated');
const pause = document.createElement('button');
pause.type = 'button';
let isPaused = false;

function showPaused() {
  pause.textContent = isPaused ? 'Resume updates' : 'Pause updates';
}

function isSame(left, right) {
  return left.nodeType === right.nodeType && left.nodeName === right.nodeName && left.id === right.id;
}

function idsOf(element) {
  return new Set([...element.children].map((child) => child.id).filter(Boolean));
}

/** Makes an element equal to another one of the same name. Children with an id remain if both have them, and are not moved. */
function update(current, next) {
  for (const { name } of [...current.attributes]) {
    if (!next.hasAttribute(name)) current.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  const ids = idsOf(next);
  let old = current.firstChild;
  const passOld = () => {
    const passed = old;
    old = old.nextSibling;
    return passed;
  };
  for (const node of next.childNodes) {
    while (old?.id && !ids.has(old.id)) passOld().remove();
    if (old && isSame(old, node)) {
      if (node.nodeType === Node.ELEMENT_NODE) update(passOld(), node);
      else passOld().data = node.data;
    } else if (old && !old.id && !node.id) {
      passOld().replaceWith(document.importNode(node, true));
    } else {
      current.insertBefore(document.importNode(node, true), old);
    }
  }
  while (old) passOld().remove();
}

async function refresh() {
  const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const response = await fetch(location.href, { cache: 'no-store', headers: { accept: 'text/html' }, signal });
  if (response.status === 401) {
    // Otherwise the browser shows its dialog at each attempt.
    isPaused = true;
    showPaused();
  }
  if (!response.ok) throw new Error(`the service responds with ${response.status}`);
  const next = new DOMParser().parseFromString(await response.text(), 'text/html');
  for (const part of document.querySelectorAll('[data-live]')) {
    const replacement = next.getElementById(part.id);
    if (replacement) update(part, replacement);
  }
  document.title = next.title;
}

let failure = '';
let updatedAt = new Date();

async function tick() {
  if (!isPaused && document.visibilityState === 'visible') {
    try {
      await refresh();
      updatedAt = new Date();
      if (failure) status.textContent = '';
      failure = '';
    } catch (error) {
      // Once, because a screen reader announces it.
      const text = `Not updated since ${updatedAt.toLocaleTimeString()}: ${error.message}.`;
      if (!failure) status.textContent = text;
      failure = text;
    }
  }
  setTimeout(tick, INTERVAL_MILLISECONDS);
}

if (document.querySelector('[data-live]')) {
  showPaused();
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    showPaused();
  });
  live.append(pause);
  setTimeout(tick, INTERVAL_MILLISECONDS);
}
