// Prints the land of a TopoJSON file as an SVG of degrees, in which the y axis points to the south. Used by scripts/land.

import { readFileSync } from 'node:fs';

const [file, source] = process.argv.slice(2);
/** Steps of a degree: 5 km, which no screen shows on a map of a country. */
const STEPS = 20;
/** The largest distance in degrees between a coast and its simplified form. */
const TOLERANCE = 0.05;
/** Square degrees of the smallest island. */
const MIN_AREA = 0.02;
/** Antarctica has no events. */
const MIN_LATITUDE = -60;
const MAX_LATITUDE = 84;

const { transform, arcs, objects } = JSON.parse(readFileSync(file, 'utf8'));

/** The points of an arc, which are differences of integers. */
function decode(arc) {
  let [x, y] = [0, 0];
  return arc.map(([dx, dy]) => {
    [x, y] = [x + dx, y + dy];
    return [x * transform.scale[0] + transform.translate[0], y * transform.scale[1] + transform.translate[1]];
  });
}

/** A closed line: the arcs with these numbers, of which the negative ones are reversed. */
function join(numbers) {
  return numbers.flatMap((number, index) => {
    const points = decode(arcs[number < 0 ? ~number : number]);
    return (number < 0 ? points.reverse() : points).slice(index ? 1 : 0);
  });
}

/** The part of a closed line on one side of a meridian (I. Sutherland, G. Hodgman, 1974). */
function clip(ring, meridian, isEast) {
  const isInside = ([x]) => (isEast ? x >= meridian : x <= meridian);
  return ring.flatMap((point, index) => {
    const before = ring.at(index - 1);
    if (isInside(point) === isInside(before)) return isInside(point) ? [point] : [];
    const share = (meridian - before[0]) / (point[0] - before[0]);
    const crossing = [meridian, before[1] + share * (point[1] - before[1])];
    return isInside(point) ? [crossing, point] : [crossing];
  });
}

/** A closed line as those on each side of the antimeridian, where the longitudes of the file jump by a turn. */
function split(ring) {
  let turn = 0;
  const unwrapped = ring.map(([x, y], index) => {
    const step = index ? x - ring[index - 1][0] : 0;
    if (Math.abs(step) > 180) turn -= Math.sign(step) * 360;
    return [x + turn, y];
  });
  const shift = (points, by) => points.map(([x, y]) => [x + by, y]);
  const middle = clip(clip(unwrapped, -180, true), 180, false);
  const parts = [middle, shift(clip(unwrapped, -180, false), 360), shift(clip(unwrapped, 180, true), -360)];
  return parts.filter((points) => points.length > 2);
}

function areaOf(ring) {
  const sum = ring.reduce((total, [x, y], index) => {
    const [nextX, nextY] = ring[(index + 1) % ring.length];
    return total + x * nextY - nextX * y;
  }, 0);
  return Math.abs(sum) / 2;
}

/** Removes points that are near the line between their neighbours (D. Douglas, T. Peucker, 1973). */
function simplify(points) {
  const [[firstX, firstY], [lastX, lastY]] = [points[0], points[points.length - 1]];
  const length = Math.hypot(lastX - firstX, lastY - firstY);
  const distances = points.map(([x, y]) =>
    length ? Math.abs((lastX - firstX) * (firstY - y) - (firstX - x) * (lastY - firstY)) / length : Math.hypot(x - firstX, y - firstY),
  );
  const farthest = distances.indexOf(Math.max(...distances));
  if (points.length < 3 || distances[farthest] <= TOLERANCE) return [points[0], points[points.length - 1]];
  return [...simplify(points.slice(0, farthest + 1)), ...simplify(points.slice(farthest)).slice(1)];
}

/** A closed line as a path of steps, each relative to the one before; empty if it has no area. */
function pathOf(ring) {
  const middle = ring.length >> 1;
  const points = [...simplify(ring.slice(0, middle + 1)), ...simplify(ring.slice(middle)).slice(1)];
  const steps = points.map(([x, y]) => [Math.round(x * STEPS), Math.round(-y * STEPS)]);
  const moves = steps.slice(1).map(([x, y], index) => [x - steps[index][0], y - steps[index][1]]);
  const visible = moves.filter(([x, y]) => x || y);
  return visible.length > 2 ? `M${steps[0].join(' ')}l${visible.flat().join(' ').replaceAll(' -', '-')}z` : '';
}

const polygons = objects.land.geometries.flatMap(({ type, arcs: numbers }) => (type === 'Polygon' ? [numbers] : numbers));
const rings = polygons.flat().map(join).flatMap(split);
const shown = rings.filter((ring) => areaOf(ring) >= MIN_AREA && ring.some(([, latitude]) => latitude > MIN_LATITUDE));
const [height, top] = [(MAX_LATITUDE - MIN_LATITUDE) * STEPS, -MAX_LATITUDE * STEPS];
// The grey has a contrast with light and dark backgrounds.
console.log(`<!-- Made with Natural Earth, naturalearthdata.com (public domain): land 1:50m of ${source}, by scripts/land. -->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-180 * STEPS} ${top} ${360 * STEPS} ${height}" width="720" height="${height / 10}" preserveAspectRatio="none">
<path fill="#8a8a96" fill-opacity="0.45" d="
${shown.map(pathOf).filter(Boolean).join('\n')}
"/>
</svg>`);
