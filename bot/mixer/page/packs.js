/** Which packs a player needs, in which order, and what is in one. */

/** A loop's old head runs on past its end for a crossfade. */
const SPILL_S = 0.01;

/**
 * Return the packs to hold, the most urgent first: from the head on, where a loop leads back to,
 * and what lies behind. All times in seconds.
 */
export const wanted = ({ at, chunk, count, ahead, behind, loop }) => {
  const found = new Set();
  const add = (from, to) => {
    const last = Math.min(count - 1, Math.floor(to / chunk));
    for (let n = Math.max(0, Math.floor(from / chunk)); n <= last; n += 1) found.add(n);
  };
  const returns = loop && at < loop.to;
  add(at, returns ? Math.min(at + ahead, loop.to + SPILL_S) : at + ahead);
  if (returns) add(loop.from, Math.min(loop.from + Math.max(chunk, at + ahead - loop.to), loop.to + SPILL_S));
  add(at - behind, at);
  return [...found];
};

/** Return a pack's payloads: one for each stem, null for silence; throws if it is none. */
export const payloads = (buffer) => {
  const view = new DataView(buffer);
  const count = view.getUint32(0, true);
  let at = 4 + 4 * count;
  return Array.from({ length: count }, (_, i) => {
    const length = view.getUint32(4 + 4 * i, true);
    const payload = length ? buffer.slice(at, at + length) : null;
    if (at + length > buffer.byteLength) throw new RangeError("the pack is cut off");
    at += length;
    return payload;
  });
};
