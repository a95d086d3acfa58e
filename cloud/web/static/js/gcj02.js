// WGS-84 to GCJ-02, the shifted coordinates of some Chinese basemaps. It exists here alone: everything that is
// stored, computed or exported is WGS-84. Without effect outside the box in which the shift is applied.
// Source: the publicly known transform (Krasovsky 1940 ellipsoid), as in eviltransform by googollee (MIT).

const SEMI_MAJOR_M = 6378245.0;
const ECCENTRICITY_SQUARED = 0.00669342162296594323;

function outside(longitude, latitude) {
  return longitude < 72.004 || longitude > 137.8347 || latitude < 0.8293 || latitude > 55.8271;
}

function waves(x, y) {
  const xPi = x * Math.PI;
  const yPi = y * Math.PI;
  const root = Math.sqrt(Math.abs(x));
  const common = 20 * Math.sin(6 * xPi) + 20 * Math.sin(2 * xPi);
  const north = common + 20 * Math.sin(yPi) + 40 * Math.sin(yPi / 3) + 160 * Math.sin(yPi / 12) + 320 * Math.sin(yPi / 30);
  const east = common + 20 * Math.sin(xPi) + 40 * Math.sin(xPi / 3) + 150 * Math.sin(xPi / 12) + 300 * Math.sin(xPi / 30);
  return [
    (2 / 3) * east + 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root,
    (2 / 3) * north - 100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root,
  ];
}

/** [longitude, latitude] in degrees of WGS-84 → the same place in GCJ-02. */
export function toGcj02([longitude, latitude]) {
  if (outside(longitude, latitude)) return [longitude, latitude];
  const [east, north] = waves(longitude - 105, latitude - 35);
  const phi = (latitude / 180) * Math.PI;
  const magic = 1 - ECCENTRICITY_SQUARED * Math.sin(phi) ** 2;
  const root = Math.sqrt(magic);
  const perNorth = ((SEMI_MAJOR_M * (1 - ECCENTRICITY_SQUARED)) / (magic * root)) * (Math.PI / 180);
  const perEast = (SEMI_MAJOR_M / root) * Math.cos(phi) * (Math.PI / 180);
  return [longitude + east / perEast, latitude + north / perNorth];
}
