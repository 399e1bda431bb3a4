// Shows the map of a search on tiles of the service, with Leaflet. Without it, the page has the map that the server has drawn.

/* global L, protomapsL */

/** The largest zoom of a map with a single place: its district. */
const MAX_ZOOM = 14;
const PADDING = [28, 28];

const main = document.getElementById('main');
const isDark = matchMedia('(prefers-color-scheme: dark)');
const isMoving = !matchMedia('(prefers-reduced-motion: reduce)').matches;
let map;

/** The link of a circle, as an element of HTML. */
function linkOf(circle) {
  const link = document.createElement('a');
  link.href = circle.getAttribute('href');
  link.rel = 'nofollow';
  link.title = circle.querySelector('title').textContent;
  link.setAttribute('aria-label', link.title);
  if (circle.hasAttribute('aria-current')) link.setAttribute('aria-current', 'true');
  link.textContent = circle.querySelector('text').textContent;
  return link;
}

function show() {
  const section = document.querySelector('#map[data-tiles]');
  const picture = section?.querySelector('svg');
  // Without the libraries, the map of the server remains.
  if (!picture || !window.L || !window.protomapsL) return;
  map?.remove();
  const frame = document.createElement('div');
  frame.className = 'tiles';
  frame.setAttribute('role', 'group');
  frame.setAttribute('aria-labelledby', 'map-title');
  picture.replaceWith(frame);

  const { tiles, maxZoom, bounds, zoomIn, zoomOut } = section.dataset;
  const [west, south, east, north] = bounds.split(',').map(Number);
  map = L.map(frame, { zoomControl: false, zoomAnimation: isMoving, fadeAnimation: isMoving, markerZoomAnimation: isMoving });
  map.attributionControl.setPrefix(false);
  L.control.zoom({ zoomInTitle: zoomIn, zoomOutTitle: zoomOut }).addTo(map);
  map.fitBounds([[south, west], [north, east]], { padding: PADDING, maxZoom: MAX_ZOOM, animate: false });
  const url = new URL(tiles, location.href).href;
  const flavor = isDark.matches ? 'dark' : 'light';
  const { lang } = document.documentElement;
  protomapsL.leafletLayer({ url, maxDataZoom: Number(maxZoom), flavor, lang }).addTo(map);
  for (const circle of picture.querySelectorAll('a[data-point]')) {
    const icon = L.divIcon({ className: 'cluster', html: linkOf(circle), iconSize: [32, 32] });
    // The link is what is clicked and focused.
    L.marker(circle.dataset.point.split(',').map(Number), { icon, interactive: false, keyboard: false }).addTo(map);
  }
}

// The script of the search page replaces the map with the results.
new MutationObserver(show).observe(main, { childList: true, subtree: true });
show();
