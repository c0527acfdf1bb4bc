// The outlines of countries, from TopoJSON: arcs are lists of steps on a grid, and rings are made of arcs.
// https://github.com/topojson/topojson-specification

const ANTARCTICA = "010"; // reaches around the pole; nothing is drawn there

/** A path of SVG, in degrees, with north at the top. */
export function landPath(topology) {
  const { scale, translate } = topology.transform;
  const arcs = topology.arcs.map((steps) => {
    let [x, y] = [0, 0];
    return steps.map(([right, up]) => {
      x += right;
      y += up;
      return [x * scale[0] + translate[0], -(y * scale[1] + translate[1])];
    });
  });
  const arc = (number) => (number < 0 ? [...arcs[~number]].reverse() : arcs[number]);
  const ring = (numbers) => numbers.flatMap((number, index) => (index ? arc(number).slice(1) : arc(number)));
  const rings = topology.objects.countries.geometries
    .filter((each) => each.id !== ANTARCTICA)
    .flatMap((each) => (each.type === "Polygon" ? each.arcs : each.type === "MultiPolygon" ? each.arcs.flat() : []));
  return rings
    .map(
      (numbers) =>
        `M${whole(ring(numbers))
          .map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`)
          .join("L")}Z`,
    )
    .join("");
}

/** What crosses the date line goes on beyond it: the map is drawn once more a world to the left. */
function whole(points) {
  let [shift, last] = [0, points[0][0]];
  return points.map(([x, y]) => {
    if (Math.abs(x - last) > 180) shift += x < last ? 360 : -360;
    last = x;
    return [x + shift, y];
  });
}
