/** The packs that a player needs, in order, and the parsing of packs. */

/** The old head of a loop continues past the loop's end for a crossfade. */
const SPILL_S = 0.01;

/**
 * Return the packs to hold, most urgent first: after the head, at a loop's start, and behind the
 * head. All times are in seconds.
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

/** Return a pack's payloads, one for each stem, null for silence; throws for an invalid pack. */
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
