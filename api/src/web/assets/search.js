// Shows the results of another search without loading the page again. The page works without it: every search is a link or a form.

const DEBOUNCE_MILLISECONDS = 300;
const NEAR_KILOMETRES = 25;
/** Digits of a degree: a hundred metres, so that the address of the page does not contain the exact position. */
const DECIMALS = 3;

const main = document.getElementById('main');
/** What a screen reader announces. */
const status = document.createElement('p');
status.className = 'hidden';
status.setAttribute('role', 'status');
document.body.append(status);

let shown = location.href.split('#')[0];
let request = new AbortController();
let isTyping = false;
let typed;

function replace(next, selector) {
  const [current, replacement] = [document.querySelector(selector), next.querySelector(selector)];
  if (current && replacement) current.replaceWith(document.importNode(replacement, true));
}

/** The element that replaces one of an earlier page. */
function findAgain(element) {
  if (element.id) return document.getElementById(element.id);
  const href = element.getAttribute('href');
  return href && main.querySelector(`a[href="${CSS.escape(href)}"]`);
}

function retainFocus(change) {
  const focused = main.contains(document.activeElement) && document.activeElement;
  change();
  if (focused && !focused.isConnected) (findAgain(focused) ?? main).focus({ preventScroll: true });
}

function showPage(next) {
  const nodes = [...next.getElementById('main').childNodes].map((node) => document.importNode(node, true));
  retainFocus(() => main.replaceChildren(...nodes));
  addNear();
}

/** Shows what belongs to the results, and leaves the form to the reader. */
function showResults(next) {
  // An address that is not complete yet may be invalid.
  if ([document, next].some((page) => !page.querySelector('.columns'))) return false;
  retainFocus(() => {
    replace(next, '.days');
    replace(next, '.columns');
  });
  return true;
}

async function load(address, { isFromForm = false, history: change = 'push' } = {}) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  main.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(address, { headers: { accept: 'text/html' }, signal });
    if (!response.headers.get('content-type')?.startsWith('text/html')) throw new TypeError(`no page at ${address}`);
    if (isFromForm && !response.ok && response.status !== 400) throw new Error(`status ${response.status}`);
    const next = new DOMParser().parseFromString(await response.text(), 'text/html');
    if (signal.aborted) return;
    if (isFromForm && !showResults(next)) return;
    if (change === 'push' && address !== shown) history.pushState(null, '', address);
    if (change === 'replace') history.replaceState(null, '', address);
    shown = location.href.split('#')[0];
    isTyping = isFromForm;
    if (!isFromForm) showPage(next);
    for (const link of document.head.querySelectorAll('[rel=canonical], [rel=alternate]')) link.remove();
    document.head.append(...next.head.querySelectorAll('[rel=canonical], [rel=alternate]'));
    replace(next, '.languages');
    document.title = next.title;
    status.textContent = (document.getElementById('results') ?? document.querySelector('h1')).textContent;
  } catch (error) {
    // The browser shows what is wrong.
    if (error.name !== 'AbortError') location.assign(address);
  } finally {
    if (!signal.aborted) main.removeAttribute('aria-busy');
  }
}

/** The address of the search of a form, without empty values. */
function addressOf(form) {
  const filled = [...new FormData(form)].filter(([, value]) => value !== '');
  const query = new URLSearchParams(filled).toString();
  return new URL(query ? `?${query}` : './', location.href).href;
}

/** The address of the search that a link leads to, if it leads to one. */
function searchOf(event) {
  const link = event.target.closest('a[href]');
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  // Links in a picture have no property for their address.
  const url = new URL(link.getAttribute('href'), location.href);
  return url.origin === location.origin && url.pathname === location.pathname && !url.hash && url.href;
}

main.addEventListener('click', async (event) => {
  const address = searchOf(event);
  if (!address) return;
  event.preventDefault();
  clearTimeout(typed);
  const isPage = Boolean(event.target.closest('.pages'));
  await load(address);
  if (isPage) document.getElementById('results')?.scrollIntoView();
});

main.addEventListener('submit', (event) => {
  if (event.target.getAttribute('role') !== 'search') return;
  event.preventDefault();
  clearTimeout(typed);
  load(addressOf(event.target));
});

main.addEventListener('input', (event) => {
  const { form } = event.target;
  if (form?.getAttribute('role') !== 'search') return;
  clearTimeout(typed);
  typed = setTimeout(() => {
    if (!form.isConnected || !form.checkValidity()) return;
    // One step back leads to the search before all that was typed.
    load(addressOf(form), { isFromForm: true, history: isTyping ? 'replace' : 'push' });
  }, DEBOUNCE_MILLISECONDS);
});

addEventListener('popstate', () => {
  isTyping = false;
  if (location.href.split('#')[0] !== shown) load(location.href, { history: 'none' });
});

/** Shows the button that searches near the reader. */
function addNear() {
  const near = document.getElementById('near');
  if (!near || !isSecureContext || !navigator.geolocation) return;
  near.hidden = false;
  near.addEventListener('click', () => {
    const show = ({ coords }) => {
      const url = new URL(location.href);
      for (const name of ['city', 'bbox', 'cursor']) url.searchParams.delete(name);
      url.searchParams.set('latitude', coords.latitude.toFixed(DECIMALS));
      url.searchParams.set('longitude', coords.longitude.toFixed(DECIMALS));
      url.searchParams.set('radius', NEAR_KILOMETRES);
      url.searchParams.set('sort', 'distance');
      url.hash = '';
      load(url.href);
    };
    const fail = () => {
      document.getElementById('near-failed').hidden = false;
    };
    navigator.geolocation.getCurrentPosition(show, fail, { maximumAge: 300_000, timeout: 20_000 });
  });
}

addNear();
